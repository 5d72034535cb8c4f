"""The documents that are asked: index and files in step, files added and removed.

It knows nothing of questions or language models.

Example: ``Library(store, encoder, folders, given, limits=Limits()).add(Path("ports.txt"))``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from qa.documents import Limits, find_sources
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
        return [path for path in self._folders if os.path.exists(path)]

    def documents(self) -> tuple[DocumentInfo, ...]:
        """Return the documents that are asked, by id."""
        infos = self._store.documents()
        if self._given is None:
            return infos
        given = {os.path.realpath(root) for root in self._given}

        def is_asked(info: DocumentInfo) -> bool:
            # A link in a folder leads out of it: the root is where it was found.
            places = (info.path, *map(str, Path(info.path).parents), info.root)
            return not given.isdisjoint(places)

        return tuple(filter(is_asked, infos))

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
            report = self.index([path for path in paths if os.path.exists(path)], progress)
            missing = "there is no file or folder at this path any more; its documents stay"
            gone = tuple((str(path), missing) for path in paths if not os.path.exists(path))
            self.report = replace(report, failed=(*report.failed, *gone))
            return self.report

    def add(self, source: Path, progress: Progress | None = None) -> str:
        """Copy a file into the first documents folder, index it, and return its document id.

        A copy that cannot be read is taken away again; a file that was there before stays.

        :raises InputError: the file cannot be read or is of an unknown type.
        """
        roots = self._given or self._folders
        folder = next((root for root in roots if not os.path.isfile(root)), self._folders[0])
        with self._changing:
            put = put_file(folder, source)
            report = self.index([folder], progress)
            try:
                added = document_of(put.path, report, self._store.documents())
            except InputError:
                if put.copied:
                    put.path.unlink(missing_ok=True)
                raise
            if self._given is not None and not is_inside(put.path, self._given):
                self._given = [*self._given, put.path]
            return added

    def remove(self, document_id: str) -> None:
        """Forget a document; its file, if in a documents folder, moves to ``removed`` in the store.

        Of a link in a documents folder, the link does.

        :raises InputError: no document has this id, it is part of an archive or of a folder that a
            link leads to, or its file cannot be moved.
        """
        with self._changing:
            with self._store.reading():
                self._store.document(document_id)  # an unknown id is an error that names it
                (info,) = [one for one in self._store.documents() if one.id == document_id]
            file, member = split_member(Path(info.path))
            if member:
                raise InputError(
                    f"{document_id!r} is part of the archive {file.name!r}; take it out of the "
                    "archive, or move the archive out of its folder, and index again"
                )
            found = _found(file, self._given or self._folders)
            if found is not None:
                set_aside(found, self._store.folder / _REMOVED)
            elif self._given is not None:
                self._given = [one for one in self._given if os.path.realpath(one) != str(file)]
            self._store.remove([document_id])
            self._changed()


def _found(file: Path, folders: Sequence[Path]) -> Path | None:
    """Return a file that lies in one of the folders, or the link there that leads to it.

    :raises InputError: it lies in a folder that a link there leads to.
    """
    if not os.path.isfile(file):
        return None
    if is_inside(file, folders):
        return file
    sources = find_sources(folder for folder in folders if os.path.isdir(folder))
    links = (one.path for one in sources if os.path.realpath(one.path) == str(file))
    link = next(links, None)
    if link is not None and not link.is_symlink():
        raise InputError(
            f"{str(link)!r} is in a folder that a link leads to; take it out of that folder, or "
            "the link out of its own, and index again"
        )
    return link
