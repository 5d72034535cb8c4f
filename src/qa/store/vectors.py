"""Parts of a store's vectors in FAISS for searching.

An exact part scores the very numbers that SQLite has; a coarse part keeps 4 bits for every two of
them and only proposes candidates, which an exact part then scores. It knows nothing of files or
SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qa.store.blocks import Halves, Vectors
from qa.store.layout import NO_ROWS, Mask, Rows
from qa.store.scores import NO_SCORES, Scored

if TYPE_CHECKING:
    import faiss

# Equal texts have equal cosines whatever else is searched: float32 noise is below this.
_DECIMALS: Final = 6
# 2048 vectors and 6 rounds train as well as twice of each (docs/decisions/0009).
_TRAINED_ON, _ROUNDS = 2048, 6
# Two bits a dimension tell neighbours apart only roughly: at least so many are scored exactly, and
# at least twice as many as are wanted. Twenty of a million found .77 of the ten best.
_FEWEST_PROPOSED: Final = 400
# Below this share of a coarse part every wanted vector is a candidate, whatever its cosine.
_FEW: Final = 8
_CERTAIN: Final = np.inf


@dataclass(frozen=True, slots=True)
class Part:
    """An immutable set of vectors under (n,) rising row numbers."""

    rows: Rows
    index: faiss.Index
    exact: bool

    def __len__(self) -> int:
        return len(self.rows)

    def mask(self, wanted: Rows) -> Mask:
        """Return which of the part's rows are in ``wanted`` (rising)."""
        found = wanted[slice(*np.searchsorted(wanted, [self.rows[0], self.rows[-1] + 1]))]
        if len(found) == len(self) and np.array_equal(found, self.rows):
            return np.ones(len(self), dtype=np.bool_)
        return np.isin(self.rows, found, assume_unique=True)

    def left(self, alive: Rows) -> Mask | None:
        """Return which of the part's rows are still there; None: all of them."""
        mask = self.mask(alive)
        return None if mask.all() else mask

    def search(self, query: Vectors, top_k: int, mask: Mask | None) -> Scored:
        """Return rows and cosines of the best: exact ones, or a coarse part's candidates.

        :param query: (1, dim) float32 of length 1.
        :param top_k: how many.
        :param mask: which rows count; None: all.
        :return: float32 scores.
        """
        if self.exact:
            return self._found(query, min(top_k, len(self)), _only(mask))
        if mask is None:
            return self._found(query, min(top_k, len(self)), None)
        allowed = int(mask.sum())
        if allowed * _FEW < len(self):
            return Scored(self.rows[mask], np.full(allowed, _CERTAIN, dtype=np.float32))
        asked = min(2 * top_k, len(self))
        while True:  # FAISS cannot leave rows out of such a search
            places, cosines = self._places(query, asked, None)
            kept = mask[places]
            if kept.sum() >= min(top_k, allowed) or asked == len(self):
                return Scored(self.rows[places[kept]][:top_k], cosines[kept][:top_k])
            asked = min(4 * asked, len(self))

    def _found(self, query: Vectors, top_k: int, only: faiss.SearchParameters | None) -> Scored:
        places, cosines = self._places(query, top_k, only)
        return Scored(self.rows[places], cosines)

    def _places(
        self, query: Vectors, top_k: int, only: faiss.SearchParameters | None
    ) -> tuple[Rows, npt.NDArray[np.float32]]:
        import faiss

        # One question is one thread's work; more threads only wait for each other (9 ms against 1).
        faiss.omp_set_num_threads(1)
        if top_k <= 0:
            return NO_ROWS, np.empty(0, np.float32)
        cosines, places = self.index.search(query, top_k, params=only)
        found = places[0] >= 0
        return places[0][found], cosines[0][found]


def exact_part(rows: Rows, dim: int, pieces: Iterable[Halves]) -> Part:
    """Make a part that scores vectors exactly.

    :param rows: (n,) rising.
    :param dim: of the vectors.
    :param pieces: (k, dim) float16 arrays of n vectors together; one is in memory at a time.
    """
    import faiss

    kind = faiss.ScalarQuantizer.QT_fp16
    index: Any = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
    index.codes.resize(len(rows) * 2 * dim)
    codes = faiss.rev_swig_ptr(index.codes.data(), len(rows) * 2 * dim).view("<f2")
    at = 0
    for piece in pieces:
        codes[at : at + piece.size] = piece.ravel()
        at += piece.size
    index.ntotal = len(rows)
    return Part(rows, index, exact=True)


