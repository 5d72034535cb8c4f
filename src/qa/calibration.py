"""The fitted models that turn features into probabilities: data in ``data/evidence.json``.

Each fitted part says what it was fitted on, when, with which model and by which command (``qa eval
--fit``). For a model that nothing was fitted on, a rule stands in (``conservative``, which has no
command), and ``is_fitted`` says so.

Example: ``calibration_for(model.label, voting=True).threshold``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

# Logits are cut here, where a probability is 0 or 1 for every purpose.
_MAX_LOGIT = 30.0


@dataclass(frozen=True, slots=True)
class Logistic:
    """A logistic model: probability = 1 / (1 + exp(-(intercept + Σ weight · feature)))."""

    weights: Mapping[str, float]
    intercept: float

    def __call__(self, features: Mapping[str, float]) -> float:
        """Return the probability for ``features``, which must hold every weighted name."""
        logit = self.intercept + sum(w * features[name] for name, w in self.weights.items())
        return 1.0 / (1.0 + math.exp(-max(-_MAX_LOGIT, min(_MAX_LOGIT, logit))))


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted pair: which sentences prove the answer, and whether there is one.

    ``threshold``: answer from this confidence on. ``writer`` and ``hopeless``: the confidence
    once the writer's first token is known, and the confidence before it below which nothing is
    written; without a writer ``answerable`` decides alone. ``also``: a further sentence is used
    from this probability on; ``cover``: how much, in log-odds, an answer's own words count
    where it is written from several sentences (:mod:`qa.pointing`; 0: it never is). ``probes``:
    how many of the best hits are probed beside the voted ones. ``sure_probe``: the log-odds
    from which a voted first hit needs no rival. ``most_probes``: how many of the best hits are
    probed while no probe reaches ``yes_probe``, and, after the foremost, while one reaches
    ``least_probe``. ``nearest``: where no sentence's cosine reaches it, nothing is about the
    question, and no model is asked. ``right``: how likely an answer is the right one where the
    documents hold it (:mod:`qa.certainty`; None: not fitted); ``least_certainty``: an answer that
    is less certain than this is not given. ``fitted``: when, on what, with which model and
    encoder, by which command.
    """

    sentence: Logistic
    answerable: Logistic
    threshold: float
    also: float
    probes: int
    sure_probe: float
    fitted: Mapping[str, object]
    writer: Logistic | None = None
    right: Logistic | None = None
    hopeless: float = 0.0
    most_probes: int = 0
    yes_probe: float = 0.0
    least_probe: float = -99.0
    nearest: float = 0.0
    cover: float = 0.0
    least_certainty: float = 0.0

    @property
    def first_cut(self) -> float:
        """Return the confidence from which the writer is asked."""
        return self.threshold if self.writer is None else self.hopeless


@cache
def load_calibrations() -> Mapping[str, Calibration]:
    """Read the parts by name.

    ``read``: for a model that was trained to read, with its vote over the document, ``read-alone``:
    without. ``vote`` and ``probe``: the same for one that is probed. ``extractive``: without a
    model. ``conservative``: for a model that nothing was fitted on.
    """
    raw = json.loads((files("qa") / "data" / "evidence.json").read_text(encoding="utf-8"))

    def model(part: Mapping[str, Any], name: str) -> Logistic | None:
        return Logistic(part[name]["weights"], part[name]["intercept"]) if name in part else None

    return {
        name: Calibration(
            sentence=Logistic(part["sentence"]["weights"], part["sentence"]["intercept"]),
            answerable=Logistic(part["answerable"]["weights"], part["answerable"]["intercept"]),
            threshold=part["threshold"],
            also=part["also"],
            probes=part["probes"],
            sure_probe=part["sure_probe"],
            fitted=part["fitted"],
            writer=model(part, "writer"),
            right=model(part, "right"),
            hopeless=part.get("hopeless", 0.0),
            most_probes=part.get("most_probes", 0),
            yes_probe=part.get("yes_probe", 0.0),
            least_probe=part.get("least_probe", -99.0),
            nearest=part.get("nearest", 0.0),
            cover=part.get("cover", 0.0),
            least_certainty=part.get("least_certainty", 0.0),
        )
        for name, part in raw.items()
    }


def fitted_for(*, reading: bool) -> Mapping[str, object]:
    """Return when, on what and with which model the part was fitted for a model that votes.

    :param reading: whether the model was trained to read.
    """
    return load_calibrations()["read" if reading else "vote"].fitted


def is_fitted(label: str, *, reading: bool = False) -> bool:
    """Tell whether the evidence models were fitted on a model whose weights have this label."""
    return bool(label) and fitted_for(reading=reading).get("model") == label


def calibration_for(
    label: str | None, encoder: str = "", *, voting: bool = False, reading: bool = False
) -> Calibration:
    """Return the part for a model (None: no model).

    :param encoder: the id of the encoder; cosines of another one than it was fitted with say
        nothing.
    :param voting: whether it votes over the document.
    :param reading: whether it was trained to read; its reader is part of the package, so that what
        was fitted on the one holds for the other.
    """
    if label is None:
        name = "extractive"
    elif not is_fitted(label, reading=reading):
        name = "conservative"
    else:
        names = ("read-alone", "read") if reading else ("probe", "vote")
        name = names[voting]
    part = load_calibrations()[name]
    return part if part.fitted.get("encoder") == encoder else replace(part, nearest=0.0)
