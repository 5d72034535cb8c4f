"""What one question, or a plain list of scores, is measured by; no weights, no intervals.

Citations are scored against alternative gold sets: the set that fits best counts. A question that
the run refused or missed scores 0; it is never dropped.

Example: ``citation_scores([(0, 5)], [[(0, 5)]])`` is ``(1.0, 1.0, 1.0)``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np

from qa_eval import weighted

S = TypeVar("S", bound=Hashable)


def citation_scores(
    cited: Sequence[S], gold_sets: Sequence[Sequence[S]]
) -> tuple[float, float, float]:
    """Return precision, recall and F1 against the gold set that fits best; zeros without any."""
    gold = best_set(cited, gold_sets)
    common = len(set(cited) & set(gold))
    if not common:
        return (0.0, 0.0, 0.0)
    precision, recall = common / len(set(cited)), common / len(set(gold))
    return precision, recall, 2 * precision * recall / (precision + recall)


def best_set(cited: Sequence[S], gold_sets: Sequence[Sequence[S]]) -> Sequence[S]:
    """Return the gold set with the best F1; where none is touched the smallest, first of equals."""
    said = set(cited)

    def fit(gold: Sequence[S]) -> tuple[float, int]:
        return 2 * len(said & set(gold)) / (len(said) + len(set(gold))), -len(set(gold))

    return max(gold_sets, key=fit, default=())


def sufficient(cited: Sequence[S], gold_sets: Sequence[Sequence[S]]) -> bool:
    """Tell whether a whole gold set is cited."""
    return any(set(gold) <= set(cited) for gold in gold_sets)


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Return P(positive > negative) + ½ P(equal); NaN when a side is empty."""
    scores = np.array([*positives, *negatives], dtype=float)
    side = np.array([1.0] * len(positives) + [0.0] * len(negatives))
    return float(weighted.auroc(scores, side, np.ones((1, len(scores))))[0])


def ece(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Return the expected calibration error over ten equal-width bins; NaN of nothing."""
    right = np.array(correct, dtype=float)
    return float(weighted.ece(np.array(confidences, float), right, np.ones((1, len(right))))[0])


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of nothing."""
    return sum(values) / len(values) if values else float("nan")
