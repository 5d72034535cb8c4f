"""What a GGUF file says of itself: its model's name, size and quantisation; no weights are read.

Two servers that run the same weights give the same label, so that what was fitted with one holds
for the other. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

Example: ``label(read_general(path))`` is ``"Qwen2.5-Coder 1.5B Instruct-GGUF type 15"``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"GGUF"
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES, _LONGEST_STRING = 10_000, 1 << 20
_NAMED = ("general.basename", "general.size_label", "general.finetune", "general.file_type")


def read_general(path: Path) -> dict[str, object]:
    """Return the file's scalar ``general.*`` entries up to its first list; {} if it is no GGUF."""
    entries: dict[str, object] = {}
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                return {}
            _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
            for _ in range(min(count, _MOST_ENTRIES)):
                key = _string(file)
                (kind,) = struct.unpack("<I", file.read(4))
                if kind == _ARRAY:
                    break
                entries[key] = _value(file, kind)
    except (OSError, struct.error, ValueError):
        return {}
    return {key: value for key, value in entries.items() if key.startswith("general.")}


def label(general: Mapping[str, object]) -> str:
    """Return the name, size, tuning and quantisation type as one text; "" if it has no name."""
    name, size, tuning, quantisation = (general.get(key, "") for key in _NAMED)
    return f"{name} {size} {tuning} type {quantisation}" if name else ""


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _string(file)
    if kind not in _SCALARS:
        raise ValueError(f"unknown GGUF value type {kind}")
    layout = f"<{_SCALARS[kind]}"
    return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_STRING:
        raise ValueError(f"a GGUF string of {length} bytes")
    return file.read(length).decode("utf-8", "replace")
