"""A run's figures: every measure with its 95 % interval, over all questions and by kind and tag.

Example: ``figures(scores)["citation_f1"].value``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from qa.ui.answer_view import CONFIDENT
from qa_eval import weighted
from qa_eval.bootstrap import ROUNDS, Counted, Figure, Measure, interval
from qa_eval.score import COSTS, Score
from qa_eval.weighted import Array, Columns


def _mean(column: str) -> Measure:
    return lambda of, w: weighted.mean(of[column], w)


def _ratio(part: str, whole: str) -> Measure:
    return lambda of, w: weighted.ratio(of[part], of[whole], w)


def _quantile(column: str, share: int) -> Measure:
    return lambda of, w: weighted.quantile(of[column], w, share / 100)


def _refused_right(of: Columns) -> Array:
    return np.asarray(of["refused"] * of["unanswerable"])


def _abstention_precision(of: Columns, w: Array) -> Array:
    return weighted.ratio(_refused_right(of), of["refused"], w)


def _abstention_recall(of: Columns, w: Array) -> Array:
    return weighted.ratio(_refused_right(of), of["unanswerable"], w)


def _abstention_f1(of: Columns, w: Array) -> Array:
    both = of["refused"] + of["unanswerable"]
    return weighted.ratio(2 * _refused_right(of), both, w)


def _balanced_accuracy(of: Columns, w: Array) -> Array:
    answered = of["answerable"] * (1 - of["refused"])
    return (weighted.ratio(answered, of["answerable"], w) + _abstention_recall(of, w)) / 2


def _auroc(against: str | None = None, by: str = "decided_by") -> Measure:
    """AUROC of answerable questions against all unanswerable ones, or those of one kind."""

    def measure(of: Columns, w: Array) -> Array:
        side = of["answerable"]
        if against is not None:
            side = np.where((side == 0) & np.isnan(of[against]), np.nan, side)
        return weighted.auroc(of[by], side, w)

    return measure


def _right_between(least: float, below: float) -> Measure:
    """What is right of the answers given with a confidence from ``least`` on and ``below``."""

    def measure(of: Columns, w: Array) -> Array:
        held = (of["confidence"] >= least) & (of["confidence"] < below)
        return weighted.mean(np.where(held, of["right_answered"], np.nan), w)

    return measure


def _curve(of: Columns, w: Array) -> weighted.Curve:
    return weighted.risk_coverage(of["confidence"], of["right"], w)


# What the chat page calls a confidence, from the bound on to the one before.
_CALLED = (("", math.inf), *CONFIDENT, ("low", -math.inf))
_COSTS: Mapping[str, Measure] = {
    f"{name}_p{share}": _quantile(name, share) for name in COSTS for share in (50, 95)
}
MEASURES: Mapping[str, Measure] = {
    "citation_f1": _mean("citation_f1"),
    "citation_precision": _mean("citation_precision"),
    "citation_recall": _mean("citation_recall"),
    "citation_f1_micro": lambda of, w: weighted.harmonic(
        _ratio("cited_right", "cited")(of, w), _ratio("cited_right", "gold")(of, w)
    ),
    "citation_precision_micro": _ratio("cited_right", "cited"),
    "citation_recall_micro": _ratio("cited_right", "gold"),
    "citation_f1_answered": _mean("citation_f1_answered"),
    "sufficient": _mean("sufficient"),
    "exact_set": _mean("exact_set"),
    "citations_per_question": _mean("cited"),
    "containment": _mean("containment"),
    "token_f1": _mean("token_f1"),
    "exact_match": _mean("exact_match"),
    "token_f1_accents": _mean("token_f1_accents"),
    "exact_match_accents": _mean("exact_match_accents"),
    "right": _ratio("right", "answerable"),
    "overall": _mean("overall"),
    "over_refusal": _mean("over_refusal"),
    "refused_near_miss": _mean("refused_near_miss"),
    "refused_false_premise": _mean("refused_false_premise"),
    "refused_off_topic": _mean("refused_off_topic"),
    "abstention_precision": _abstention_precision,
    "abstention_recall": _abstention_recall,
    "abstention_f1": _abstention_f1,
    "balanced_accuracy": _balanced_accuracy,
    "auroc": _auroc(),
    "auroc_near_miss": _auroc("refused_near_miss"),
    "auroc_confidence": _auroc(by="confidence"),
    "ece": lambda of, w: weighted.ece(of["confidence"], of["right"], w),
    "ece_answered": lambda of, w: weighted.ece(of["confidence"], of["right_answered"], w),
    "ece_answerable": lambda of, w: weighted.ece(of["decided_by"], of["answerable"], w),
    **{
        f"right_{level}_confidence": _right_between(least, below)
        for (_, below), (level, least) in itertools.pairwise(_CALLED)
    },
    "aurc": lambda of, w: _curve(of, w).area(),
    "accuracy@50": lambda of, w: _curve(of, w).accuracy_at(0.5),
    "accuracy@80": lambda of, w: _curve(of, w).accuracy_at(0.8),
    "accuracy@100": lambda of, w: _curve(of, w).accuracy_at(1.0),
    "coverage@95": lambda of, w: _curve(of, w).coverage_at(0.95),
    "pointer_validity": _ratio("after_valid", "after"),
    "pointer_validity_before": _ratio("before_valid", "before"),
    "coverage": _ratio("statements_cited", "statements"),
    "number_fidelity": _ratio("statements_numbers", "statements"),
    "name_fidelity": _ratio("statements_names", "statements"),
    "groundedness": _ratio("statements_grounded", "statements"),
    "support_recall": _ratio("statements_recall", "statements"),
    "support_precision": _ratio("statements_precision", "statements"),
    "repaired": _mean("repaired"),
    "swap_flagged": _ratio("swapped_flagged", "swapped"),
    "quoted_instead": _ratio("statements_quoted", "statements_drafted"),
    **{
        name: _mean(name)
        for name in ("R@1", "R@3", "R@5", "R@10", "all@1", "all@3", "all@5", "all@10")
    },
    "MRR": _mean("RR"),
    "nDCG@10": _mean("nDCG@10"),
    "R@5 followup": _mean("R@5 followup"),
    "R@5 followup, as asked": _mean("R@5 raw"),
    "overview_answered": _mean("overview_answered"),
    "overview_3_to_6": _mean("overview_3_to_6"),
    "overview_statements": _mean("overview_statements"),
    "overview_supported": _mean("overview_supported"),
    "overview_pointers": _mean("overview_pointers"),
    "overview_paragraphs": _mean("overview_paragraphs"),
    "overview_two_thirds": _mean("overview_two_thirds"),
    **_COSTS,
}
# Smaller is better; of the others more is, but for those that describe.
LESS_IS_BETTER = frozenset(
    ["over_refusal", "ece", "ece_answered", "ece_answerable", "aurc", "quoted_instead", *_COSTS]
)
# Neither more nor less is better.
DESCRIBING = frozenset(["citations_per_question", "repaired", "overview_statements"])
# Rows of weights of as many questions as there are.
_AT_ONCE = 256
# What a row of a kind or a tag shows.
GROUP_MEASURES = (
    "citation_f1",
    "sufficient",
    "containment",
    "token_f1",
    "right",
    "refused",
    "support_recall",
)


def columns(scores: Sequence[Score]) -> Columns:
    """Return every value as a column, NaN where it does not apply."""
    names = {name for score in scores for name in score.values}
    return Columns(
        len(scores),
        {name: np.array([score.values.get(name, np.nan) for score in scores]) for name in names},
    )


def figures(scores: Sequence[Score], *, rounds: int = ROUNDS) -> dict[str, Figure]:
    """Return the measures that apply to the run, each with its interval.

    :param rounds: of the bootstrap.
    """
    of, documents = columns(scores), [score.document for score in scores]
    found = {name: _figure(measure, of, documents, rounds) for name, measure in MEASURES.items()}
    return {name: figure for name, figure in found.items() if not np.isnan(figure.value)}


def by_group(scores: Sequence[Score], *, rounds: int = ROUNDS) -> dict[str, dict[str, Figure]]:
    """Return a row for each kind, and for each tag of questions with gold, in a fixed order."""
    groups: dict[str, list[Score]] = {}
    for score in scores:
        tags = score.tags if "citation_f1" in score.values else ()
        for name in (score.kind, *tags):
            groups.setdefault(name, []).append(score)
    rows = {}
    for name in sorted(groups, key=lambda name: (name.startswith("unanswerable"), name)):
        of, documents = columns(groups[name]), [score.document for score in groups[name]]
        row = {m: _figure(_group_measure(m), of, documents, rounds) for m in GROUP_MEASURES}
        rows[name] = {m: figure for m, figure in row.items() if not np.isnan(figure.value)}
    return {name: row for name, row in rows.items() if row}


def _group_measure(name: str) -> Measure:
    return MEASURES.get(name) or _mean(name)


def _figure(measure: Measure, of: Columns, documents: Sequence[str], rounds: int) -> Figure:
    of_these = counted(measure, of)
    value, low, high = interval(lambda w: measure(of, w), documents, of_these, rounds=rounds)
    return Figure(value, low, high, int(of_these.sum()))


def counted(measure: Measure, of: Columns) -> Counted:
    """Tell for each question whether a measure is of it: whether it has a value alone.

    A comparison of answerable with unanswerable questions has none alone, so each is put beside
    one of the other side.
    """
    alone = _valued(measure, of)
    answerable = np.flatnonzero(of["answerable"] == 1)
    if alone.any() or not len(answerable):
        return alone
    others = _valued(measure, of, beside=int(answerable[0]))
    if not others.any():
        return others
    return others | _valued(measure, of, beside=int(others.argmax()))


def _valued(measure: Measure, of: Columns, beside: int | None = None) -> Counted:
    """Tell for each question whether the measure has a value of it, alone or beside another."""
    valued = np.zeros(of.size, dtype=bool)
    for start in range(0, of.size, _AT_ONCE):
        rows = min(_AT_ONCE, of.size - start)
        weights = np.eye(rows, of.size, start)
        if beside is not None:
            weights[:, beside] += 1
        valued[start : start + rows] = ~np.isnan(measure(of, weights))
    return valued
