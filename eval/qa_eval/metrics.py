"""What a run is measured by: citations, answers, refusals, calibration.

Definitions follow the literature: token F1 and exact match of SQuAD (Rajpurkar et al. 2016) after
French normalisation, citation precision/recall/F1 against alternative gold sets, AUROC as the
Mann–Whitney statistic, ECE with ten equal-width bins (Guo et al. 2017), intervals by bootstrap
clustered by document. A question that the run missed scores 0; it is never dropped.

Example: ``token_f1("2500 soldats", ["2500"])`` is 0.667.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from qa.words import tokens
from qa_eval.data import Span

_ARTICLES = frozenset(
    ["le", "la", "les", "un", "une", "des", "du", "de", "au", "aux", "the", "a", "an"]
)  # elided l', d' are dropped by ``tokens``
_BINS = 10


def normalised(text: str) -> list[str]:
    """Return the answer's words for comparison: folded, without articles."""
    return [token for token in tokens(text) if token not in _ARTICLES]


def exact(text: str, accepted: Sequence[str]) -> float:
    """Return 1 when the answer equals an accepted one after normalisation."""
    return float(any(normalised(text) == normalised(answer) for answer in accepted))


def token_f1(text: str, accepted: Sequence[str]) -> float:
    """Return the best token F1 against the accepted answers."""
    return max((_f1(normalised(text), normalised(answer)) for answer in accepted), default=0.0)


def containment(text: str, accepted: Sequence[str]) -> float:
    """Return the best share of an accepted answer's words that the text holds."""
    said = Counter(normalised(text))
    shares = (
        sum((said & Counter(gold)).values()) / len(gold)
        for gold in map(normalised, accepted)
        if gold
    )
    return max(shares, default=0.0)


def _f1(said: Sequence[str], gold: Sequence[str]) -> float:
    common = sum((Counter(said) & Counter(gold)).values())
    if not common:
        return 0.0
    return 2 * common / (len(said) + len(gold))


def citation_scores(
    cited: Sequence[Span], gold_sets: Sequence[Sequence[Span]]
) -> tuple[float, float, float]:
    """Return precision, recall and F1 against the gold set that fits best; zeros without any."""
    best = (0.0, 0.0, 0.0)
    for gold in gold_sets:
        common = len(set(cited) & set(gold))
        if common:
            precision, recall = common / len(set(cited)), common / len(set(gold))
            score = (precision, recall, 2 * precision * recall / (precision + recall))
            best = max(best, score, key=lambda entry: entry[2])
    return best


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> float:
    """Return P(positive > negative) + ½ P(equal); NaN when a side is empty."""
    if not positives or not negatives:
        return float("nan")
    wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
    return wins / (len(positives) * len(negatives))


def ece(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Return the expected calibration error over ten equal-width bins."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(confidences, correct, strict=True):
        bins.setdefault(min(int(confidence * _BINS), _BINS - 1), []).append((confidence, right))
    gaps = (
        abs(sum(right for _, right in entries) - sum(confidence for confidence, _ in entries))
        for entries in bins.values()
    )
    return sum(gaps) / len(confidences) if confidences else float("nan")


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of nothing."""
    return sum(values) / len(values) if values else float("nan")


def interval(
    values_by_document: Mapping[str, Sequence[float]], *, rounds: int = 2000, seed: int = 1
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean, whole documents drawn with replacement."""
    documents = sorted(values_by_document)
    if not documents:
        return float("nan"), float("nan")
    draw = random.Random(seed)
    means = []
    for _ in range(rounds):
        drawn = [values_by_document[draw.choice(documents)] for _ in documents]
        means.append(mean([value for values in drawn for value in values]))
    means.sort()
    return means[int(0.025 * rounds)], means[int(0.975 * rounds)]
