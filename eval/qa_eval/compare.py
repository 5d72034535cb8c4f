"""Compares two runs on the same questions (``qa eval --compare A B``): a difference, or chance.

Example: ``print(render(compare(Path("eval/results/a"), Path("eval/results/b"))))``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qa.errors import InputError
from qa_eval.bootstrap import ROUNDS, Difference, difference
from qa_eval.figures import DESCRIBING, LESS_IS_BETTER, MEASURES, columns, counted
from qa_eval.predictions import read_manifest
from qa_eval.score import read_scores

_SURE = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every measure that both runs have, over the questions that both asked."""

    first: str
    second: str
    questions: int
    documents: int
    left_out: int
    differences: Mapping[str, Difference]


def compare(first: Path, second: Path, *, rounds: int = ROUNDS) -> Comparison:
    """Compare two finished runs.

    :raises InputError: a folder holds no finished run, the runs are of different questions, or
        they have none in common.
    """
    made = [read_manifest(folder) for folder in (first, second)]
    for name in ("data_sha256", "documents_sha256"):
        if made[0].get(name) != made[1].get(name):
            raise InputError(
                f"{str(first)!r} and {str(second)!r} are of different questions or documents "
                f"({name} differs), so they cannot be paired; compare runs on the same --data"
            )
    a, b = ({score.id: score for score in read_scores(folder)} for folder in (first, second))
    ids = [id_ for id_ in a if id_ in b]
    if not ids:
        raise InputError(
            f"{str(first)!r} and {str(second)!r} have no question in common; "
            "compare runs with the same --limit and --seed"
        )
    documents = [a[id_].document for id_ in ids]
    of_a, of_b = columns([a[id_] for id_ in ids]), columns([b[id_] for id_ in ids])
    found = {
        name: difference(
            measure,
            of_a,
            of_b,
            documents,
            counted(measure, of_a) | counted(measure, of_b),
            rounds=rounds,
        )
        for name, measure in MEASURES.items()
        if _has(measure(of_a, np.ones((1, len(ids)))))
        and _has(measure(of_b, np.ones((1, len(ids)))))
    }
    left_out = len(a) + len(b) - 2 * len(ids)
    return Comparison(str(first), str(second), len(ids), len(set(documents)), left_out, found)


def _has(value: np.ndarray) -> bool:
    return not math.isnan(float(value[0]))


def render(comparison: Comparison) -> str:
    """Return the table: both values, the difference with its interval, p, and which is better."""
    lines = [
        f"A = {comparison.first}",
        f"B = {comparison.second}",
        f"{comparison.questions} questions in both, {comparison.documents} documents; "
        f"{comparison.left_out} that only one has are left out",
        "",
        f"{'':<26}{'A':>8}{'B':>8}{'B - A':>9}   {'95 % interval':<18}{'p':>6}",
    ]
    for name, one in comparison.differences.items():
        between = f"[{one.low:+.3f}, {one.high:+.3f}]" if one.low is not None else ""
        lines.append(
            f"{name:<26}{one.first:>8.3f}{one.second:>8.3f}{one.difference:>+9.3f}   "
            f"{between:<18}{one.p:>6.3f}  {_better(name, one)}".rstrip()
        )
    lines += [
        "",
        "Interval: paired bootstrap; p: permutation test, two-sided; both by document. With many "
        f"measures, some p < {_SURE} come by chance; with so few documents as "
        f"{comparison.documents}, none is below {_least(comparison.documents):.2g}.",
    ]
    return "\n".join(lines)


def _least(documents: int) -> float:
    """Return the smallest p that swapping so many documents can give: none or all swapped."""
    return float(max(2.0 ** (1 - documents), 1 / (ROUNDS + 1)))


def _better(name: str, one: Difference) -> str:
    if one.p >= _SURE or not one.difference or name in DESCRIBING:
        return ""
    return "B better" if (one.difference < 0) == (name in LESS_IS_BETTER) else "A better"
