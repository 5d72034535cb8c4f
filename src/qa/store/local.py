"""The store: documents, sentences, search terms and vectors in one folder, changed by commits.

A commit is one of SQLite: that is the one moment at which everything changes. Now and then it first
writes a file of vectors, which it names; whatever happens before, the last commit stands.
It knows nothing of encoders or of the files that are indexed.

Example::

    with Store.open(Path("index/store"), encoder.id, encoder.dim) as store:
        store.search_lexical(stems("soldats américains"), top_k=5)
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from qa.errors import IndexMismatch, IndexMissing, InputError
from qa.store import contents, schema, seal, sums, swap
from qa.store.blocks import Vectors
from qa.store.database import DATABASE
from qa.store.faults import translated
from qa.store.migrate import migrate
from qa.store.prefixes import drop_prefixes
from qa.store.records import Label, Origin
from qa.store.remains import check_remains
from qa.store.search import Searcher
from qa.store.segments import load, remove_others
from qa.types import Chunk, Document, Sentence

log = logging.getLogger(__name__)

# No row is given twice, whatever became of the number.
_NEXT_ROW: Final = (
    "SELECT max(CAST(value AS INTEGER), (SELECT coalesce(max(last), 0) + 1 FROM spans)) FROM meta "
    "WHERE key = 'next_row'"
)


class Store(Searcher):
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
        if not (self.folder / DATABASE).exists():
            check_remains(self.folder)
        if encoder_id is None or dim is None:
            if not (self.folder / DATABASE).exists():
                where = repr(str(self.folder))
                raise IndexMissing(f"there is no index in {where}: run `qa index PATH…`")
        else:
            with translated(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            schema.create(self._db, self.folder, encoder_id, dim)
        migrate(self._db, self.folder, schema.read_format(self._db, self.folder))
        if encoder_id is not None and dim is not None:
            self._made_for = (encoder_id, dim)
            self._check_encoder()
        with self._db.writing_at_once() as alone:
            if alone:
                self._clean()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make all changes inside one commit: all of them are kept, or on any error none.

        :raises QAError: the folder is read-only, another program holds the index for too long, or
            no space is left.
        """
        if self._db.is_writing:
            yield
            return
        changed = files_changed = False
        try:
            with self._db.writing():
                self._local.changed = False
                yield
                changed = self._local.changed
                if changed:
                    files_changed = self._finish()
        finally:
            self._local.changed = False
        with suppress(OSError):  # what is left is removed at the next opening
            if files_changed:
                self._remove_unused()
            if changed:
                drop_prefixes(self._db, self.prefixes)

    def _finish(self) -> bool:
        """Count the commit, and return whether it wrote files of vectors."""
        generation = self.generation + 1
        self._set_meta("generation", str(generation))
        self._set_meta("updated", schema.timestamp())
        sums.settle_terms(self._db)
        with translated(self.folder):
            return seal.tidy(self._db, self.folder, generation, self._part_between)

    def _set_meta(self, key: str, value: str) -> None:
        self._db.run("UPDATE meta SET value = ? WHERE key = ?", value, key)

    def _remove_unused(self) -> None:
        """Delete the files that no commit names, unless somebody is about to name more."""
        with self._db.writing_at_once() as alone:
            if alone:
                remove_others(self.folder, [segment.name for segment in self._segments()])

    def _clean(self) -> None:
        """Remove what an interrupted commit left; mend search terms and the files of vectors."""
        self._terms_compared = sums.terms_are_whole(self._db)
        if not self._terms_compared:
            log.warning("search terms are missing or damaged: made again")
            contents.index_again(self._db)
            self._terms_compared = sums.terms_are_whole(self._db)
        segments = self._segments()
        with translated(self.folder):
            remove_others(self.folder, [segment.name for segment in segments])
            drop_prefixes(self._db, self.prefixes)
            for segment in segments:
                part = load(self.folder, segment)
                if part is None:
                    log.warning("%s is missing or damaged: made again", segment.name)
                    self._db.run("DELETE FROM segments WHERE first = ?", segment.first)
                    self._seal(segment.first, segment.last)
                else:
                    self._parts[segment.sha256] = part
            for span in seal.ready(self._db):  # an index of an earlier format has no files
                self._seal(*span)

    def _seal(self, first: int, last: int) -> None:
        with suppress(IndexMismatch):  # a damaged vector: searches will say so
            span = (first, last)
            seal.write(self._db, self.folder, span, self.generation, self._part_between)

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
        with self.writing():
            self._check_encoder()  # another program may have changed it
            dim = self.manifest.dim
            if vectors.shape != (len(chunks), dim):
                raise IndexMismatch(
                    f"{document.id!r}: vectors of shape {vectors.shape} for {len(chunks)} "
                    f"sentences and {dim} dimensions; the encoder is not the one that the index "
                    f"was made with"
                )
            self.remove([document.id])
            parts = (document, origin, sentences, chunks, vectors, self._next_row())
            try:
                end = contents.put(self._db, *parts)
            except UnicodeEncodeError as error:
                raise InputError(
                    f"{document.id!r} holds an unpaired surrogate; save the file as UTF-8"
                ) from error
            self._set_meta("next_row", str(end))
            self._local.changed = True

    def remove(self, document_ids: Collection[str]) -> int:
        """Delete documents and everything of theirs, and return how many of them were there."""
        with self.writing():
            removed = sum(contents.remove(self._db, document_id) for document_id in document_ids)
            self._local.changed |= removed > 0
        return removed

    def label(self, document_id: str, labels: Mapping[int, Label]) -> None:
        """Give sentences, by their index, the names that another program knows them by."""
        with self.writing():
            self._db.run_many(
                "INSERT INTO labels SELECT first + ?, ?, ? FROM spans WHERE document = ?",
                [(index, one.id, one.metadata, document_id) for index, one in labels.items()],
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

    def signatures(self) -> dict[str, str]:
        """Return what tells whether a document is the same in two stores, by id."""
        return swap.signatures(self._db)

    def replace_by(self, other: Store) -> bool:
        """Take over all of another store, encoder included, if it has the same documents.

        :return: False, and nothing is changed, where documents differ.
        :raises QAError: the folder is read-only, or another program is writing for too long.
        """
        swap.attach(self._db, other.folder)
        try:
            with self.writing():
                if not swap.agree(self.signatures(), swap.signatures(self._db, "new.")):
                    return False
                self._set_meta("next_row", str(swap.copy(self._db, self._next_row())))
                self._local.changed = True
                self._made_for = None
        finally:
            self._db.run("DETACH new")
        return True

    def _next_row(self) -> int:
        return int(self._db.run(_NEXT_ROW)[0][0])
