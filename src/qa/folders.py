"""Files put into a documents folder and set aside from it; nothing is overwritten or lost.

It knows nothing of the index.

Example: ``put_file(Path("index/documents"), Path("upload/ports.txt"))``.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qa.documents import SUFFIXES
from qa.errors import InputError

# Of a name, bytes: with the ending, file systems take it.
_MOST_NAME_BYTES = 240
# Keeps a file that was set aside from being read, even where the store lies in a documents folder.
_SET_ASIDE = ".removed"


@dataclass(frozen=True, slots=True)
class Put:
    """Where a file is in a folder, and whether it was copied there: else it is the person's own."""

    path: Path
    copied: bool


def put_file(folder: Path, source: Path) -> Put:
    """Copy ``source`` into ``folder``, under a numbered name if other content has its name.

    :return: where it is now; a file with the same name and content is not copied again.
    :raises InputError: the type is not read, or the file or the folder cannot be used.
    """
    if source.suffix.lower() not in SUFFIXES:
        known = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{source.name!r} is not of a type that is read ({known})")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, source)
        copied = not target.exists()
        if copied:
            _copy(source, target)
    except OSError as error:
        raise InputError(
            f"{source.name!r} cannot be copied into {str(folder)!r} ({error.strerror}); check the "
            "permissions and the free space"
        ) from error
    return Put(target, copied)


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all: half of one would be read as a document."""
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def set_aside(path: Path, folder: Path) -> Path:
    """Move a file into ``folder``, with ``.removed`` after its name, and return where it is.

    :raises InputError: it cannot be moved.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = _unused(folder, path.name)
        _move(path, target)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be moved to {str(folder)!r} ({error.strerror}); check the "
            "permissions"
        ) from error
    return target


def _move(path: Path, target: Path) -> None:
    """Move a file, or leave no copy of it."""
    try:
        shutil.move(path, target)
    except OSError:
        if os.path.lexists(path):
            target.unlink(missing_ok=True)
        raise


def is_inside(path: Path, folders: Sequence[Path]) -> bool:
    """Tell whether a file lies in one of the folders."""
    place = Path(os.path.realpath(path))
    real = (os.path.realpath(folder) for folder in folders if os.path.isdir(folder))
    return any(map(place.is_relative_to, real))


def _free_name(folder: Path, source: Path) -> Path:
    """Return where the file goes; its name is numbered when other content has that name."""
    content = source.read_bytes()
    for number in range(1, 1000):
        name = source.name if number == 1 else f"{source.stem}-{number}{source.suffix}"
        target = folder / name
        if not target.exists() or target.read_bytes() == content:
            return target
    raise InputError(f"{source.name!r}: a thousand files have this name; rename it")


def _unused(folder: Path, name: str) -> Path:
    number = 1
    kept = os.fsencode(name)[-_MOST_NAME_BYTES:].decode("utf-8", "ignore")
    while True:
        target = folder / f"{kept}{_SET_ASIDE}{number if number > 1 else ''}"
        if not os.path.lexists(target):
            return target
        number += 1
