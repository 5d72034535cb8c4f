"""Vectors of length 1 as SQLite keeps them: 16-bit floats with a checksum each, some to a block.

Cosines move by about 1e-5 (384 dimensions), and everything is half as large. It knows nothing of
searching.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from qa.store.database import PAGE_BYTES

Vectors = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

_CRC_BYTES: Final = 4
# Blocks in a page of SQLite's: a document's last block may be small, and what it leaves of a page
# is lost unless blocks are small (6 % of all with one block a page, 2 % with seven).
_PAGE_BLOCKS: Final = 7


def vector_bytes(dim: int) -> int:
    """Return how many bytes SQLite keeps of a vector."""
    return 2 * dim + _CRC_BYTES


def block_vectors(dim: int) -> int:
    """Return how many vectors are kept together."""
    return max(1, PAGE_BYTES // (vector_bytes(dim) * _PAGE_BLOCKS))


def pack(vectors: Vectors | Halves) -> list[bytes]:
    """Return (n, dim) vectors as SQLite keeps them: in blocks, of which the last may be smaller."""
    halves = np.ascontiguousarray(vectors, dtype="<f2")
    packed = [one + zlib.crc32(one).to_bytes(_CRC_BYTES, "little") for one in map(bytes, halves)]
    size = block_vectors(halves.shape[1])
    return [b"".join(packed[at : at + size]) for at in range(0, len(packed), size)]


def unpack(blocks: Sequence[bytes], dim: int) -> Halves:
    """Return the (n, dim) float16 of blocks.

    :raises ValueError: a vector is not what was written.
    """
    size = vector_bytes(dim)
    if not all(isinstance(block, bytes) and not len(block) % size for block in blocks):
        raise ValueError("a vector is not what was written")
    content = b"".join(blocks)
    view = memoryview(content)
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    expected = np.ascontiguousarray(rows[:, -_CRC_BYTES:]).view("<u4").ravel().tolist()
    for number, check_sum in enumerate(expected):
        if zlib.crc32(view[number * size : (number + 1) * size - _CRC_BYTES]) != check_sum:
            raise ValueError(f"vector {number} is not what was written")
    return np.ascontiguousarray(rows[:, :-_CRC_BYTES]).view("<f2")
