"""What can be read of a store: its documents and sentences, and both kinds of search.

It knows nothing of commits, of encoders, or of how results are fused.
"""

from __future__ import annotations

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
from qa.store.faults import REBUILD
from qa.store.records import INFO_COLUMNS, DocumentInfo, Label, to_document, to_info, to_sentence
from qa.store.schema import Manifest
from qa.store.vectors import Rows, VectorFile, VectorIndex, Vectors, load
from qa.store.verify import problems
from qa.types import Document, Sentence

_Value = TypeVar("_Value")

# Weight of a match in a sentence's context (title, sentence before) against one in the sentence.
_CONTEXT_WEIGHT: Final = 0.35
_VALUES_HELD: Final = 32
_OF_DOCUMENTS: Final = "document IN (SELECT value FROM json_each(?))"
_OF_ROWS: Final = "row IN (SELECT value FROM json_each(?))"
_SCOPE: Final = f"AND +rowid IN (SELECT row FROM sentences WHERE {_OF_DOCUMENTS})"
_INFOS: Final = f"SELECT {INFO_COLUMNS} FROM documents ORDER BY id"
_DOCUMENT: Final = "SELECT id, title, text, pages, notices FROM documents WHERE id = ?"
_FOUND_ROWS: Final = (
    f"SELECT row FROM sentences JOIN vectors USING (row) WHERE {_OF_DOCUMENTS} ORDER BY row"
)
_SENTENCE: Final = "place, first, last, heading FROM sentences"


