"""Both kinds of search on a store, each on exactly one commit of it.

The vectors of a commit are in parts: coarse ones from the files of a large store, and exact ones,
held in memory, of what no file has. Those that are gone since a part was made are left out of it.
It knows nothing of how results are fused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from qa.errors import IndexMismatch
from qa.store import fulltext, sums, terms
from qa.store.blocks import Vectors
from qa.store.contents import vectors_of
from qa.store.faults import REEMBED
from qa.store.layout import NO_ROWS, Layout, Mask, Rows
from qa.store.read import Reader
from qa.store.scores import NO_SCORES, Scored
from qa.store.segments import Segment, load
from qa.store.vectors import Part, View, exact_part
from qa.store.verify import problems

# Of all stems asked for: a match takes .3 µs, a million of them would take a third of a second.
_MATCHES: Final = 200_000
_SEGMENTS: Final = "SELECT first, last, name, vectors, size, sha256 FROM segments ORDER BY first"
_SEGMENT: Final = (int, int, str, int, int, str)
# In smaller stores a second thread costs more than it saves.
_TOGETHER: Final = 20_000
# Vectors in one exact part; the last one is made anew with what is new while it is smaller than
# this share of that.
_PART_ROWS: Final = 32_768
_GROWING: Final = 8


class Searcher(Reader):
    """An index folder as searches see it."""

    def __init__(self, folder: Path, wait_s: float) -> None:
        super().__init__(folder, wait_s)
        self._newest: tuple[int, View] | None = None
        self._parts: dict[str, Part] = {}
        self._exact: tuple[Part, ...] = ()
        # The encoder that searches and its dimension; None: whichever the index is for.
        self._made_for: tuple[str, int] | None = None
        # Whether the search terms were compared with their sum since this was opened.
        self._terms_compared = False

    def size(self, documents: Collection[str] | None = None) -> int:
        """Return how many sentences can be found, in some documents or in all."""
        layout = self._layout()
        mask = _mask(layout, documents)
        return layout.size if mask is None else layout.size_of(mask)

    def search_dense(
        self, vector: Vectors, top_k: int, documents: Collection[str] | None = None
    ) -> Scored:
        """Search by vector.

        :param vector: (dim,) float32 of length 1.
        :param top_k: how many; at least :meth:`size` gives the score of every sentence.
        :param documents: ids to search; None searches all.
        :return: cosines, best first.
        """
        with self.reading():
            return self._view().search(vector, top_k, self._within(documents), self._exactly)

    def search(
        self,
        vector: Vectors,
        stems: Collection[str],
        top_k: int,
        documents: Collection[str] | None = None,
    ) -> tuple[Scored, Scored]:
        """Return what :meth:`search_dense` and :meth:`search_lexical` do, both of one commit.

        In a large store they run at the same time: FAISS and SQLite leave Python to others.
        """
        with self.reading():
            if self.size() < _TOGETHER:
                dense = self.search_dense(vector, top_k, documents)
                return dense, self.search_lexical(stems, top_k, documents)
            view = self._view()
            asked = self._helper.submit(view.propose, vector, top_k, self._within(documents))
            lexical = self.search_lexical(stems, top_k, documents)
            return view.settle(asked.result(), top_k, self._exactly), lexical

    @cached_property
    def _helper(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(2, thread_name_prefix="qa-search")

    def close(self) -> None:
        """Close all connections; calling it twice is fine."""
        if "_helper" in self.__dict__:
            self._helper.shutdown()
        super().close()

    def _within(self, documents: Collection[str] | None) -> Rows | None:
        """Return the rows of the documents that can be found; None when it is all."""
        layout = self._layout()
        mask = _mask(layout, documents)
        return None if mask is None else layout.rows_at(np.flatnonzero(mask & (layout.words > 0)))

    def search_lexical(
        self, stems: Collection[str], top_k: int, documents: Collection[str] | None = None
    ) -> Scored:
        """Return the BM25 scores of the sentences that share stems, best first.

        How rare a stem is counts in the documents asked. Where the stems stand in very many
        sentences, the rarest of them are searched for.
        """
        with self.reading():
            self._compare_terms()
            layout = self._layout()
            mask = _mask(layout, documents)
            first, last, looked_at = 0, fulltext.LAST_ROW, layout.size
            if mask is not None:
                places = np.flatnonzero(mask)
                if not len(places):
                    return NO_SCORES
                first, last = layout.rows_at(places[[0, -1]]).tolist()
                looked_at = last - first + 1

            def rows_of(asked: Sequence[str]) -> list[Rows]:
                return fulltext.rows_of(self._db, asked, first, last)

            wanted = self._rare(set(stems)) if looked_at > _MATCHES else stems
            return terms.score(wanted, layout, rows_of, top_k, mask)

    def _compare_terms(self) -> None:
        if not self._terms_compared:
            if not sums.terms_are_whole(self._db):
                raise self._damaged("search terms", "some are missing or changed")
            self._terms_compared = True

    def _rare(self, stems: Collection[str]) -> list[str]:
        """Return the rarest stems that stand in `_MATCHES` sentences together, one at least."""
        asked = [term for stem in stems for term in (stem, terms.HEAD + stem)]
        counted: Counter[str] = Counter()
        for term, count in fulltext.counts(self._db, asked).items():
            counted[term.removeprefix(terms.HEAD)] += count
        kept: list[str] = []
        matches = 0
        for count, stem in sorted((count, stem) for stem, count in counted.items()):
            matches += count
            if kept and matches > _MATCHES:
                break
            kept.append(stem)
        return kept or list(stems)

    def _view(self) -> View:
        """Return the vectors of the commit that this thread sees."""
        if self._db.is_writing:
            return self._read_view()
        generation = self.generation
        with self._lock:
            if self._newest and self._newest[0] == generation:
                return self._newest[1]
        view = self._read_view()
        with self._lock:
            if self._newest is None or self._newest[0] < generation:
                self._newest = (generation, view)
        return view

    def _check_encoder(self) -> None:
        made = self.manifest
        if self._made_for not in (None, (made.encoder_id, made.dim)):
            encoder_id, dim = self._made_for
            raise IndexMismatch(
                f"the index in {str(self.folder)!r} was made with the encoder "
                f"{made.encoder_id!r} ({made.dim} dimensions), not {encoder_id!r} ({dim} "
                f"dimensions): {REEMBED}, or set the encoder back"
            )

    def _read_view(self) -> View:
        self._check_encoder()  # another program may have changed it
        segments = self._segments()
        parts = [self._part(segment) for segment in segments]
        rows = self._layout().rows
        return View.of([*parts, *self._exact_parts(_outside(rows, segments))], rows)

    def _segments(self) -> list[Segment]:
        found = self._db.run(_SEGMENTS)
        # Of a damaged row nothing is used: the vectors are in SQLite, too.
        return [Segment(*row) for row in found if tuple(map(type, row)) == _SEGMENT]

    def _part(self, segment: Segment) -> Part:
        """Return a segment's vectors from its file, or from SQLite where that is not whole."""
        part = self._parts.get(segment.sha256)
        if part is None:
            part = load(self.folder, segment) or self._part_between(segment.first, segment.last)
            with self._lock:
                self._parts[segment.sha256] = part
        return part

    def _part_between(self, first: int, last: int) -> Part:
        """Return the vectors of a span of whole documents, as SQLite has them."""
        found = self._layout().rows
        rows = found[slice(*np.searchsorted(found, [first, last + 1]))]
        pieces = vectors_of(self._db, first, last, self._dim, len(rows))
        try:
            return exact_part(rows, self._dim, pieces)
        except ValueError as error:
            raise self._harmed(rows) from error

    def _exact_parts(self, rows: Rows) -> tuple[Part, ...]:
        """Return exact parts that have all of the rows; what was read before is not read again."""
        kept: list[Part] = []
        for part in self._exact:
            mask = part.mask(rows)
            if 2 * mask.sum() >= len(part) > _PART_ROWS // _GROWING:
                kept.append(part)
        before = np.sort(np.concatenate([NO_ROWS, *(part.rows for part in kept)]))
        missing = rows[~np.isin(rows, before, assume_unique=True)] if len(before) else rows
        parts = (*kept, *self._read_parts(missing))
        if not self._db.is_writing:  # what is not committed may be undone, and its rows used again
            self._exact = parts
        return parts

    def _read_parts(self, rows: Rows) -> list[Part]:
        """Return exact parts of rows; those of neighbouring documents are read at one go."""
        layout = self._layout()
        if not layout.is_run(rows):
            pieces = (rows[at : at + _PART_ROWS] for at in range(0, len(rows), _PART_ROWS))
            return [self._exactly(piece) for piece in pieces]
        firsts = np.unique(layout.ordinals(rows[::_PART_ROWS])[0]).tolist()
        ends = [*(first - 1 for first in firsts[1:]), int(rows[-1])]
        return [self._part_between(*span) for span in zip(firsts, ends, strict=True)]

    def _exactly(self, rows: Rows) -> Part:
        return exact_part(rows, self._dim, [self._vectors(rows)])

    def check(self, *, deep: bool = False) -> list[str]:
        """Return what is wrong with the index, one sentence each; ``deep`` reads everything."""
        with self.reading():
            return problems(self._db, self.folder, self._segments(), deep=deep)


def _mask(layout: Layout, documents: Collection[str] | None) -> Mask | None:
    """Return which places are of the documents; None when it is all of them."""
    spans = None if documents is None else layout.asked(documents)
    return None if spans is None else layout.mask(spans)


def _outside(rows: Rows, segments: Sequence[Segment]) -> Rows:
    """Return the rows, rising, that are in none of the segments."""
    kept, at = [NO_ROWS], 0
    for segment in segments:
        first, last = np.searchsorted(rows, [segment.first, segment.last + 1]).tolist()
        kept.append(rows[at:first])
        at = last
    return np.concatenate([*kept, rows[at:]])
