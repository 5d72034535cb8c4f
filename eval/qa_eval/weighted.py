"""Statistics of questions with weights, so that one definition gives value, interval and p.

A bootstrap draw is a row of weights: how often each question was drawn. Every function takes
weights of shape (rounds, n), float64, beside columns of shape (n,), and returns (rounds,); a
question whose column is NaN has no such value and is left out. A row of ones gives the plain value.
NaN comes back where nothing is left.

Example: ``mean(np.array([1.0, 0.0]), np.ones((1, 2)))`` is ``[0.5]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# Equal-width bins of the expected calibration error (Guo et al. 2017).
BINS = 10


class Columns(dict[str, Array]):
    """Values of n questions by name, each (n,) float64; a name that nobody has is all NaN."""

    def __init__(self, size: int, values: Mapping[str, Array]) -> None:
        super().__init__(values)
        self.size = size

    def __missing__(self, name: str) -> Array:
        return np.full(self.size, np.nan)

    def beside(self, other: Columns) -> Columns:
        """Return the questions of both, these first."""
        names = {*self, *other}
        joined = {name: np.concatenate([self[name], other[name]]) for name in names}
        return Columns(self.size + other.size, joined)


def mean(values: Array, weights: Array) -> Array:
    """Return the weighted mean."""
    return ratio(values, np.ones_like(values), weights)


def ratio(part: Array, whole: Array, weights: Array) -> Array:
    """Return Σ part / Σ whole over the questions that have both (micro average)."""
    known = ~(np.isnan(part) | np.isnan(whole))
    return divide(weights[:, known] @ part[known], weights[:, known] @ whole[known])


def quantile(values: Array, weights: Array, share: float) -> Array:
    """Return the least value that at least ``share`` of the questions do not exceed."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(len(weights), np.nan)
    order = np.argsort(known, kind="stable")
    reached = np.cumsum(weights[:, ~np.isnan(values)][:, order], axis=1)
    place = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
    return np.where(reached[:, -1] > 0, known[order][place], np.nan)


def harmonic(first: Array, second: Array) -> Array:
    """Return the harmonic mean, 0 where both are 0."""
    total = first + second
    return np.where(total == 0, 0.0, divide(2 * first * second, total))


def divide(part: Array, whole: Array) -> Array:
    """Return the quotient, NaN where the whole is 0."""
    safe = np.where(whole == 0, np.nan, whole)
    return np.asarray(part / safe, dtype=np.float64)


def auroc(scores: Array, positive: Array, weights: Array) -> Array:
    """Return P(score of a positive > of a negative) + ½ P(equal): the Mann–Whitney statistic.

    :param positive: 1 or 0, NaN for neither.
    """
    known = ~(np.isnan(positive) | np.isnan(scores))
    if not known.any():
        return np.full(len(weights), np.nan)
    groups = _Groups(scores[known], weights[:, known])
    yes = groups.sums(positive[known])
    no = groups.sums(1 - positive[known])
    below = np.cumsum(no, axis=1) - no
    wins = (yes * (below + no / 2)).sum(axis=1)
    return divide(wins, yes.sum(axis=1) * no.sum(axis=1))


def ece(scores: Array, right: Array, weights: Array) -> Array:
    """Return the expected calibration error: Σ over bins of |Σ right − Σ score| / Σ weights."""
    known = ~(np.isnan(right) | np.isnan(scores))
    held = weights[:, known]
    gap = right[known] - scores[known]
    member = bin_of(scores[known])[:, None] == np.arange(BINS)[None, :]
    gaps = np.abs(held @ (member * gap[:, None])).sum(axis=1)
    return divide(gaps, held.sum(axis=1))


def bin_of(scores: Array) -> npt.NDArray[np.int64]:
    """Return the bin of each score; 1 belongs to the last."""
    return np.minimum((scores * BINS).astype(np.int64), BINS - 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A risk–coverage curve, (rounds, points): what is answered first is what is surest.

    Questions of equal confidence are one point, since no order between them is better.
    """

    coverage: Array
    accuracy: Array
    weight: Array  # of the questions that each point adds

    def area(self) -> Array:
        """Return the area under the risk (AURC): the mean of 1 − accuracy over the questions."""
        risk = np.where(self.weight > 0, 1 - self.accuracy, 0.0)
        return divide((risk * self.weight).sum(axis=1), self.weight.sum(axis=1))

    def accuracy_at(self, coverage: float) -> Array:
        """Return the accuracy of the surest share; a tie at the border counts as a whole."""
        place = (self.coverage >= coverage - 1e-9).argmax(axis=1)
        return np.asarray(self.accuracy[np.arange(len(place)), place])

    def coverage_at(self, accuracy: float) -> Array:
        """Return the largest share of the questions whose answers are right this often."""
        reached = np.where(self.accuracy >= accuracy - 1e-9, self.coverage, 0.0)
        return np.where(np.isnan(self.coverage[:, -1]), np.nan, reached.max(axis=1))


def risk_coverage(scores: Array, right: Array, weights: Array) -> Curve:
    """Return the curve of the questions sorted by confidence (Geifman and El-Yaniv 2017).

    :param right: whether each question's answer is right; NaN leaves it out.
    """
    known = ~np.isnan(right)
    if not known.any():
        nothing = np.full((len(weights), 1), np.nan)
        return Curve(nothing, nothing, np.zeros_like(nothing))
    groups = _Groups(-scores[known], weights[:, known])
    weight, good = groups.sums(np.ones(int(known.sum()))), groups.sums(right[known])
    taken = np.cumsum(weight, axis=1)
    return Curve(divide(taken, taken[:, -1:]), divide(np.cumsum(good, axis=1), taken), weight)


class _Groups:
    """Questions sorted by a score, those of equal score together."""

    def __init__(self, scores: Array, weights: Array) -> None:
        order = np.argsort(scores, kind="stable")
        self._order, self._weights = order, weights[:, order]
        self._starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))

    def sums(self, values: Array) -> Array:
        """Return Σ weight · value of each group, (rounds, groups), lowest score first."""
        held = self._weights * values[self._order]
        return np.asarray(np.add.reduceat(held, self._starts, axis=1))
