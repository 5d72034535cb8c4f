"""How sure a figure is: bootstrap intervals and paired tests, whole documents at a time.

Questions on one document stand or fall together, so documents are what is drawn (Efron and
Tibshirani 1993, cluster bootstrap). Two runs are compared on the same questions: the interval of
the difference by the same draws for both, the p-value by swapping the two runs' answers document by
document (permutation test, two-sided). Everything is seeded.

Example: ``interval(lambda w: mean(values, w), documents)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qa_eval.weighted import Array, Columns

ROUNDS = 10_000
# Up to so many documents every way of swapping is tried instead of drawing some.
_TRY_ALL = 12
# Weights of so many questions are held at a time: 16 MB an array.
_HELD = 2_000_000

Statistic = Callable[[Array], Array]
Measure = Callable[[Columns, Array], Array]
Counted = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, its 95 % interval where one is known, and of how many questions."""

    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two runs on the same questions: both values, the second minus the first, and p.

    One document shows no interval.
    """

    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float


def interval(
    statistic: Statistic,
    documents: Sequence[str],
    counted: Counted | None = None,
    *,
    rounds: int = ROUNDS,
    seed: int = 1,
) -> tuple[float, float | None, float | None]:
    """Return a statistic's value and its 95 % bootstrap interval, if it is of several documents.

    :param documents: the document of each question.
    :param counted: for each question, whether the statistic is of it; None: of all.
    """
    value = float(statistic(np.ones((1, len(documents))))[0])
    if _of_one(documents, counted):
        return value, None, None
    drawn = np.concatenate([statistic(w) for w in _draws(documents, rounds, seed)])
    return value, *_middle(drawn)


def difference(
    measure: Measure,
    first: Columns,
    second: Columns,
    documents: Sequence[str],
    counted: Counted | None = None,
    *,
    rounds: int = ROUNDS,
    seed: int = 1,
) -> Difference:
    """Compare a measure of two runs whose columns hold the same questions in the same order.

    :param counted: as for :func:`interval`.
    """
    ones = np.ones((1, len(documents)))
    a, b = float(measure(first, ones)[0]), float(measure(second, ones)[0])
    _, low, high = interval(
        lambda w: measure(second, w) - measure(first, w),
        documents,
        counted,
        rounds=rounds,
        seed=seed,
    )
    both = first.beside(second)
    swapped = np.concatenate(
        [
            measure(both, np.hstack([s, 1 - s])) - measure(both, np.hstack([1 - s, s]))
            for s in _swaps(documents, rounds, seed)
        ]
    )
    known = swapped[~np.isnan(swapped)]
    as_large = np.abs(known) >= abs(b - a) - 1e-12
    # What was seen is one of the ways; drawn ones do not hold it, all of them do.
    seen = 0 if _tries_all(documents) else 1
    p = (as_large.sum() + seen) / (len(known) + seen) if len(known) + seen else float("nan")
    return Difference(a, b, b - a, low, high, float(p))


def _of_one(documents: Sequence[str], counted: Counted | None) -> bool:
    """Tell whether the questions are of fewer than two documents."""
    kept = documents if counted is None else itertools.compress(documents, counted)
    return len(set(kept)) < 2


def _middle(drawn: Array) -> tuple[float, float]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _places(documents: Sequence[str]) -> tuple[int, np.ndarray]:
    names, places = np.unique(np.array(documents, dtype=object).astype(str), return_inverse=True)
    return len(names), places


def _chunks(rounds: int, size: int) -> Iterator[int]:
    step = max(1, _HELD // max(1, size))
    while rounds > 0:
        yield min(step, rounds)
        rounds -= step


def _draws(documents: Sequence[str], rounds: int, seed: int) -> Iterator[Array]:
    """Yield the weights of draws with replacement: how often each question's document came."""
    count, places = _places(documents)
    draw = np.random.default_rng(seed)
    for size in _chunks(rounds, len(documents)):
        times = draw.multinomial(count, np.full(count, 1 / count), size=size)
        yield times[:, places].astype(np.float64)


def _tries_all(documents: Sequence[str]) -> bool:
    return len(set(documents)) <= _TRY_ALL


def _swaps(documents: Sequence[str], rounds: int, seed: int) -> Iterator[Array]:
    """Yield, for each way of swapping, 1 where a question's answers change sides."""
    count, places = _places(documents)
    if _tries_all(documents):
        ways = np.array(list(itertools.product((0.0, 1.0), repeat=count)))
        yield ways[:, places]
        return
    draw = np.random.default_rng(seed)
    for size in _chunks(rounds, 2 * len(documents)):
        yield draw.integers(0, 2, size=(size, count)).astype(np.float64)[:, places]
