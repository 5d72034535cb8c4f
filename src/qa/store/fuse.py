"""Dense and lexical scores → one score, by the sum of their z-scores over the candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from qa.store.layout import Numbers
from qa.store.scores import Scored, united

# Of the dense and of the lexical z-score.
WEIGHTS: Final = (1.0, 1.0)

# FTS5 scores words of half the sentences or more in millionths, and their order still counts.
_NO_SPREAD: Final = 1e-12


def fuse(
    dense: Scored,
    lexical: Scored,
    *,
    size: int,
    top_k: int,
    weights: tuple[float, float] = WEIGHTS,
) -> Scored:
    """Put the scores of both searches together.

    A row that only one search found gets the other's lowest score if that search was cut off at
    ``top_k``, since it may be anywhere below; else it shares no word with the question (0).

    :param dense: cosines, best first.
    :param lexical: BM25, best first.
    :param size: how many sentences were searched.
    :param top_k: how many each search was asked for.
    :param weights: of the dense and the lexical z-score.
    :return: fused scores of all rows, rising, that either search found.
    """
    rows = united([dense.rows, lexical.rows])
    lowest = float(dense.scores[-1]) if len(dense) and top_k < size else 0.0
    floor = float(lexical.scores[-1]) if len(lexical) == top_k < size else 0.0
    of_dense, of_lexical = weights
    fused = of_dense * _z(dense.spread(rows, lowest)) + of_lexical * _z(lexical.spread(rows, floor))
    return Scored(rows, fused)


def mean(scored: Sequence[Scored]) -> Scored:
    """Return the mean score of every row; one that a search lacks counts as its lowest there."""
    if len(scored) == 1:
        return scored[0]
    rows = united([one.rows for one in scored])
    lowest = [float(one.scores.min()) if len(one) else 0.0 for one in scored]
    spread = [one.spread(rows, floor) for one, floor in zip(scored, lowest, strict=True)]
    return Scored(rows, np.add.reduce(spread) / len(spread))


def _z(scores: Numbers) -> Numbers:
    if not len(scores):
        return scores
    apart = scores - scores.mean()
    deviation = math.sqrt((apart * apart).mean())
    return apart / deviation if deviation > _NO_SPREAD else np.zeros(len(scores))
