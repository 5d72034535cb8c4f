"""The documents that are asked: index and files in step, files added and removed.

It knows nothing of questions or language models.

Example: ``Library(store, encoder, folders, given, limits=Limits()).add(Path("ports.txt"))``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from qa.documents import Limits
from qa.documents.files import split_member
from qa.embed import Encoder
from qa.errors import InputError
from qa.folders import is_inside, put_file, set_aside
from qa.ingest import Report, document_of, sync
from qa.store import DocumentInfo, Store

Progress = Callable[[str], None]

# Inside the store's folder: the files of removed documents.
_REMOVED = "removed"


class Library:
    """The documents of one store that are asked; safe to use from several threads.

    ``report`` says what the last synchronisation did, ``changed`` is called after each one.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        folders: Sequence[Path],
        given: Sequence[Path] | None,
        *,
        limits: Limits,
        changed: Callable[[], None],
    ) -> None:
        """Take what is needed; nothing is read yet.

        :param store: the index.
        :param encoder: the one that the store was made with.
        :param folders: the settings' documents folders.
        :param given: the files and folders that are asked; None asks everything in the store.
        :param limits: what one file may ask of the machine.
        :param changed: is told when documents may have changed.
        """
        self._store = store
        self._encoder = encoder
        self._folders = folders
        self._given = given
        self._limits = limits
        self._changed = changed
        self._changing = threading.RLock()  # one change at a time
        self.report: Report | None = None

    @property
    def paths(self) -> list[Path]:
        """The paths that were given, or the documents folders that exist."""
        if self._given is not None:
            return list(self._given)
        return [path for path in self._folders if path.exists()]

    def documents(self) -> tuple[DocumentInfo, ...]:
        """Return the documents that are asked, by id."""
        infos = self._store.documents()
        if self._given is None:
            return infos
        given = {root.resolve() for root in self._given}
        return tuple(info for info in infos if given & {Path(info.path), *Path(info.path).parents})

    def scope(self) -> list[str] | None:
        """Return the ids of the documents that are asked; None where that is all in the store."""
        return None if self._given is None else [info.id for info in self.documents()]

    def index(self, paths: Iterable[Path], progress: Progress | None = None) -> Report:
        """Bring the store in step with ``paths`` and return what was done."""
        with self._changing:
            try:
                self.report = sync(
                    list(paths),
                    self._store,
                    self._encoder,
                    limits=self._limits,
                    progress=progress,
                )
            finally:
                self._changed()
            return self.report

    def reindex(self, progress: Progress | None = None) -> Report:
        """Bring the store in step with :attr:`paths`; a path that is gone counts as failed."""
        with self._changing:
            paths = self.paths
            report = self.index([path for path in paths if path.exists()], progress)
            missing = "there is no file or folder at this path any more; its documents stay"
            gone = tuple((str(path), missing) for path in paths if not path.exists())
            self.report = replace(report, failed=(*report.failed, *gone))
            return self.report

    def add(self, source: Path, progress: Progress | None = None) -> str:
        """Copy a file into the first documents folder, index it, and return its document id.

        A copy that cannot be read is taken away again; a file that was there before stays.

        :raises InputError: the file cannot be read or is of an unknown type.
        """
        roots = self._given or self._folders
        folder = next((root for root in roots if not root.is_file()), self._folders[0])
        with self._changing:
            put = put_file(folder, source)
            report = self.index([folder], progress)
            try:
                return document_of(put.path, report, self._store.documents())
            except InputError:
                if put.copied:
                    put.path.unlink(missing_ok=True)
                raise

    def remove(self, document_id: str) -> None:
        """Forget a document; its file, if in a documents folder, moves to ``removed`` in the store.

        :raises InputError: no document has this id, it is part of an archive, or its file cannot be
            moved.
        """
        with self._changing:
            self._store.document(document_id)  # an unknown id is an error that names it
            (info,) = [one for one in self._store.documents() if one.id == document_id]
            file, member = split_member(Path(info.path))
            if member:
                raise InputError(
                    f"{document_id!r} is part of the archive {file.name!r}; take it out of the "
                    "archive, or move the archive out of its folder, and index again"
                )
            if file.is_file() and is_inside(file, self._given or self._folders):
                set_aside(file, self._store.folder / _REMOVED)
            elif self._given is not None:
                self._given = [root for root in self._given if root.resolve() != file]
            self._store.remove([document_id])
            self._changed()
