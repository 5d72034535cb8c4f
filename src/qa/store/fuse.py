"""Dense and lexical scores → one score, by the sum of their z-scores over the candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

# Of the dense and of the lexical z-score.
WEIGHTS: Final = (1.0, 1.0)

# FTS5 scores words of half the sentences or more in millionths, and their order still counts.
_NO_SPREAD: Final = 1e-12

Scored = Sequence[tuple[int, float]]


def fuse(
    dense: Scored,
    lexical: Scored,
    *,
    size: int,
    top_k: int,
    weights: tuple[float, float] = WEIGHTS,
) -> dict[int, float]:
    """Put the scores of both searches together.

    A row that only one search found gets the other's lowest score if that search was cut off at
    ``top_k``, since it may be anywhere below; else it shares no word with the question (0).

    :param dense: (row, cosine), best first.
    :param lexical: (row, BM25), best first.
    :param size: how many sentences were searched.
    :param top_k: how many each search was asked for.
    :param weights: of the dense and the lexical z-score.
    :return: row → fused score, higher better, for every row that either search found.
    """
    rows = sorted({row for row, _ in dense} | {row for row, _ in lexical})
    if not rows:
        return {}
    lowest = dense[-1][1] if dense and top_k < size else 0.0
    floor = lexical[-1][1] if len(lexical) == top_k < size else 0.0
    of_dense, of_lexical = weights
    fused = of_dense * _z(rows, dict(dense), lowest) + of_lexical * _z(rows, dict(lexical), floor)
    return dict(zip(rows, fused.tolist(), strict=True))


def _z(rows: list[int], scores: dict[int, float], missing: float) -> npt.NDArray[np.float64]:
    values = np.array([scores.get(row, missing) for row in rows])
    spread = values.std()
    return (values - values.mean()) / spread if spread > _NO_SPREAD else np.zeros(len(rows))
