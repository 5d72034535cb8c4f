"""Zip files, opened with care: what is in them, and one member's bytes.

A member's name is never used as a path on this machine; it only has to look like one inside the
archive. docx and epub files are zips too.

Example: ``with open_zip(data, "a.zip", Limits()) as packed: read_member(packed, "b.txt", …)``.
"""

from __future__ import annotations

import io
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from qa.documents.limits import Limits
from qa.documents.signatures import refuse_other_type
from qa.errors import InputError

_RATIO_FROM = 1 << 20  # bytes: less unpacked harms nobody, however well it was packed
_DRIVE = re.compile("[A-Za-z]:")
_UTF8 = 0x800  # the flag of a name in UTF-8; Python reads others as cp437
_RESOURCES = "__MACOSX"  # what macOS adds beside the files


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its name there, or why it cannot be read."""

    name: str
    problem: str = ""


def open_zip(data: bytes, name: str, limits: Limits, wanted: str = "zip") -> zipfile.ZipFile:
    """Open an archive whose size, once unpacked, is within the limits.

    :param wanted: the type that the file should have, for errors.
    :raises InputError: it is no zip, damaged, or a bomb.
    """
    if not data.startswith(b"PK"):
        refuse_other_type(data, name, wanted)
    try:
        packed = zipfile.ZipFile(io.BytesIO(data))
    except (
        *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, ValueError, OSError),
        *(NotImplementedError, RuntimeError, EOFError),
    ) as error:
        raise InputError(
            f"{name!r} is damaged or cut off and cannot be read as {wanted} ({error}); get it once "
            f"more"
        ) from error
    problem = _excess(packed.infolist(), limits)
    if problem:
        packed.close()
        raise InputError(f"{name!r} {problem}")
    return packed


def _excess(infos: list[zipfile.ZipInfo], limits: Limits) -> str:
    """Return by what an archive is above the limits; nothing when it is not."""
    unpacked = sum(info.file_size for info in infos)
    ratio = unpacked / max(sum(info.compress_size for info in infos), 1)
    if len(infos) > limits.entries:
        return f"holds {len(infos)} files, the limit is {limits.entries}; raise max_entries"
    if unpacked > limits.unpacked_bytes:
        return (
            f"is {unpacked / 1e6:.0f} MB when unpacked, the limit is "
            f"{limits.unpacked_bytes / 1e6:.0f} MB; raise max_unpacked_mb if you trust it"
        )
    if unpacked > _RATIO_FROM and ratio > limits.unpacked_ratio:
        return (
            f"is {ratio:.0f} times larger when unpacked, the limit is {limits.unpacked_ratio}: it "
            f"may be a zip bomb; raise max_unpacked_ratio if you trust it"
        )
    return ""


def members(packed: zipfile.ZipFile) -> Iterator[Member]:
    """Yield the files of an archive; hidden ones, folders and links are left out."""
    seen: set[str] = set()
    for info in packed.infolist():
        if not info.filename or info.is_dir() or stat.S_ISLNK(info.external_attr >> 16):
            continue
        path = _path(info)
        shown = [part for part in path.parts if part != ".."]
        if not shown or any(part.startswith(".") or part == _RESOURCES for part in shown):
            continue
        yield Member(path.as_posix(), _problem(info, path, seen))
        seen.add(path.as_posix())


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    """Return a member's path; some programs write it with backslashes, or in UTF-8 unsaid."""
    name = info.filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return PurePosixPath(name.replace("\\", "/"))


def _problem(info: zipfile.ZipInfo, path: PurePosixPath, seen: set[str]) -> str:
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(path.parts[0]):
        return "has a path that leads outside the archive; it is not read"
    if info.flag_bits & 1:
        return "is encrypted; unpack it with its password"
    if path.as_posix() in seen:
        return "is in the archive more than once; the first one is read"
    return ""


def read_member(packed: zipfile.ZipFile, member: str, name: str, limits: Limits) -> bytes:
    """Return the bytes of a member.

    :param name: what to call it in errors.
    :raises InputError: it is not there, too large, encrypted or damaged.
    """
    info = next((one for one in packed.infolist() if _path(one).as_posix() == member), None)
    if info is None:
        raise InputError(f"there is no {name!r}; the archive has no such file")
    if info.file_size > limits.file_bytes:
        raise InputError(
            f"{name!r} is too large: {info.file_size / 1e6:.1f} MB, the limit is "
            f"{limits.file_bytes / 1e6:.1f} MB; split it or raise max_file_mb"
        )
    try:
        return packed.read(info)
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        struct.error,  # in the head of packed bytes
        EOFError,
        OSError,
        RuntimeError,  # encrypted
        NotImplementedError,
        ValueError,
    ) as error:
        raise InputError(f"{name!r} cannot be unpacked ({error}); get the archive anew") from error
