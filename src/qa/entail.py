"""Optional cross-encoders: whether a text entails a statement, how well it answers a question.

Both are models of the person's choice (settings ``nli`` and ``reranker``); none is shipped, and
without them words decide and retrieval ranks. sentence-transformers loads them at their first use.
The module knows nothing of documents or citations.

Example: ``open_entailment("models/nli").judge([("Le maire parle.", "Quelqu'un parle.")])``.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from qa.embed.loading import (
    ModelSetting,
    hub_folder,
    loading,
    local_folder,
    not_loaded,
    torch_threads,
)
from qa.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

NLI: Final = ModelSetting("nli", "entailment model", "leave it out")
RERANKER: Final = ModelSetting("reranker", "reranker", "leave it out")

# The labels of natural language inference (MNLI: Williams et al. 2018, arXiv:1704.05426).
_LABELS: Final = frozenset({"entailment", "neutral", "contradiction"})
# More than half of the probability: the model's own decision among the three labels. No other cut
# was fitted, since no weights are shipped that it could be fitted on.
_DECIDED: Final = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The probabilities with which a text entails a statement, and contradicts it."""

    entailment: float
    contradiction: float

    @property
    def entailed(self) -> bool:
        """Whether the model decides that the text says it."""
        return self.entailment > _DECIDED

    @property
    def contradicted(self) -> bool:
        """Whether the model decides that the text says otherwise."""
        return self.contradiction > _DECIDED


class _Pairs:
    """A CrossEncoder folder, loaded at its first use; safe to use from several threads."""

    def __init__(self, folder: Path, setting: ModelSetting, threads: int | None) -> None:
        self._folder = folder
        self._setting = setting
        self._threads = threads
        self._model: CrossEncoder | None = None
        self._lock = threading.Lock()
        # What the outputs mean, in their order; () until it is loaded, where its files do not tell.
        self.labels = _configured_labels(folder, setting)
        if self.labels:
            self._fits(self.labels)

    def predict(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Return the model's outputs for each pair, (len(pairs), outputs) float32, unbounded."""
        with self._lock:
            model = self._loaded()
            import torch

            with torch_threads(self._threads):
                found = model.predict(
                    [(_plain(left), _plain(right)) for left, right in pairs],
                    activation_fn=torch.nn.Identity(),
                    show_progress_bar=False,
                )
        return np.asarray(found, np.float32).reshape(len(pairs), -1)

    def _loaded(self) -> CrossEncoder:
        if self._model is None:
            from sentence_transformers import CrossEncoder

            with loading(self._folder, self._setting):
                model = CrossEncoder(str(self._folder), local_files_only=True)
            self.labels = self.labels or tuple(f"output_{n}" for n in range(model.num_labels))
            self._fits(self.labels)
            self._model = model
        return self._model

    def _fits(self, labels: Sequence[str]) -> None:
        """Refuse a model of another kind, before its weights are read where its files tell."""
        if self._setting is NLI and sorted(labels) != sorted(_LABELS):
            found, wanted = f"the labels {', '.join(labels)}", ", ".join(sorted(_LABELS))
        elif self._setting is RERANKER and len(labels) != 1:
            found, wanted = f"{len(labels)} outputs", "one, the score"
        else:
            return
        raise ModelUnavailable(
            f"the model in {str(self._folder)!r} is no {self._setting.what}: it has {found}, not "
            f"{wanted}. Set {self._setting} to another model, or {self._setting.instead}"
        )


class Entailment:
    """A model of natural language inference."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Look at the folder's labels; nothing is loaded.

        :raises ModelUnavailable: its labels are not entailment, neutral and contradiction.
        """
        self._pairs = _Pairs(folder, NLI, threads)

    def judge(self, pairs: Sequence[tuple[str, str]]) -> tuple[Verdict, ...]:
        """Return a verdict for each pair of a text and a statement.

        :raises ModelUnavailable: the model cannot be loaded.
        """
        if not pairs:
            return ()
        outputs = self._pairs.predict(pairs)
        chances = np.exp(outputs - outputs.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        says, denies = (self._pairs.labels.index(one) for one in ("entailment", "contradiction"))
        return tuple(Verdict(float(row[says]), float(row[denies])) for row in chances)


class Reranker:
    """A model that scores how well a text answers a question."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Look at the folder's outputs; nothing is loaded.

        :raises ModelUnavailable: it has more than one.
        """
        self._pairs = _Pairs(folder, RERANKER, threads)

    def scores(self, question: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return a score for each text; higher is better, and the scale is the model's own.

        :raises ModelUnavailable: the model cannot be loaded.
        """
        if not texts:
            return ()
        outputs = self._pairs.predict([(question, text) for text in texts])
        return tuple(float(score) for score in outputs[:, 0])


def open_entailment(name: str, threads: int | None = None) -> Entailment:
    """Return the entailment model that the setting ``nli`` names.

    :param name: a folder, or a hub name (the only one for which the network is used).
    :param threads: how many threads torch may use; None: its default.
    :raises ModelUnavailable: there is none, or it is of another kind.
    """
    return Entailment(_folder(name, NLI), threads)


def open_reranker(name: str, threads: int | None = None) -> Reranker:
    """Return the reranker that the setting ``reranker`` names.

    :param name: a folder, or a hub name (the only one for which the network is used).
    :param threads: how many threads torch may use; None: its default.
    :raises ModelUnavailable: there is none, or it has more than one output.
    """
    return Reranker(_folder(name, RERANKER), threads)


def _folder(name: str, setting: ModelSetting) -> Path:
    return local_folder(name, setting) or hub_folder(name, setting)


def _configured_labels(folder: Path, setting: ModelSetting) -> tuple[str, ...]:
    """Return a classifier's labels in the order of its outputs, () for another architecture."""
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        kinds = config.get("architectures") or ()
        if not any(kind.endswith("ForSequenceClassification") for kind in kinds):
            return ()
        # As in transformers: two outputs, where nothing is said.
        names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
        return tuple(str(names[key]).lower() for key in sorted(names, key=int))
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise not_loaded(folder, setting, error) from error


def _plain(text: str) -> str:
    """Replace unpaired surrogates, which no tokenizer reads."""
    return text.encode("utf-8", "replace").decode("utf-8")