def coarse_part(part: Part) -> Part:
    """Make a part that proposes candidates from two bits a dimension, of an exact one."""
    import faiss

    codes: Any = part.index
    dim = codes.d
    pairs = dim // 2 if dim % 2 == 0 else dim
    index: Any = faiss.index_factory(dim, f"PQ{pairs}x4fs", faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.niter = _ROUNDS
    vectors = faiss.vector_to_array(codes.codes).view("<f2").reshape(-1, dim)
    vectors = vectors.astype(np.float32)
    spread = np.linspace(0, len(part) - 1, min(_TRAINED_ON, len(part)), dtype=np.int64)
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    index.train(vectors[spread])
    index.add(vectors)
    return Part(part.rows, index, exact=False)


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the parts found for a query: exact scores, and the rows of candidates."""

    query: Vectors
    scored: Sequence[Scored]
    candidates: Sequence[Rows]


@dataclass(frozen=True, slots=True)
class View:
    """All vectors of one commit: parts, and which of their rows are left (None: all)."""

    parts: tuple[tuple[Part, Mask | None], ...]

    @classmethod
    def of(cls, parts: Iterable[Part], alive: Rows) -> View:
        """Put parts together, without their rows that are not in ``alive`` (rising)."""
        return cls(tuple((part, part.left(alive)) for part in parts if len(part)))

    def search(
        self,
        vector: Vectors,
        top_k: int,
        within: Rows | None,
        exactly: Callable[[Rows], Part],
    ) -> Scored:
        """Return the ``top_k`` best, best first.

        :param vector: (dim,) float32 of length 1.
        :param top_k: how many.
        :param within: (n,) rising rows to search; None searches all.
        :param exactly: gives an exact part of the rows that a coarse part proposed.
        :return: exact cosines.
        """
        return self.settle(self.propose(vector, top_k, within), top_k, exactly)

    def propose(self, vector: Vectors, top_k: int, within: Rows | None) -> Proposals:
        """Return what :meth:`settle` takes: the part of a search that reads no database."""
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        scored: list[Scored] = []
        proposed: list[Scored] = []
        count = max(2 * top_k, _FEWEST_PROPOSED)
        for part, alive in self.parts:
            mask = alive if within is None else part.mask(within)
            if mask is None or mask.any():
                found = part.search(query, top_k if part.exact else count, mask)
                (scored if part.exact else proposed).append(found)
        return Proposals(query, scored, _leading(proposed, count))

    def settle(self, proposals: Proposals, top_k: int, exactly: Callable[[Rows], Part]) -> Scored:
        """Score the candidates exactly and return the ``top_k`` best cosines, best first."""
        scored = list(proposals.scored)
        if proposals.candidates:
            rows = np.sort(np.concatenate(proposals.candidates))
            scored.append(exactly(rows).search(proposals.query, top_k, None))
        return _best(scored, top_k)


def _leading(proposed: Sequence[Scored], count: int) -> list[Rows]:
    """Return the rows that are certain candidates, and of the others the ``count`` best."""
    if not proposed:
        return []
    rows = np.concatenate([found.rows for found in proposed])
    scores = np.concatenate([found.scores for found in proposed])
    certain = scores == _CERTAIN
    others = Scored(rows[~certain], scores[~certain]).best(count)
    kept = np.concatenate([rows[certain], others.rows])
    return [kept] if len(kept) else []


def _best(scored: Sequence[Scored], top_k: int) -> Scored:
    if not scored:
        return NO_SCORES
    rows = np.concatenate([found.rows for found in scored])
    cosines = np.concatenate([found.scores for found in scored]).astype(np.float64)
    return Scored(rows, cosines.round(_DECIMALS)).best(top_k)


def _only(mask: Mask | None) -> faiss.SearchParameters | None:
    if mask is None:
        return None
    import faiss

    bits = np.packbits(mask, bitorder="little")
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg, arg-type]
