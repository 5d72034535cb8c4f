"""Files in the cache: written whole or not at all, by one process at a time, and stamped.

It does not know what the files hold.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import json
import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from qa.errors import ModelUnavailable

if sys.platform != "win32":
    import fcntl

Progress = Callable[[str], None]

_logger = logging.getLogger(__name__)

_BLOCK_BYTES = 4 * 1024 * 1024
# Assembling 1.1 GB takes seconds, on a slow disk minutes; after this, go on without the lock.
_LOCK_WAIT_S = 600.0
_LOCK_POLL_S = 0.1
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a verified file looked like, so that later starts need not read it."""

    size: int
    mtime_ns: int
    sha256: str

    def fits(self, path: Path) -> bool:
        """Return whether ``path`` still has the size and the time it had when it was verified."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


def stamp_of(path: Path, sha256: str) -> Stamp:
    """Return the stamp of a file whose ``sha256`` is known."""
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns, sha256)


def read_stamps(path: Path) -> dict[str, Stamp]:
    """Return the stamps by name that ``path`` holds; none when it is missing or damaged."""
    try:
        return {name: Stamp(**value) for name, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_stamps(path: Path, stamps: dict[str, Stamp]) -> None:
    """Write ``stamps`` to ``path``."""
    values = {name: asdict(stamp) for name, stamp in stamps.items()}
    with replacing(path) as file:
        file.write(json.dumps(values, indent=1).encode())


def file_blocks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of ``path`` in blocks."""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    for block in file_blocks(path):
        digest.update(block)
    return digest.hexdigest()


def package_file(package: str, name: str) -> Path | None:
    """Return the path of a file inside an installed package, without importing the package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, name)
        if path.is_file():
            return path
    return None


def unique_beside(path: Path) -> Path:
    """Return a new hidden name in the folder of ``path``, for what is not finished yet."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that becomes ``path`` when all of it is on the disk; an error leaves nothing."""
    part = unique_beside(path)
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def writing(what: str, folder: Path) -> Iterator[None]:
    """Make ``folder`` and translate what goes wrong while something is written into it.

    :param what: what is being written, with its size, for the message.
    :param folder: where; the message names it.
    :raises ModelUnavailable: no room, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ModelUnavailable(
                f"no room for {what} in the cache folder {str(folder)!r}{_free(folder)}: free some "
                "space, or set QA_CACHE to a folder on another disk"
            ) from error
        raise ModelUnavailable(
            f"cannot write {what} into the cache folder {str(folder)!r} "
            f"({error.strerror or error}): make it writable, or set QA_CACHE to a folder that is"
        ) from error


def _free(folder: Path) -> str:
    try:
        return f" ({shutil.disk_usage(folder).free / 1e9:.1f} GB free)"
    except OSError:
        return ""


@contextmanager
def locked(path: Path, progress: Progress | None) -> Iterator[None]:
    """Keep other processes from making ``path`` meanwhile, and remove what dead ones left of it.

    The lock ends with its process. Without it (no ``fcntl``, a read-only folder, waited too long)
    nothing breaks: parts have names of their own and all writers write the same bytes.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.with_name(f".{path.name}.lock").open("ab"))
        except OSError as error:
            _logger.info("no lock for %r: %s", str(path), error)
        else:
            if _take(file, progress):
                for part in path.parent.glob(f".{path.name}.*.part"):
                    remove(part)
        yield


def _take(file: BinaryIO, progress: Progress | None) -> bool:
    if sys.platform == "win32":
        return False
    end_s = time.monotonic() + _LOCK_WAIT_S
    told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end_s:
                _logger.warning("another process has held %r too long: going on", file.name)
                return False
            if progress and not told:
                progress("waiting for another process that prepares the same model")
            told = True
            time.sleep(_LOCK_POLL_S)
        except OSError as error:  # a file system without locks
            _logger.info("no lock on %r: %s", file.name, error)
            return False
        else:
            return True


def remove(path: Path) -> None:
    """Remove a file or a folder, whether it is there or not."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