class Reader:
    """An index folder as searches see it.

    A search outside :meth:`reading` sees the newest commit; all of them inside it see the same one.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        self.folder = folder
        self._db = Database(folder, wait_s)
        self._lock = threading.Lock()
        self._index: tuple[int, VectorIndex] | None = None
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
            return to_document(found[0])

        return self._hold("document", document_id, load_document)

    def sentences(self, document_id: str) -> tuple[Sentence, ...]:
        """Return a document's sentences in order, headings too."""

        def load_sentences() -> tuple[Sentence, ...]:
            document = self.document(document_id)
            sql = f"SELECT {_SENTENCE} WHERE document = ? ORDER BY place"
            return tuple(to_sentence(row, document) for row in self._db.run(sql, document_id))

        return self._hold("sentences", document_id, load_sentences)

    def sentences_at(self, rows: Collection[int]) -> dict[int, Sentence]:
        """Return the sentences of rows that a search found; rows that are gone are left out."""
        with self.reading():
            found = self._db.run(
                f"SELECT row, document, {_SENTENCE} WHERE {_OF_ROWS}",
                json.dumps(list(rows)),
            )
            return {row: to_sentence(tuple(rest), self.document(of)) for row, of, *rest in found}

    def rows(self, documents: Collection[str]) -> list[int]:
        """Return the rows of the sentences of some documents, headings too, in order."""
        sql = f"SELECT row FROM sentences WHERE {_OF_DOCUMENTS} ORDER BY document, place"
        return [row for (row,) in self._db.run(sql, _ids(documents))]

    def labels_at(self, rows: Collection[int]) -> dict[int, Label]:
        """Return the labels of the rows that have one."""
        sql = f"SELECT row, id, metadata FROM labels WHERE {_OF_ROWS}"
        return {row: Label(*rest) for row, *rest in self._db.run(sql, json.dumps(list(rows)))}

    def contexts_at(self, rows: Collection[int]) -> dict[int, str]:
        """Return the contexts that the rows' sentences are read in."""
        sql = f"SELECT row, context FROM sentences WHERE {_OF_ROWS}"
        return dict(self._db.run(sql, json.dumps(list(rows))))

    def vectors_at(self, rows: Collection[int]) -> dict[int, Vectors]:
        """Return the (dim,) float32 vectors of the rows that have one."""
        sql = f"SELECT row, vector FROM vectors WHERE {_OF_ROWS}"
        found = self._db.run(sql, json.dumps(list(rows)))
        return {row: np.frombuffer(vector, dtype="<f4") for row, vector in found}

    def _unknown(self, document_id: str) -> InputError:
        known = [info.id for info in self.documents()]
        near = get_close_matches(document_id, known, n=3, cutoff=0.4) or known[:3]
        hint = f"did you mean {', '.join(map(repr, near))}?" if near else "the index is empty"
        return InputError(f"there is no document {document_id!r} in the index; {hint}")

    def _hold(self, kind: str, document_id: str, make: Callable[[], _Value]) -> _Value:
        """Return a value made from a document, kept until the next commit."""
        with self.reading():
            key = (self.generation, kind, document_id)
            value = self._held.get(key)
            if value is None:
                value = make()
                with self._lock:
                    while len(self._held) >= _VALUES_HELD:
                        del self._held[next(iter(self._held))]
                    self._held[key] = value
            return value  # type: ignore[return-value]

    # Searches

    def size(self, documents: Collection[str] | None = None) -> int:
        """Return how many sentences can be found, in some documents or in all."""
        with self.reading():
            return len(self._vectors()) if documents is None else len(self._rows(documents))

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
            within = None if documents is None else self._rows(documents)
            return self._vectors().search(vector, top_k, within)

    def search_lexical(
        self, stems: Collection[str], top_k: int, documents: Collection[str] | None = None
    ) -> list[tuple[int, float]]:
        """Return the sentences that share stems as (row, BM25 score), best first, higher better."""
        if not stems:
            return []
        # Sorted, since the score is a sum of floats and must not depend on the order of a set.
        match = " OR ".join(f'"{stem}"' for stem in sorted(set(stems)))
        scope, values = ("", ()) if documents is None else (_SCOPE, (_ids(documents),))
        return self._db.run(
            f"SELECT rowid, -bm25(terms, 1.0, {_CONTEXT_WEIGHT}) AS score FROM terms "
            f"WHERE terms MATCH ? {scope} ORDER BY score DESC, rowid LIMIT ?",
            *(match, *values, top_k),
        )

    def _rows(self, documents: Collection[str]) -> Rows:
        ids = _ids(documents)

        def read() -> Rows:
            found = self._db.run(_FOUND_ROWS, ids)
            return np.array([row for (row,) in found], dtype=np.int64)

        return self._db.once(ids, read)

    def _vectors(self) -> VectorIndex:
        """Return the vectors of the commit that this thread sees."""
        return self._committed() or self._keep(self.generation, self._computed())

    def _committed(self) -> VectorIndex | None:
        """Return the vectors without the changes of a commit under way, if their file is whole."""
        generation = self.generation
        with self._lock:
            if self._index and self._index[0] == generation:
                return self._index[1]
        file = self._vector_file()
        index = load(self.folder, file) if file else None
        return index and self._keep(generation, index)

    def _keep(self, generation: int, index: VectorIndex) -> VectorIndex:
        with self._lock:
            newest = self._index is None or self._index[0] < generation
            if newest and not self._db.is_writing:
                self._index = (generation, index)
        return index

    def _vector_file(self) -> VectorFile | None:
        found = self._db.run("SELECT name, generation, vectors, size, sha256 FROM vector_files")
        return VectorFile(*found[0]) if found else None

    def _computed(self) -> VectorIndex:
        """Return the vectors as SQLite, the truth, has them."""
        dim = self.manifest.dim
        found = self._db.run("SELECT row, vector FROM vectors ORDER BY row")
        if any(len(vector) != 4 * dim for _, vector in found):
            raise IndexMismatch(f"the index in {str(self.folder)!r} is damaged: {REBUILD}")
        vectors = np.frombuffer(b"".join(vector for _, vector in found), dtype="<f4")
        rows = np.array([row for row, _ in found], dtype=np.int64)
        return VectorIndex.of(rows, vectors.reshape(len(rows), dim))

    def check(self, *, deep: bool = False) -> list[str]:
        """Return what is wrong with the index, one sentence each; ``deep`` reads everything."""
        with self.reading():
            return problems(self._db, self.folder, self._vector_file(), deep=deep)


def _ids(documents: Collection[str]) -> str:
    return json.dumps(sorted(documents))
