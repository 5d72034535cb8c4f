"""``python -m qa_eval.whole --out FILE``: fits which requests are for the whole of a document.

And which are for no document; both the same way.

A logistic regression (L2) on the embeddings of requests for the whole, of questions that only sound
like them, of requests that have nothing to do with the document, and of all questions that the
reader is trained on. Of the third, only those that no document could answer («traduis-moi …», «tu
t’ennuies ?») are for none: «résume Hamlet» or the capital of Mongolia may be another one's. More
of those, and questions that sound like them, are in a file of their own, for foreignness alone.
The threshold is the lowest one that takes at most three in a thousand of the last for a request,
ten where the documents do not answer them, each judged by a model of the other folds. Requests
written apart are kept to measure.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from qa.embed import Encoder, load_encoder
from qa.errors import InputError
from qa.settings import load_settings
from qa.whole import is_overview, sounds_whole
from qa_eval.data import first_fault, read_text
from qa_eval.metrics import auroc, mean
from qa_eval.reader.rows import load_rows
from qa_eval.squad import load_squad

_HERE = Path(__file__).parents[1]
_FOLDS = 5
_STRENGTH = 10.0
# Plain questions are many, and easy: one counts as much as this of those that were written for it.
_PLAIN_WEIGHT = 0.3
# «Résume Hamlet» sounds like one, and is of no document here: with full weight, fewer are found.
_FOREIGN_WEIGHT = 0.5
_KINDS = ("for the whole", "about something", "about nothing in it")
_MISTAKEN_AT_MOST, _MISTAKEN_REFUSED = 0.003, 0.01


@dataclass(frozen=True, slots=True)
class Request:
    """What was typed about a document with this title, and whether the whole was meant.

    ``foreign``: it has nothing to do with that document; ``task``: no document could answer it.
    """

    title: str
    question: str
    whole: bool
    foreign: bool = False
    task: bool = False


class _Line(BaseModel):
    title: str
    q: str = Field(min_length=1)
    overview: bool
    foreign: bool = False
    task: bool = False


def load_requests(path: Path) -> tuple[Request, ...]:
    """Read requests, one JSON object a line.

    :raises InputError: naming file, line and field, at the first fault.
    """
    requests = []
    for number, line in enumerate(io.StringIO(read_text(path)), start=1):
        try:
            read = _Line.model_validate_json(line)
        except ValidationError as error:
            raise InputError(f"{path}, line {number}, {first_fault(error)}") from error
        requests.append(Request(read.title, read.q, read.overview, read.foreign, read.task))
    return tuple(requests)


def fit(
    requests: Sequence[Request], further: Sequence[Request], plain: Sequence[str], encoder: Encoder
) -> tuple[dict[str, object], dict[str, float]]:
    """Return the two models and the thresholds, and what cross-validation says of them.

    :param further: requests that only foreignness is fitted on, and that are for no whole.
    """
    every = [*requests, *further]
    vectors = encoder.encode([*(request.question for request in every), *plain], query=True)
    near = np.r_[: len(requests), len(every) : len(vectors)]
    wanted = np.array([*(request.whole for request in requests), *(False for _ in plain)])
    own = (_FOREIGN_WEIGHT if request.foreign else 1.0 for request in requests)
    counts = np.array([*own, *(_PLAIN_WEIGHT for _ in plain)])
    judged, whole_model = _fitted(vectors[near], wanted, counts)
    threshold, threshold_refused = (
        round(float(np.quantile(judged[len(requests) :], 1 - share)), 3)
        for share in (_MISTAKEN_AT_MOST, _MISTAKEN_REFUSED)
    )
    beside = np.array([*(request.task for request in every), *(False for _ in plain)])
    counts = np.array([*(1.0 for _ in every), *(_PLAIN_WEIGHT for _ in plain)])
    apart, foreign_model = _fitted(vectors, beside, counts)
    written = judged[: len(requests)]
    whole = wanted[: len(requests)]
    foreign = np.array([request.foreign for request in requests])
    return {
        "whole": whole_model,
        "foreign": foreign_model,
        "threshold": threshold,
        "threshold_refused": threshold_refused,
    }, {
        "auroc": round(auroc(written[whole].tolist(), written[~whole].tolist()), 3),
        "found": round(float((written[whole] >= threshold).mean()), 3),
        "mistaken": round(float((written[~whole & ~foreign] >= threshold).mean()), 3),
        "mistaken, foreign": round(float((written[foreign] >= threshold).mean()), 3),
        "tasks, likely foreign": round(float((apart[beside] >= 0.5).mean()), 3),
        "plain, likely foreign": round(float((apart[len(every) :] >= 0.5).mean()), 4),
    }


def _fitted(
    vectors: npt.NDArray[np.float32], wanted: npt.NDArray[np.bool_], counts: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], dict[str, object]]:
    """Return each one's probability by a model of the other folds, and the model of all."""
    model = LogisticRegression(C=_STRENGTH, max_iter=5000)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    judged: npt.NDArray[np.float64] = cross_val_predict(
        model, vectors, wanted, cv=folds, method="predict_proba", params={"sample_weight": counts}
    )[:, 1]
    model.fit(vectors, wanted, sample_weight=counts)
    return judged, {
        "weights": [round(float(weight), 3) for weight in model.coef_[0]],
        "intercept": round(float(model.intercept_[0]), 3),
    }


