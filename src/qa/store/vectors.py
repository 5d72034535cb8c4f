"""The FAISS part of the store: a flat inner-product index in one checksummed file a generation.

It is derived: whatever happens to its file, the vectors in SQLite make it anew without the encoder.
Rows are the ids of sentences; vectors have length 1, so that the inner product is the cosine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import faiss

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_PATTERN: Final = "vectors-*.faiss"
_TEMPORARY: Final = ".part"
# Below this a file's checksum is verified whenever it is loaded, above by a deep check only.
_VERIFIED_BYTES: Final = 64 << 20

# Equal texts have equal cosines whatever else is searched: float32 noise is below this.
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class VectorFile:
    """What the database knows of the file: it is used only when all of this holds."""

    name: str
    generation: int
    vectors: int
    size: int
    sha256: str


class VectorIndex:
    """An immutable set of (row, vector); a change makes a new one, so that readers need no lock."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def of(cls, rows: Rows, vectors: Vectors) -> VectorIndex:
        """Make an index of (n,) row ids and (n, dim) float32 vectors of length 1."""
        import faiss

        index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
        index.add_with_ids(np.ascontiguousarray(vectors), rows)
        return cls(index)

    def __bool__(self) -> bool:
        return True  # an empty index is one, too

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def changed(self, removed: Collection[int], rows: Rows, vectors: Vectors) -> VectorIndex:
        """Return an index without the rows ``removed`` and with the new ones."""
        import faiss

        index = faiss.clone_index(self._index)
        if removed:
            index.remove_ids(np.fromiter(removed, dtype=np.int64))  # type: ignore[arg-type]
        if len(rows):
            index.add_with_ids(np.ascontiguousarray(vectors), rows)
        return VectorIndex(index)

    def search(
        self, vector: Vectors, top_k: int, within: Rows | None = None
    ) -> list[tuple[int, float]]:
        """Return the ``top_k`` best (row, cosine), best first, of all rows or ``within`` some."""
        import faiss

        top_k = min(top_k, len(self) if within is None else len(within))
        if top_k <= 0:
            return []
        # One question is one thread's work; more threads only wait for each other (9 ms against 1).
        faiss.omp_set_num_threads(1)
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        cosines, rows = self._index.search(query, top_k, params=_only(within))
        found = [
            (int(row), round(float(cosine), _DECIMALS))
            for row, cosine in zip(rows[0], cosines[0], strict=True)
            if row >= 0
        ]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))

    def save(self, folder: Path, generation: int) -> VectorFile:
        """Write the file of a generation whole or not at all."""
        import faiss

        content = faiss.serialize_index(self._index).tobytes()
        path = folder / f"vectors-{generation:08d}.faiss"
        temporary = path.with_suffix(path.suffix + _TEMPORARY)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(folder)
        digest = hashlib.sha256(content).hexdigest()
        return VectorFile(path.name, generation, len(self), len(content), digest)


def _only(within: Rows | None) -> faiss.SearchParameters | None:
    if within is None:
        return None
    import faiss

    return faiss.SearchParameters(sel=faiss.IDSelectorBatch(within))  # type: ignore[call-arg]


def load(folder: Path, file: VectorFile) -> VectorIndex | None:
    """Return the index in a file, or None when the file is not what the database says it is."""
    import faiss

    if damage(folder, file, deep=file.size <= _VERIFIED_BYTES):
        return None
    try:
        index = faiss.read_index(str(folder / file.name))
    except RuntimeError:
        return None
    return VectorIndex(index) if index.ntotal == file.vectors else None


def damage(folder: Path, file: VectorFile, *, deep: bool) -> str:
    """Return what is wrong with a file, or nothing; ``deep`` reads and checksums all of it."""
    path = folder / file.name
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"{file.name} has {size} bytes instead of {file.size}"
        if deep:
            with path.open("rb") as content:
                if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                    return f"{file.name} does not have the checksum that the index recorded"
    except OSError as error:
        return f"{file.name} cannot be read ({error.strerror})"
    return ""


def remove_others(folder: Path, kept: Iterable[str]) -> None:
    """Delete vector files and unfinished ones that no commit refers to, while nobody writes."""
    names = set(kept)
    for pattern in (_PATTERN, _PATTERN + _TEMPORARY):
        for path in folder.glob(pattern):
            if path.name not in names:
                path.unlink(missing_ok=True)


def remove_older(folder: Path, name: str) -> None:
    """Delete the vector files of generations before that of ``name``; a later one may be in use."""
    for path in folder.glob(_PATTERN):
        if path.name < name:
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power loss, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
