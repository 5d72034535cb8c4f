"""Files of coarse vectors: each holds the rows of a span, is written once, whole or not at all.

They are derived: whatever happens to one, the vectors in SQLite make it anew without the encoder.
A file is used only when every byte of it has the checksum that SQLite recorded (1.5 GB/s: a
million sentences take .1 s). A bit for each row of the span comes first, then the FAISS index.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from qa.store.vectors import Part

_PATTERN: Final = "vectors-*.faiss"
_TEMPORARY: Final = ".part"


@dataclass(frozen=True, slots=True)
class Segment:
    """What the database knows of a file: the rows from ``first`` to ``last`` as they once were."""

    first: int
    last: int
    name: str
    vectors: int
    size: int
    sha256: str


def save(part: Part, span: tuple[int, int], folder: Path, generation: int) -> Segment:
    """Write a part as the file of a span of rows, and wait until the disk has it."""
    import faiss

    there = np.zeros(span[1] - span[0] + 1, dtype=np.bool_)
    there[part.rows - span[0]] = True
    content = np.packbits(there).tobytes() + faiss.serialize_index(part.index).tobytes()
    path = folder / f"vectors-{generation:08d}-{span[0]}.faiss"
    temporary = path.with_suffix(path.suffix + _TEMPORARY)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(folder)
    digest = hashlib.sha256(content).hexdigest()
    return Segment(*span, path.name, len(part), len(content), digest)


def load(folder: Path, segment: Segment) -> Part | None:
    """Return the part in a file, or None when the file is not what the database says it is."""
    import faiss

    try:
        content = (folder / segment.name).read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != segment.sha256:
        return None
    data = np.frombuffer(content, dtype=np.uint8)
    count = segment.last - segment.first + 1
    end = -(-count // 8)
    rows = segment.first + np.flatnonzero(np.unpackbits(data[:end], count=count))
    return Part(rows, faiss.deserialize_index(data[end:]), exact=False)


def damage(folder: Path, segment: Segment) -> str:
    """Return what is wrong with a file, or nothing; all of it is read."""
    path = folder / segment.name
    try:
        size = path.stat().st_size
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        return f"{segment.name} cannot be read ({error.strerror})"
    if size != segment.size:
        return f"{segment.name} has {size} bytes instead of {segment.size}"
    if digest != segment.sha256:
        return f"{segment.name} does not have the checksum that the index recorded"
    return ""


def names(folder: Path) -> list[str]:
    """Return the names of the files of vectors in a folder."""
    return [path.name for path in folder.glob(_PATTERN)]


def remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Delete vector files and unfinished ones that no commit refers to, while nobody writes."""
    names = set(kept)
    for pattern in (_PATTERN, _PATTERN + _TEMPORARY):
        for path in folder.glob(pattern):
            if path.name not in names:
                path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power loss, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
