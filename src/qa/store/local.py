"""The store: documents, sentences, search terms and vectors in one folder, changed by commits.

A commit first writes the vector file of its generation and then commits SQLite, which names it:
that is the one moment at which everything changes. Whatever happens before, the last commit stands.
It knows nothing of encoders or of the files that are indexed.

Example::

    with Store.open(Path("index/store"), encoder.id, encoder.dim) as store:
        store.search_lexical(stems("soldats américains"), top_k=5)
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np

from qa.errors import IndexMismatch, IndexMissing, InputError
from qa.store import schema
from qa.store.database import DATABASE
from qa.store.faults import REBUILD, translated
from qa.store.read import Reader
from qa.store.records import PUT_DOCUMENT, Label, Origin, document_values, to_rows
from qa.store.vectors import VectorFile, VectorIndex, Vectors, load, remove_older, remove_others
from qa.types import Chunk, Document, Sentence

log = logging.getLogger(__name__)


class _Pending:
    """What a commit under way changes in the vectors."""

    def __init__(self) -> None:
        self.removed: set[int] = set()
        self.added: dict[int, Vectors] = {}
        self.changed = False


class Store(Reader):
    """One index folder. Safe to use from several threads and processes; close it when done.

    A search outside :meth:`reading` sees the newest commit; all inside it see the same one.
    """

    def __init__(self, folder: Path, wait_s: float) -> None:
        super().__init__(folder, wait_s)
        self._local = threading.local()

    @classmethod
    def open(
        cls,
        folder: Path,
        encoder_id: str | None = None,
        dim: int | None = None,
        *,
        wait_s: float = 30.0,
    ) -> Self:
        """Open the index in ``folder``, making an empty one for the encoder if there is none.

        :param folder: where the index is; made if it is not there.
        :param encoder_id: the encoder that searches; None takes the index as it is.
        :param dim: that encoder's dimension.
        :param wait_s: how long to wait for another program that is writing.
        :return: the open store.
        :raises IndexMissing: nothing is there, and no encoder was given to make it for.
        :raises IndexMismatch: made with another encoder or format, or damaged.
        """
        store = cls(folder, wait_s)
        try:
            store._prepare(encoder_id, dim)
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self, encoder_id: str | None, dim: int | None) -> None:
        where = repr(str(self.folder))
        if encoder_id is None or dim is None:
            if not (self.folder / DATABASE).exists():
                raise IndexMissing(f"there is no index in {where}: run `qa index PATH…`")
        else:
            with translated(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            schema.create(self._db, encoder_id, dim)
        made = self.manifest
        if encoder_id is not None and (made.encoder_id, made.dim) != (encoder_id, dim):
            raise IndexMismatch(
                f"the index in {where} was made with the encoder {made.encoder_id!r} ({made.dim} "
                f"dimensions), not {encoder_id!r} ({dim} dimensions): {REBUILD}, or set the "
                f"encoder back"
            )
        with self._db.writing_at_once() as alone:
            if alone:
                self._clean()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make all changes inside one commit: all of them are kept, or on any error none.

        :raises QAError: another program holds the index for too long, or no space is left.
        """
        if getattr(self._local, "pending", None) is not None:
            yield
            return
        saved: tuple[VectorIndex, VectorFile] | None = None
        try:
            with self._db.writing():
                pending = self._local.pending = _Pending()
                yield
                saved = self._save_vectors(pending) if pending.changed else None
        finally:
            self._local.pending = None
        if saved:
            self._publish(*saved)

    def _save_vectors(self, pending: _Pending) -> tuple[VectorIndex, VectorFile]:
        rows = np.fromiter(pending.added, dtype=np.int64)
        vectors = np.array(list(pending.added.values()), dtype=np.float32)
        generation = self.generation + 1
        before = self._committed()
        # What SQLite has, it has with the changes.
        index = before.changed(pending.removed, rows, vectors) if before else self._computed()
        with translated(self.folder):
            file = index.save(self.folder, generation)
        self._record(file)
        self._set_meta("generation", str(generation))
        self._set_meta("updated", schema.timestamp())
        return index, file

    def _record(self, file: VectorFile) -> None:
        self._db.run("DELETE FROM vector_files")
        values = (file.name, file.generation, file.vectors, file.size, file.sha256)
        self._db.run("INSERT INTO vector_files VALUES (?, ?, ?, ?, ?)", *values)

    def _set_meta(self, key: str, value: str) -> None:
        self._db.run("UPDATE meta SET value = ? WHERE key = ?", value, key)

    def _publish(self, index: VectorIndex, file: VectorFile) -> None:
        with self._lock:
            self._index = (file.generation, index)
        with suppress(OSError):  # what is left is removed at the next opening
            remove_older(self.folder, file.name)

    def _clean(self) -> None:
        """Remove what an interrupted commit left, and mend the vector file."""
        file = self._vector_file()
        with translated(self.folder):
            remove_others(self.folder, [file.name] if file else [])
            if file and load(self.folder, file) is None:
                log.warning("%s is missing or damaged: computed again", file.name)
                self._record(self._computed().save(self.folder, file.generation))

    def put(
        self,
        document: Document,
        origin: Origin,
        sentences: Sequence[Sentence],
        chunks: Sequence[Chunk],
        vectors: Vectors,
    ) -> None:
        """Add a document, or replace the one with its id.

        :param document: the document, whose text the offsets refer to.
        :param origin: where it comes from.
        :param sentences: all of the document's sentences in order, headings too.
        :param chunks: those that can be found and cited, with their context.
        :param vectors: (chunks, dim) float32, rows of length 1.
        :raises InputError: the text holds characters that no file can hold.
        """
        dim = self.manifest.dim
        if vectors.shape != (len(chunks), dim):
            raise IndexMismatch(
                f"{document.id!r}: vectors of shape {vectors.shape} for {len(chunks)} sentences "
                f"and {dim} dimensions; the encoder is not the one that the index was made with"
            )
        with self.writing():
            self.remove([document.id])
            try:
                self._db.run(PUT_DOCUMENT, *document_values(document, origin, len(sentences)))
            except UnicodeEncodeError as error:
                raise InputError(
                    f"{document.id!r} holds an unpaired surrogate; save the file as UTF-8"
                ) from error
            self._put_sentences(sentences, chunks, vectors)

    def _put_sentences(
        self, sentences: Sequence[Sentence], chunks: Sequence[Chunk], vectors: Vectors
    ) -> None:
        last = self._db.run("SELECT seq FROM sqlite_sequence WHERE name = 'sentences'")
        rows = to_rows(sentences, chunks, last[0][0] + 1 if last else 1)
        by_row = {row: vector for (row, *_), vector in zip(rows.terms, vectors, strict=True)}
        run_many = self._db.run_many
        run_many("INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?, ?)", rows.sentences)
        run_many("INSERT INTO terms (rowid, bare, context) VALUES (?, ?, ?)", rows.terms)
        run_many(
            "INSERT INTO vectors VALUES (?, ?)",
            [(row, np.asarray(one, "<f4").tobytes()) for row, one in by_row.items()],
        )
        pending: _Pending = self._local.pending
        pending.added.update(by_row)
        pending.changed = True

    def remove(self, document_ids: Collection[str]) -> int:
        """Delete documents and everything of theirs, and return how many of them were there."""
        return sum(map(self._remove, document_ids))

    def _remove(self, document_id: str) -> int:
        with self.writing():
            rows = self._db.run("SELECT row FROM sentences WHERE document = ?", document_id)
            self._db.run_many("DELETE FROM terms WHERE rowid = ?", rows)
            self._db.run_many("DELETE FROM vectors WHERE row = ?", rows)
            self._db.run("DELETE FROM sentences WHERE document = ?", document_id)
            removed = self._db.run_many("DELETE FROM documents WHERE id = ?", [(document_id,)])
            pending: _Pending = self._local.pending
            pending.changed |= removed > 0
            for (row,) in rows:
                if pending.added.pop(row, None) is None:
                    pending.removed.add(row)
        return removed

    def label(self, document_id: str, labels: Mapping[int, Label]) -> None:
        """Give sentences, by their index, the names that another program knows them by."""
        with self.writing():
            self._db.run_many(
                "INSERT INTO labels SELECT row, ?, ? FROM sentences "
                "WHERE document = ? AND place = ?",
                [(one.id, one.metadata, document_id, index) for index, one in labels.items()],
            )

    def touch(self, document_id: str, origin: Origin) -> None:
        """Note where an unchanged document comes from now; nothing that is found changes."""
        with self.writing():
            self._db.run(
                "UPDATE documents SET root = ?, path = ?, sha256 = ?, size = ?, mtime_ns = ?, "
                "recipe = ? WHERE id = ?",
                *(origin.root, origin.path, origin.sha256, origin.size, origin.mtime_ns),
                *(origin.recipe, document_id),
            )


def erase(folder: Path) -> None:
    """Delete the index in ``folder``, its own files alone, so that it can be made anew."""
    with translated(folder):
        for suffix in ("", "-wal", "-shm"):
            (folder / (DATABASE + suffix)).unlink(missing_ok=True)
        remove_others(folder, ())
        if (folder / "prefixes").exists():
            shutil.rmtree(folder / "prefixes")
