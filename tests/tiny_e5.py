"""A packed encoder file of one layer and ten words, in the format of the real one."""

from __future__ import annotations

import struct

import numpy as np

HIDDEN, LAYERS, HEADS, INNER, POSITIONS = 32, 1, 4, 64, 512
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁le", "▁chat", "▁dort", "s", "t"]
NORMALISATION = {"\x07": "", "\u200b": " ", "▁": " ", "ﬁ": "fi"}


def q4_block(scale: float, weights: list[int]) -> bytes:
    """Pack 32 whole numbers from -8 to 7 times ``scale``."""
    low, high = weights[:16], weights[16:]
    nibbles = bytes((a + 8) | (b + 8) << 4 for a, b in zip(low, high, strict=True))
    return struct.pack("<e", scale) + nibbles


def tiny_tensors() -> dict[str, tuple[int, int, bytes]]:
    """Return name → (type, number of values, bytes), random but the same each time."""
    random = np.random.default_rng(0)

    def q4(count: int) -> tuple[int, int, bytes]:
        values = random.integers(-8, 8, (count // 32, 32)).tolist()
        return 1, count, b"".join(q4_block(0.03125, row) for row in values)

    def f32(count: int) -> tuple[int, int, bytes]:
        return 0, count, random.normal(1, 0.1, count).astype("<f4").tobytes()

    square = HIDDEN * HIDDEN
    tensors = {
        "emb.word": q4(len(WORDS) * HIDDEN),
        "emb.pos": f32(POSITIONS * HIDDEN),
        "emb.type": f32(2 * HIDDEN),
        "emb.ln.w": f32(HIDDEN),
        "emb.ln.b": f32(HIDDEN),
    }
    for part, weights, out in (
        ("q", square, HIDDEN),
        ("k", square, HIDDEN),
        ("v", square, HIDDEN),
        ("ao", square, HIDDEN),
        ("fi", HIDDEN * INNER, INNER),
        ("fo", HIDDEN * INNER, HIDDEN),
    ):
        tensors[f"l0.{part}.w"] = q4(weights)
        tensors[f"l0.{part}.b"] = f32(out)
    for norm in ("aln", "oln"):
        tensors[f"l0.{norm}.w"] = f32(HIDDEN)
        tensors[f"l0.{norm}.b"] = f32(HIDDEN)
    return tensors


def tiny_e5() -> bytes:
    """Return a whole packed encoder file of one layer and ten words."""
    sizes = (HIDDEN, LAYERS, HEADS, INNER, len(WORDS), POSITIONS, 2)
    content = b"E5S1" + struct.pack("<I7ifi", 1, *sizes, 1e-12, 32)
    pieces = [word.encode() for word in WORDS]
    offsets = np.cumsum([0, *map(len, pieces)]).astype("<u4")
    content += struct.pack("<5iQ", len(WORDS), 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes()
    content += np.linspace(0, -9, len(WORDS)).astype("<f4").tobytes() + b"".join(pieces)
    entries = b"".join(
        struct.pack(f"<IB{len(to)}I", ord(char), len(to), *map(ord, to))
        for char, to in NORMALISATION.items()
    )
    content += struct.pack("<iI", len(NORMALISATION), len(entries)) + entries
    tensors = tiny_tensors()
    directory_bytes = 4 + sum(2 + len(name) + 21 for name in tensors)
    at = len(content) + directory_bytes
    directory = struct.pack("<i", len(tensors))
    for name, (kind, count, data) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, count, at, len(data))
        at += len(data)
    return content + directory + b"".join(data for _, _, data in tensors.values())
