"""What can be read of a store: its documents, their sentences and the vectors of those.

Whatever is read is compared with its checksum: a damaged index is an error, never a wrong answer.
It knows nothing of commits, searches or encoders.
"""

from __future__ import annotations

import bisect
import json
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np

from qa.errors import IndexMismatch, InputError
from qa.store import schema
from qa.store.database import Database
from qa.store.faults import REBUILD, REEMBED
from qa.store.records import (
    INFO_COLUMNS,
    DocumentInfo,
    Label,
    Span,
    text_digest,
    to_document,
    to_info,
    to_sentence,
)
from qa.store.schema import Manifest
from qa.store.vectors import Halves, Rows, Vectors, unpack
from qa.types import Document, Sentence

_Value = TypeVar("_Value")

_VALUES_HELD: Final = 32
OF_ROWS: Final = "row IN (SELECT value FROM json_each(?))"
_INFOS: Final = f"SELECT {INFO_COLUMNS} FROM documents ORDER BY id"
_DOCUMENT: Final = "SELECT id, title, text, pages, notices, text_sha256 FROM documents WHERE id = ?"
_SENTENCE: Final = "first, last, heading, context, check_sum FROM sentences"


class Reader:
    """An index folder as searches see it.

    A search outside :meth:`reading` sees the newest commit; all of them inside it see the same one.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        self.folder = folder
        self._db = Database(folder, wait_s)
        self._lock = threading.Lock()
        self._held: dict[tuple[int, str, str], object] = {}

    def close(self) -> None:
        """Close all connections; calling it twice is fine."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reading(self) -> AbstractContextManager[None]:
        """Let everything that this thread reads inside come from one commit."""
        return self._db.reading()

    @property
    def read_only(self) -> bool:
        """Whether the folder can be asked but not changed."""
        return self._db.read_only

    @property
    def manifest(self) -> Manifest:
        """What the index was made with."""
        return schema.read_manifest(self._db, self.folder)

    @property
    def generation(self) -> int:
        """The number of the newest commit that changed what is found."""

        def read() -> int:
            return int(self._db.run("SELECT value FROM meta WHERE key = 'generation'")[0][0])

        return self._db.once("generation", read)

    @property
    def prefixes(self) -> Path:
        """The folder for saved model prefixes; it may be deleted at any time."""
        return self.folder / "prefixes"

    @property
    def size_bytes(self) -> int:
        """The size of the folder's files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def documents(self) -> tuple[DocumentInfo, ...]:
        """Return what is in the index, by id."""
        return tuple(map(to_info, self._db.run(_INFOS)))

    def document(self, document_id: str) -> Document:
        """Return a document whole; an unknown id is an InputError that names the nearest ones."""

        def load_document() -> Document:
            found = self._db.run(_DOCUMENT, document_id)
            if not found:
                raise self._unknown(document_id)
            *row, digest = found[0]
            document = to_document(tuple(row))
            if text_digest(document.text) != digest:
                raise IndexMismatch(f"the stored text of {document_id!r} is damaged: {REBUILD}")
            return document

        return self._hold("document", document_id, load_document)

    def sentences(self, document_id: str) -> tuple[Sentence, ...]:
        """Return a document's sentences in order, headings too."""

        def load_sentences() -> tuple[Sentence, ...]:
            with self.reading():
                document = self.document(document_id)
                span = self._spans()[document_id]
                between = (span.first, span.first + span.count - 1)
                sql = f"SELECT {_SENTENCE} WHERE row BETWEEN ? AND ? ORDER BY row"
                found = self._db.run(sql, *between)
            if len(found) != span.count:
                raise self._damaged(document_id, f"{len(found)} of {span.count} sentences are left")
            return tuple(self._sentence(row, place, document) for place, row in enumerate(found))

        return self._hold("sentences", document_id, load_sentences)

    def sentences_at(self, rows: Collection[int]) -> dict[int, Sentence]:
        """Return the sentences of rows that a search found; rows that are gone are left out."""
        with self.reading():
            found = self._db.run(f"SELECT row, {_SENTENCE} WHERE {OF_ROWS}", json.dumps(list(rows)))
            return {row: self._sentence_at(row, tuple(rest)) for row, *rest in found}

    def _sentence_at(self, row: int, values: tuple[object, ...]) -> Sentence:
        first, document_id = self._owner(row)
        return self._sentence(values, row - first, self.document(document_id))

    def _sentence(self, row: tuple[object, ...], place: int, document: Document) -> Sentence:
        try:
            return to_sentence(row, place, document)
        except ValueError as error:
            raise self._damaged(document.id, f"{error} is not what was written") from error

    def _damaged(self, what: str, how: str) -> IndexMismatch:
        return IndexMismatch(
            f"the index in {str(self.folder)!r} is damaged at {what!r} ({how}): {REEMBED}"
        )

    def rows(self, documents: Collection[str]) -> list[int]:
        """Return the rows of the sentences of some documents, headings too, in order."""
        spans = self._spans()
        return [
            row
            for document_id in sorted(set(documents) & spans.keys())
            for row in range(
                spans[document_id].first, spans[document_id].first + spans[document_id].count
            )
        ]

    def labels_at(self, rows: Collection[int]) -> dict[int, Label]:
        """Return the labels of the rows that have one."""
        sql = f"SELECT row, id, metadata FROM labels WHERE {OF_ROWS}"
        return {row: Label(*rest) for row, *rest in self._db.run(sql, json.dumps(list(rows)))}

    def labelled(self, ids: Collection[str]) -> set[str]:
        """Return the documents that have sentences with these labels."""
        sql = "SELECT row FROM labels WHERE id IN (SELECT value FROM json_each(?))"
        with self.reading():
            found = self._db.run(sql, json.dumps(sorted(ids)))
            return {self._owner(row)[1] for (row,) in found}

    def contexts_at(self, rows: Collection[int]) -> dict[int, str]:
        """Return the contexts that the rows' sentences are read in."""
        sql = f"SELECT row, context FROM sentences WHERE {OF_ROWS}"
        return dict(self._db.run(sql, json.dumps(list(rows))))

    def vectors_at(self, rows: Collection[int]) -> dict[int, Vectors]:
        """Return the (dim,) float32 vectors of the rows that have one."""
        found, halves = self._exact_vectors(OF_ROWS, json.dumps([int(row) for row in rows]))
        return dict(zip(found.tolist(), halves.astype(np.float32), strict=True))

    def _unknown(self, document_id: str) -> InputError:
        known = [info.id for info in self.documents()]
        near = get_close_matches(document_id, known, n=3, cutoff=0.4) or known[:3]
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "the index is empty"
        return InputError(f"there is no document {document_id!r} in the index; {hint}")

    def _hold(self, kind: str, document_id: str, make: Callable[[], _Value]) -> _Value:
        """Return a value made from a document, kept until the next commit."""
        with self.reading():
            if self._db.is_writing:
                return make()
            key = (self.generation, kind, document_id)
            value = self._held.get(key)
            if value is None:
                value = make()
                with self._lock:
                    while len(self._held) >= _VALUES_HELD:
                        del self._held[next(iter(self._held))]
                    self._held[key] = value
            return value  # type: ignore[return-value]

    def _spans(self) -> dict[str, Span]:
        """Return where each document's sentences are, in the order of their rows."""

        def read() -> dict[str, Span]:
            sql = "SELECT id, first_row, sentences, findable FROM documents ORDER BY first_row"
            return {document_id: Span(*rest) for document_id, *rest in self._db.run(sql)}

        return self._hold("spans", "", read)

    def _owners(self) -> tuple[list[int], list[str]]:
        """Return the first rows of all documents, rising, and whose they are."""

        def read() -> tuple[list[int], list[str]]:
            spans = self._spans()
            return [span.first for span in spans.values()], list(spans)

        return self._hold("owners", "", read)

    def _owner(self, row: int) -> tuple[int, str]:
        """Return the document that a row belongs to, after its first row."""
        firsts, owners = self._owners()
        at = bisect.bisect_right(firsts, row) - 1
        if at < 0:
            raise self._damaged(f"row {row}", "no document holds it")
        return firsts[at], owners[at]

    def _exact_vectors(self, where: str, *values: object) -> tuple[Rows, Halves]:
        """Return (n,) rising rows and (n, dim) float16 as SQLite, the truth, has them."""
        found = self._db.run(f"SELECT row, vector FROM vectors WHERE {where} ORDER BY row", *values)
        rows = np.array([row for row, _ in found], dtype=np.int64)
        try:
            return rows, unpack([blob for _, blob in found], self.manifest.dim)
        except ValueError as error:
            row = int(rows[error.args[0]])
            raise self._damaged(self._owner(row)[1], "a vector is not what was written") from error
