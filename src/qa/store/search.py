"""Both kinds of search on a store, each on exactly one commit of it.

A commit's vectors are those of the segments (files), without the rows that were deleted since,
and the tail: what is too new to be in a segment, read from SQLite. It knows nothing of how results
are fused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Final

import numpy as np

from qa.errors import IndexMismatch
from qa.store.faults import REEMBED
from qa.store.read import OF_ROWS, Reader
from qa.store.segments import Segment, load
from qa.store.vectors import Halves, Part, Rows, Vectors, View, exact_part
from qa.store.verify import problems

# Weight of a match in a sentence's context (title, sentence before) against one in the sentence.
_CONTEXT_WEIGHT: Final = 0.35
_SCOPE: Final = "AND rowid BETWEEN ? AND ?"
_IN_SPANS: Final = (
    "AND +rowid IN (SELECT row FROM json_each(?) AS span CROSS JOIN sentences ON row "
    "BETWEEN json_extract(span.value, '$[0]') AND json_extract(span.value, '$[1]'))"
)
_MATCH: Final = (
    f"SELECT rowid, -bm25(terms, 1.0, {_CONTEXT_WEIGHT}) AS score FROM terms WHERE terms MATCH ?"
)
# FTS5's own: of a stem that half of the sentences have, or more.
_COMMONEST: Final = 1e-6
_MATCHES: Final = 20_000
_WORDS: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.words USING fts5vocab ('main', 'terms', 'row')"
)
_COUNTS: Final = "SELECT term, doc FROM json_each(?) CROSS JOIN temp.words ON term = value"
_SIZE: Final = "SELECT coalesce(sum(findable), 0) FROM documents"
_SEGMENTS: Final = (
    "SELECT first, last, name, exact, vectors, size, sha256 FROM segments ORDER BY first"
)


class Searcher(Reader):
    """An index folder as searches see it."""

    def __init__(self, folder: Path, wait_s: float) -> None:
        super().__init__(folder, wait_s)
        self._newest: tuple[int, View] | None = None
        self._parts: dict[str, Part] = {}
        self._tail: tuple[Rows, Halves] | None = None
        # The encoder that searches and its dimension; None: whichever the index is for.
        self._made_for: tuple[str, int] | None = None

    def size(self, documents: Collection[str] | None = None) -> int:
        """Return how many sentences can be found, in some documents or in all."""
        if documents is None:
            return self._hold("size", "", lambda: int(self._db.run(_SIZE)[0][0]))
        spans = self._spans()
        return sum(spans[one].findable for one in set(documents) & spans.keys())

    def search_dense(
        self, vector: Vectors, top_k: int, documents: Collection[str] | None = None
    ) -> list[tuple[int, float]]:
        """Search by vector.

        :param vector: (dim,) float32 of length 1.
        :param top_k: how many; at least :meth:`size` gives the score of every sentence.
        :param documents: ids to search; None searches all.
        :return: (row, cosine), best first.
        """
        with self.reading():
            spans = self._asked(documents)
            within = None
            if spans is not None:
                within = np.concatenate(
                    [np.empty(0, np.int64), *(np.arange(a, b + 1) for a, b in spans)]
                )
            return self._view().search(vector, top_k, within, self._exactly)

    def search_lexical(
        self, stems: Collection[str], top_k: int, documents: Collection[str] | None = None
    ) -> list[tuple[int, float]]:
        """Return the sentences that share stems as (row, BM25 score), best first, higher better.

        How rare a stem is counts in the documents asked. Where the stems stand in very many
        sentences, the rarest of them are searched for.
        """
        if not stems:
            return []
        with self.reading():
            spans = self._asked(documents)
            # Sorted, since the score is a sum of floats and must not depend on the order of a set.
            rare = sorted(self._rare(set(stems), spans))
            if spans is not None:
                return self._search_words_in(spans, rare, top_k, self.size(documents))
            match = " OR ".join(f'"{stem}"' for stem in rare)
            return self._db.run(f"{_MATCH} ORDER BY score DESC, rowid LIMIT ?", match, top_k)

    def _search_words_in(
        self, spans: list[tuple[int, int]], stems: list[str], top_k: int, size: int
    ) -> list[tuple[int, float]]:
        """Search the spans, which hold ``size`` sentences.

        FTS5 weighs a stem by its rarity in the whole store: each is searched for by itself, and the
        weight replaced.
        """
        one = len(spans) == 1
        within = _SCOPE if one else _IN_SPANS
        values: tuple[object, ...] = spans[0] if one else (json.dumps(spans),)
        counts = self._counts(stems)
        scores: dict[int, float] = {}
        for stem in stems:
            found = self._db.run(f"{_MATCH} {within}", f'"{stem}"', *values)
            if found:
                weight = _rarity(len(found), size) / _rarity(counts.get(stem, 0), self.size())
                for row, score in found:
                    scores[row] = scores.get(row, 0.0) + weight * score
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:top_k]

    def _counts(self, stems: Collection[str]) -> dict[str, int]:
        """Return in how many sentences of the store each stem stands; none is left out."""
        self._db.run(_WORDS)
        return dict(self._db.run(_COUNTS, json.dumps(sorted(stems))))

    def _rare(self, stems: Collection[str], spans: list[tuple[int, int]] | None) -> list[str]:
        """Return the rarest stems that stand in `_MATCHES` sentences together, one at least.

        Scoring a sentence takes a microsecond or two: a million of them would take seconds. In one
        span all of them are, since nothing outside is looked at.
        """
        looked_at = spans[0][1] - spans[0][0] if spans and len(spans) == 1 else self.size()
        if looked_at <= _MATCHES:
            return list(stems)
        counted = self._counts(stems)
        kept: list[str] = []
        matches = 0
        for count, stem in sorted((count, stem) for stem, count in counted.items()):
            matches += count
            if kept and matches > _MATCHES:
                break
            kept.append(stem)
        return kept or list(stems)

    def _asked(self, documents: Collection[str] | None) -> list[tuple[int, int]] | None:
        """Return the first and last rows of some documents, rising; None when it is all of them."""
        if documents is None:
            return None
        spans, wanted = self._spans(), set(documents)
        if len(wanted) >= len(spans) and wanted >= spans.keys():
            return None
        found = (span for document_id, span in spans.items() if document_id in wanted)
        return [(span.first, span.first + span.count - 1) for span in found if span.count]

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
        tail = self._read_tail(segments[-1].last if segments else 0)
        spans = self._db.run("SELECT first, last FROM dead ORDER BY first")
        dead = [np.empty(0, np.int64), *(np.arange(a, b + 1) for a, b in spans)]
        return View.of([*parts, tail], np.concatenate(dead))

    def _segments(self) -> list[Segment]:
        return [Segment(*row) for row in self._db.run(_SEGMENTS)]

    def _part(self, segment: Segment) -> Part:
        """Return a segment's vectors from its file, or from SQLite where that is not whole."""
        part = self._parts.get(segment.sha256)
        if part is None:
            part = load(self.folder, segment) or self._part_between(segment.first, segment.last)
            with self._lock:
                self._parts[segment.sha256] = part
        return part

    def _part_between(self, first: int, last: int) -> Part:
        return exact_part(*self._exact_vectors("row BETWEEN ? AND ?", first, last))

    def _read_tail(self, sealed: int) -> Part:
        """Return the vectors that no segment holds; those read before are not read again."""
        found = self._db.run("SELECT row FROM vectors WHERE row > ? ORDER BY row", sealed)
        rows = np.array([row for (row,) in found], dtype=np.int64)
        before, halves = self._tail or (rows[:0], None)
        kept = np.isin(before, rows, assume_unique=True)
        fresh = rows[rows > before[-1]] if len(before) else rows
        if halves is None or not kept.any() or kept.sum() + len(fresh) < len(rows):
            rows, halves = self._exact_vectors("row > ?", sealed)
        elif len(fresh):
            added = self._exact_vectors("row >= ?", int(fresh[0]))[1]
            halves = np.concatenate([halves[kept], added])
        else:
            halves = halves[kept]
        if not self._db.is_writing:  # what is not committed may be undone, and its rows reused
            self._tail = (rows, halves)
        return exact_part(rows, halves)

    def _exactly(self, rows: Rows) -> Part:
        return exact_part(*self._exact_vectors(OF_ROWS, json.dumps(rows.tolist())))

    def check(self, *, deep: bool = False) -> list[str]:
        """Return what is wrong with the index, one sentence each; ``deep`` reads everything."""
        with self.reading():
            return problems(self._db, self.folder, self._segments(), deep=deep)


def _rarity(count: int, size: int) -> float:
    """Return BM25's weight of a stem that ``count`` of ``size`` sentences have, as FTS5 has it."""
    weight = math.log((max(size - count, 0) + 0.5) / (count + 0.5))
    return weight if weight > 0 else _COMMONEST
