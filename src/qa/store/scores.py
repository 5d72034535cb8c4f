"""What a search found: rows with their scores, as arrays from end to end.

It knows nothing of what is scored, or how.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qa.store.layout import NO_ROWS, Mask, Numbers, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """(n,) rows, each once, and their (n,) scores, higher better; iterated, pairs of both."""

    rows: Rows
    scores: npt.NDArray[np.floating]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        """Return (row, score) of each."""
        return zip(self.rows.tolist(), self.scores.tolist(), strict=True)

    def spread(self, rows: Rows, missing: float) -> Numbers:
        """Return the scores of (m,) rising rows, ours among them; the others have ``missing``."""
        scores = np.full(len(rows), missing)
        scores[rows.searchsorted(self.rows)] = self.scores
        return scores

    def at(self, rows: Sequence[int]) -> list[float]:
        """Return the scores of a few rows, 0 for those that are not here."""
        found: list[float] = ((self.rows == np.array(rows)[:, None]) @ self.scores).tolist()
        return found

    def leading(self, top_k: int, slack: float = 0.0) -> Scored:
        """Return, in our order, what is not worse than the ``top_k``-th best by over ``slack``."""
        if not 0 < top_k < len(self):
            return self
        kept = self.scores >= np.partition(self.scores, -top_k)[-top_k] - slack
        return Scored(self.rows[kept], self.scores[kept])

    def best(self, top_k: int) -> Scored:
        """Return the ``top_k`` best, best first; equal ones are in the order of their rows."""
        leading = self.leading(top_k)
        order = np.lexsort((leading.rows, -leading.scores))[: max(top_k, 0)]
        return Scored(leading.rows[order], leading.scores[order])


def firsts(keys: Rows) -> Mask:
    """Return which of (n,) rising keys are not the same as the one before."""
    new = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    return new


def united(found: Sequence[Rows]) -> Rows:
    """Return all rows, rising, each once; NumPy's ``unique`` hashes them, which takes longer."""
    rows = np.sort(np.concatenate(found))
    return rows[firsts(rows)]


NO_SCORES: Final = Scored(NO_ROWS, np.empty(0))
