"""Where the sentences of one commit are: documents, rows, and what searches need to know of each.

Rows are numbers that are never used twice; places count the sentences that are there, headings too,
from 0. It knows nothing of SQLite.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from qa.store.places import LINKED, MOST_WORDS, Words, opened

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

NO_ROWS: Final[Rows] = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Layout:
    """The sentences of a commit: ``firsts`` (rising) and ``owners`` of (n,) documents.

    ``bases``: (n + 1,) the place of each document's first sentence, and the number of all;
    ``words``: of every place (`qa.store.places`).
    """

    firsts: Rows
    owners: tuple[str, ...]
    bases: Rows
    words: Words

    @classmethod
    def of(cls, found: Sequence[tuple[int, str, bytes]]) -> Layout:
        """Put the rows (first, document, words) of SQLite together.

        :raises ValueError: a document's words are not what was written; the argument is its id.
        """
        contents = []
        for first, document_id, content in found:
            try:
                contents.append(opened(content, f"{first} {document_id}"))
            except ValueError as error:
                raise ValueError(document_id) from error
        counts = [len(content) // 2 for content in contents]
        return cls(
            np.array([first for first, *_ in found], dtype=np.int64),
            tuple(document_id for _, document_id, _ in found),
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64),
            np.frombuffer(b"".join(contents), dtype="<u2"),
        )

    @cached_property
    def rows(self) -> Rows:
        """The rows of the sentences that can be found, rising."""
        return self.rows_at(np.flatnonzero(self.words))

    @cached_property
    def size(self) -> int:
        """How many sentences can be found."""
        return int(np.count_nonzero(self.words))

    @cached_property
    def mean_words(self) -> float:
        """How many stems a sentence that can be found and its context have on average."""
        total = int((self.words & MOST_WORDS).sum(dtype=np.int64)) - self.size
        return max(total, 1) / max(self.size, 1)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {document_id: number for number, document_id in enumerate(self.owners)}

    def __contains__(self, document_id: object) -> bool:
        """Return whether a document is there."""
        return document_id in self._numbers

    def span(self, document_id: str) -> tuple[int, int]:
        """Return a document's first row and how many it has."""
        number = self._numbers[document_id]
        return int(self.firsts[number]), int(self.bases[number + 1] - self.bases[number])

    @cached_property
    def _shifts(self) -> Rows:
        return self.bases[:-1] - self.firsts

    def _found(self, rows: Rows) -> tuple[Rows, Rows, Mask]:
        """Return of (n,) rows the documents' numbers, the places, and which rows are there."""
        if not len(self.words):
            return np.zeros_like(rows), np.zeros_like(rows), np.zeros(len(rows), dtype=np.bool_)
        numbers = self.firsts.searchsorted(rows, side="right") - 1
        places = rows + self._shifts[numbers]
        there = (numbers >= 0) & (places < self.bases[numbers + 1])
        return numbers, places * there, there

    def owned(self, rows: Collection[int]) -> list[tuple[int, str, int]]:
        """Return (row, document, the sentence's number in it) of the rows that are there."""
        asked = np.fromiter(rows, np.int64, len(rows))
        numbers, places, there = self._found(asked)
        found = np.column_stack([asked, numbers, places - self.bases[numbers]])[there]
        return [(row, self.owners[number], at) for row, number, at in found.tolist()]

    def located(self, rows: Rows) -> tuple[Rows, Mask]:
        """Return the places of (n,) rows, and which of the rows are there and can be found."""
        _, places, there = self._found(rows)
        if len(self.words):
            there &= self.words[places] > 0
        return places, there

    def places(self, rows: Rows) -> Rows:
        """Return the places of (n,) rows, without those that are gone or cannot be found."""
        places, there = self.located(rows)
        return places[there]

    @cached_property
    def leads(self) -> Mask:
        """Which places have the one after them read in their context."""
        return np.append(self.words[1:] >= LINKED, False)

    def rows_at(self, places: Rows) -> Rows:
        """Return the rows of (n,) places."""
        numbers = np.searchsorted(self.bases, places, side="right") - 1
        rows: Rows = self.firsts[numbers] + (places - self.bases[numbers])
        return rows

    def asked(self, documents: Collection[str]) -> list[tuple[int, int]] | None:
        """Return the first and last places of some documents, rising; None when it is all."""
        numbers = sorted({self._numbers[one] for one in documents if one in self._numbers})
        if len(numbers) == len(self.owners):
            return None
        spans = [(int(self.bases[one]), int(self.bases[one + 1]) - 1) for one in numbers]
        return [(first, last) for first, last in spans if first <= last]

    def mask(self, spans: Sequence[tuple[int, int]]) -> Mask:
        """Return which places are in some spans of them."""
        mask = np.zeros(len(self.words), dtype=np.bool_)
        for first, last in spans:
            mask[first : last + 1] = True
        return mask

    def size_of(self, mask: Mask) -> int:
        """Return how many of some places can be found."""
        return int(np.count_nonzero(self.words[mask]))

    def ordinals(self, rows: Rows) -> tuple[Rows, Rows]:
        """Return of (n,) rows their documents' first rows, and which of its vectors are theirs."""
        firsts = self.firsts[np.searchsorted(self.firsts, rows, side="right") - 1]
        return firsts, np.searchsorted(self.rows, rows) - np.searchsorted(self.rows, firsts)

    def is_run(self, rows: Rows) -> bool:
        """Return whether (n,) rising rows are all of some documents that follow each other."""
        if not len(rows):
            return False
        first, last = np.searchsorted(self.rows, rows[[0, -1]]).tolist()
        edges = self.ordinals(self.rows[[one for one in (first, last + 1) if one < self.size]])[1]
        return last - first + 1 == len(rows) and not edges.any()
