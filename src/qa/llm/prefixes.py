"""Prompt beginnings that were read once, kept as files: found, written atomically, checked, capped.

A file ``<key>.bin`` holds a model's cache after reading a prefix; ``<key>.json`` beside it says how
many bytes it has, their checksum, and whose they are: the store deletes what belongs to none of its
documents. The key names everything that the bytes depend on. These files
are derived: deleting any of them costs only the time to read the prefix again. What the bytes mean
is known to the server that writes and reads them alone.

Example: ``SavedPrefixes.open(folder, limit_bytes).find(key)``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_FORMAT = 1
_ABANDONED_S = 3600


@dataclass(frozen=True, slots=True)
class SavedPrefixes:
    """A folder of saved prefixes that holds at most ``limit_bytes`` of them."""

    folder: Path
    limit_bytes: int

    @classmethod
    def open(cls, folder: Path, limit_bytes: int) -> SavedPrefixes | None:
        """Return the folder, made if needed; None, with a warning, where nothing can be saved."""
        if limit_bytes <= 0:
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.warning(
                "prefixes cannot be saved in %s (%s); each process reads anew", folder, error
            )
            return None
        return cls(folder.resolve(), limit_bytes)

    @staticmethod
    def file_name(key: str) -> str:
        """Return the name, inside the folder, of the file for ``key``."""
        return f"{key}.bin"

    def find(self, key: str) -> bool:
        """Say whether an undamaged file for ``key`` is there, and mark it as just used.

        A damaged or foreign one is deleted.
        """
        file, sidecar = self._paths(key)
        try:
            if not file.exists():
                return False
            if not _fits(file, sidecar, key):
                log.warning("the saved prefix %s is damaged or of another version; read anew", file)
                _delete(file, sidecar)
                return False
            os.utime(file)
        except OSError as error:
            log.warning("the saved prefix %s cannot be used (%s); read anew", file, error)
            return False
        return True

    def save(self, key: str, write: Callable[[str], int], owner: str = "") -> None:
        """Write the file for ``key`` and delete the least recently used ones beyond the limit.

        :param key: names everything that the bytes depend on.
        :param write: given a file name inside the folder, writes it and returns its size in bytes.
        :param owner: what it is deleted with (:mod:`qa.store.prefixes`); "" for nothing.
        :raises OSError: the folder cannot be written, or the file came out short.
        """
        file, sidecar = self._paths(key)
        part = f"{key}.{os.getpid()}.part"
        try:
            expected = write(part)
            size = (self.folder / part).stat().st_size
            if size != expected:
                raise OSError(f"{expected} bytes were to be written, {size} are there: disk full?")
            if size > self.limit_bytes:
                return
            described = {"format": _FORMAT, "key": key, "bytes": size, "owner": owner}
            described["sha256"] = _checksum(self.folder / part)
            sidecar_part = self.folder / f"{part}.json"
            sidecar_part.write_text(json.dumps(described), encoding="utf-8")
            os.replace(self.folder / part, file)
            os.replace(sidecar_part, sidecar)
        finally:
            _delete(self.folder / part, self.folder / f"{part}.json")
        self._shrink(keep=file)

    def _paths(self, key: str) -> tuple[Path, Path]:
        return self.folder / f"{key}.bin", self.folder / f"{key}.json"

    def _shrink(self, keep: Path) -> None:
        self._sweep()
        files = [(path.stat(), path) for path in self.folder.glob("*.bin")]
        total = sum(stat.st_size for stat, _ in files)
        for stat, path in sorted(files, key=lambda entry: (entry[0].st_mtime_ns, entry[1].name)):
            if total <= self.limit_bytes:
                return
            if path != keep:
                _delete(path, path.with_suffix(".json"))
                total -= stat.st_size

    def _sweep(self) -> None:
        """Delete what interrupted processes left half written."""
        for path in self.folder.glob("*.part*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                _delete(path)


def _fits(file: Path, sidecar: Path, key: str) -> bool:
    try:
        described = json.loads(sidecar.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    wanted = {"format": _FORMAT, "key": key, "bytes": file.stat().st_size}
    if not isinstance(described, dict) or not wanted.items() <= described.items():
        return False
    return described.get("sha256") == _checksum(file)


def _checksum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _delete(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
