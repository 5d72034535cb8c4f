"""A file's bytes, within the limits; for a member of an archive, those of the archive.

Example: ``split_member(Path("docs/a.zip/notes/b.md")) == (Path("docs/a.zip"), "notes/b.md")``.
"""

from __future__ import annotations

import os
from pathlib import Path

from qa.documents.formats import ARCHIVE
from qa.documents.limits import Limits
from qa.errors import InputError


def split_member(path: Path) -> tuple[Path, str]:
    """Return the file that a path leads to, and the member when that file is an archive."""
    if ARCHIVE not in str(path).lower():  # nearly always: and looking at each folder is slow
        return path, ""
    for above in path.parents:
        if above.suffix.lower() == ARCHIVE and above.is_file():
            return above, path.relative_to(above).as_posix()
    return path, ""


def is_there(path: Path, *, unseen: bool = False) -> bool:
    """Return whether a path leads to a file, or into an archive that is there.

    :param unseen: what to return where nobody may look.
    """
    try:
        return path.exists() or bool(split_member(path)[1])
    except OSError:
        return unseen


def read_bytes(path: Path, limits: Limits) -> bytes:
    """Return the bytes of a file.

    :raises InputError: it is missing, a folder, not a regular file, too large, or empty.
    """
    try:
        if path.is_dir():
            raise InputError(f"{str(path)!r} is a folder; give a file, or index the folder")
        if path.exists() and not path.is_file():
            raise InputError(f"{str(path)!r} is not a regular file; give a text file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(limits.file_bytes + 1) if size <= limits.file_bytes else b""
    except FileNotFoundError as error:
        raise InputError(f"there is no file {str(path)!r}; check the path") from error
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if max(size, len(data)) > limits.file_bytes:
        raise InputError(
            f"{str(path)!r} is too large: {max(size, len(data)) / 1e6:.1f} MB, the limit is "
            f"{limits.file_bytes / 1e6:.1f} MB; split it or raise max_file_mb"
        )
    if not data:
        raise InputError(f"{str(path)!r} is empty; put text in it or leave it out")
    return data
