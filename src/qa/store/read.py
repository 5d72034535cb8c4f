"""What can be read of a store: its documents, their sentences and the vectors of those.

Whatever is read is compared with its checksum: a damaged index is an error, never a wrong answer.
It knows nothing of commits, searches or encoders.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np

from qa.errors import IndexMismatch, InputError
from qa.store import schema, sums
from qa.store.blocks import Halves, Vectors, block_vectors, unpack, vector_bytes
from qa.store.contents import SPANS, Span, span_of, vectors_of
from qa.store.database import Database
from qa.store.faults import REBUILD, REEMBED
from qa.store.held import Held
from qa.store.layout import Layout, Rows
from qa.store.records import (
    INFO_COLUMNS,
    DocumentInfo,
    Label,
    text_digest,
    to_document,
    to_info,
)
from qa.store.schema import Manifest
from qa.types import Document, Sentence

_Value = TypeVar("_Value")

_INFOS: Final = f"SELECT {INFO_COLUMNS} FROM documents ORDER BY id"
_DOCUMENT: Final = "SELECT id, title, text, pages, notices, text_sha256 FROM documents WHERE id = ?"
# Of (row of a block, place in it, bytes of a vector), each as one number: see `_vectors`.
_VECTORS: Final = (
    "SELECT substr(block, 1 + ?1 * (value % ?2), ?1) FROM json_each(?3) CROSS JOIN vectors "
    "ON row = value / ?2 ORDER BY key"
)


class Reader:
    """An index folder as searches see it.

    A search outside :meth:`reading` sees the newest commit; all of them inside it see the same one.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        self.folder = folder
        self._db = Database(folder, wait_s)
        self._lock = threading.Lock()
        self._held = Held()
        self._newest_layout: tuple[int, Layout] | None = None

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
        try:
            return tuple(map(to_info, self._db.run(_INFOS)))
        except ValueError as error:
            raise IndexMismatch(
                f"the list of documents in {str(self.folder)!r} is damaged ({error}): {REBUILD}"
            ) from error

    def document(self, document_id: str) -> Document:
        """Return a document whole; an unknown id is an InputError that names the nearest ones."""

        def load_document() -> Document:
            found = self._db.run(_DOCUMENT, document_id)
            if not found:
                raise self._unknown(document_id)
            *row, digest = found[0]
            try:
                document = to_document(tuple(row))
                if text_digest(document.text) != digest:
                    raise ValueError("it is not what was written")
            except ValueError as error:
                raise IndexMismatch(
                    f"the stored text of {document_id!r} is damaged ({error}): {REBUILD}"
                ) from error
            return document

        return self._hold("document", document_id, load_document, lambda one: len(one.text))

    def sentences(self, document_id: str) -> tuple[Sentence, ...]:
        """Return a document's sentences in order, headings too."""

        def load_sentences() -> tuple[Sentence, ...]:
            with self.reading():
                return self._span(document_id).sentences(self.document(document_id))

        return self._hold("sentences", document_id, load_sentences, lambda all_: 200 * len(all_))

    def _span(self, document_id: str) -> Span:
        def load_span() -> Span:
            try:
                span = span_of(self._db, document_id)
            except ValueError as error:
                raise self._damaged(
                    document_id, "its sentences are not what was written"
                ) from error
            if span is None:
                raise self._damaged(document_id, "its sentences are gone")
            return span

        return self._hold("span", document_id, load_span, lambda span: 20 * len(span.words))

    def sentences_at(self, rows: Collection[int]) -> dict[int, Sentence]:
        """Return the sentences of rows that a search found; rows that are gone are left out."""
        with self.reading():
            return {
                row: self._span(owner).places.sentence(self.document(owner), place)
                for row, owner, place in self._layout().owned(rows)
            }

    def contexts_at(self, rows: Collection[int]) -> dict[int, str]:
        """Return the contexts that the rows' sentences are read in."""
        with self.reading():
            return {
                row: self._span(owner).places.context(self.document(owner), place)
                for row, owner, place in self._layout().owned(rows)
            }

    def _damaged(self, what: str, how: str) -> IndexMismatch:
        return IndexMismatch(
            f"the index in {str(self.folder)!r} is damaged at {what!r} ({how}): {REEMBED}"
        )

    def __contains__(self, document_id: object) -> bool:
        """Return whether there is a document of this id."""
        return document_id in self._layout()

    def rows(self, documents: Collection[str]) -> list[int]:
        """Return the rows of the sentences of some documents, headings too, in order."""
        layout = self._layout()
        spans = [layout.span(one) for one in sorted(set(documents)) if one in layout]
        return [row for first, count in spans for row in range(first, first + count)]

    def labels_at(self, rows: Collection[int]) -> dict[int, Label]:
        """Return the labels of the rows that have one."""
        sql = "SELECT row, id, metadata FROM labels WHERE row IN (SELECT value FROM json_each(?))"
        return {row: Label(*rest) for row, *rest in self._db.run(sql, json.dumps(list(rows)))}

    def labelled(self, ids: Collection[str]) -> set[str]:
        """Return the documents that have sentences with these labels."""
        sql = "SELECT row FROM labels WHERE id IN (SELECT value FROM json_each(?))"
        with self.reading():
            found = self._db.run(sql, json.dumps(sorted(ids)))
            return {owner for _, owner, _ in self._layout().owned([row for (row,) in found])}

    def vectors_at(self, rows: Collection[int]) -> dict[int, Vectors]:
        """Return the (dim,) float32 vectors of the rows that have one."""
        with self.reading():
            layout = self._layout()
            wanted = np.array(sorted(rows), dtype=np.int64)
            wanted = wanted[layout.located(wanted)[1]]
            halves = self._vectors(wanted)
        return dict(zip(wanted.tolist(), halves.astype(np.float32), strict=True))

    def _unknown(self, document_id: str) -> InputError:
        known = [info.id for info in self.documents()]
        near = get_close_matches(document_id, known, n=3, cutoff=0.4) or known[:3]
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "the index is empty"
        return InputError(f"there is no document {document_id!r} in the index; {hint}")

    def _hold(
        self,
        kind: str,
        document_id: str,
        make: Callable[[], _Value],
        chars: Callable[[_Value], int],
    ) -> _Value:
        """Return a value made from a document, kept for a while, until the next commit at most."""
        with self.reading():
            if self._db.is_writing:
                return make()
            return self._held.get((self.generation, kind, document_id), make, chars)

    def _layout(self) -> Layout:
        """Return where the sentences of the commit are that this thread sees."""
        return self._db.once("layout", self._find_layout)

    def _find_layout(self) -> Layout:
        with self.reading():
            if self._db.is_writing:
                return self._read_layout()
            generation = self.generation
            with self._lock:
                if self._newest_layout and self._newest_layout[0] == generation:
                    return self._newest_layout[1]
            layout = self._read_layout()
            with self._lock:
                if self._newest_layout is None or self._newest_layout[0] < generation:
                    self._newest_layout = (generation, layout)
            return layout

    def _read_layout(self) -> Layout:
        with self.reading():
            if not sums.documents_are_whole(self._db):
                raise self._damaged("spans", "documents are missing or changed")
            try:
                return Layout.of(self._db.run(SPANS))
            except ValueError as error:
                raise self._damaged(str(error), "its sentences are not what was written") from error

    def _vectors(self, rows: Rows) -> Halves:
        """Return the (n, dim) float16 vectors of (n,) rising rows that can be found."""
        dim = self._dim
        size = block_vectors(dim)
        firsts, numbers = self._layout().ordinals(rows)
        places = (firsts + numbers // size * size) * size + numbers % size
        found = self._db.run(_VECTORS, vector_bytes(dim), size, json.dumps(places.tolist()))
        try:
            halves = unpack([blob for (blob,) in found], dim)
        except ValueError as error:
            raise self._harmed(rows) from error
        if len(halves) != len(rows):
            raise self._harmed(rows)
        return halves

    def _harmed(self, rows: Rows) -> IndexMismatch:
        """Return the error that names the first document of which a vector is damaged."""
        layout = self._layout()
        for document_id in dict.fromkeys(owner for _, owner, _ in layout.owned(rows.tolist())):
            first, count = layout.span(document_id)
            last = first + count - 1
            vectors = int(np.diff(np.searchsorted(layout.rows, [first, last + 1]))[0])
            try:
                deque(vectors_of(self._db, first, last, self._dim, vectors), maxlen=0)
            except ValueError as error:
                return self._damaged(document_id, str(error))
        return self._damaged("vectors", "more of them are there than sentences")

    @property
    def _dim(self) -> int:
        return int(self._db.once("dim", lambda: self.manifest.dim))