def _kind(request: Request) -> str:
    return _KINDS[0] if request.whole else _KINDS[2] if request.foreign else _KINDS[1]


def shares(requests: Sequence[Request], encoder: Encoder) -> str:
    """Tell how many requests, and how many other questions, the package takes for requests."""
    vectors = encoder.encode([request.question for request in requests], query=True)
    by_phrase = [is_overview(request.question, request.title) for request in requests]
    at_once = [sounds_whole(vector, encoder.id) for vector in vectors]
    refused = [sounds_whole(vector, encoder.id, refused=True) for vector in vectors]
    parts = []
    for kind in _KINDS:
        side = [place for place, request in enumerate(requests) if _kind(request) == kind]
        if not side:
            continue
        phrase, first, last = (
            mean([float(by_phrase[place] or by_sound[place]) for place in side])
            for by_sound in (by_phrase, at_once, refused)
        )
        how = f"by phrase {phrase:.3f}, at once {first:.3f}, when refused as a question {last:.3f}"
        parts.append(f"{len(side)} {kind}: {how}")
    return "\n".join(parts)


def main() -> None:
    """Fit, write, and print what of the held-out requests is taken for a request."""
    parser = argparse.ArgumentParser(prog="python -m qa_eval.whole", description=__doc__)
    parser.add_argument("--out", type=Path, help="write the model here, as JSON; else measure only")
    parser.add_argument("--squad", type=Path, help="a SQuAD file to measure with, too")
    options = parser.parse_args()
    settings = load_settings()
    encoder = load_encoder(settings.encoder, settings.cache)
    if options.out:
        requests = [
            *load_requests(_HERE / "whole" / "train.jsonl"),
            *load_requests(_HERE / "whole" / "chatty.jsonl"),
        ]
        rows = load_rows(_HERE / "train")
        plain = sorted({asked.question for row in rows for asked in row.asked})
        further = load_requests(_HERE / "whole" / "tasks.jsonl")
        model, figures = fit(requests, further, plain, encoder)
        fitted = {
            "command": "python -m qa_eval.whole --out src/qa/data/whole.json",
            "encoder": encoder.id,
            "date": datetime.now(UTC).date().isoformat(),
            "requests": len(requests),
            "further": len(further),
            "plain questions": len(plain),
            **figures,
        }
        text = json.dumps({"fitted": fitted, **model}, ensure_ascii=False)
        options.out.write_text(text + "\n", encoding="utf-8")
        print(json.dumps(fitted))
    print(shares(load_requests(_HERE / "whole" / "held-out.jsonl"), encoder))
    if options.squad:
        asked = [Request("", item.question, whole=False) for item in load_squad(options.squad)[1]]
        print(shares(asked, encoder))


if __name__ == "__main__":
    main()
