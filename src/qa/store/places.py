"""A document's sentences as two values of SQLite, each with its checksum, and back.

``places`` says where the sentences are and in which contexts they are read; ``words``, two bytes a
sentence, what a search needs to know of them all. A context mostly is a head that many sentences
have in common (title, heading) and the sentence before: only heads are kept. It knows nothing of
SQLite.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qa.types import Document, Sentence

Words = npt.NDArray[np.uint16]

CRC_BYTES: Final = 4
# In ``words``: the sentence before is part of the context; the rest is 1 + the number of stems in
# sentence and context, and 0 for what cannot be found.
LINKED: Final = 0x8000
MOST_WORDS: Final = 0x7FFF
# How a context goes on after its head: not at all, or with the sentence before, plain or with a
# full stop.
_ENDINGS: Final = ("", "{}", "{}.")
_HEADING: Final = 4
# A word never goes across such a character and a space.
_ENDS: Final = frozenset(".!?…:;,»。！？؟")


def sealed(content: bytes, key: str) -> bytes:
    """Return bytes with their checksum, which the key under which they are kept is part of."""
    return content + _check_sum(content, key)


def opened(content: bytes, key: str) -> bytes:
    """Return what :func:`sealed` was given.

    :raises ValueError: it is not what was written under this key.
    """
    if isinstance(content, bytes):
        whole = content[:-CRC_BYTES]
        if _check_sum(whole, key) == content[-CRC_BYTES:]:
            return whole
    raise ValueError(f"what is kept of {key!r} is not what was written")


def _check_sum(content: bytes, key: str) -> bytes:
    return zlib.crc32(content, zlib.crc32(key.encode())).to_bytes(CRC_BYTES, "little")


def flat(text: str) -> str:
    """Return a sentence as it stands in the context of the next one: on one line."""
    return " ".join(text.split())


def split_context(context: str, before: str) -> tuple[str, int]:
    """Return a context's head, and how the sentence before it follows (see `_ENDINGS`)."""
    for ending in (1, 2) if before else ():
        last = _ENDINGS[ending].format(before)
        head = context[: len(context) - len(last)]
        if context.endswith(last) and (not head or (head[-1] == " " and head[-2:-1] in _ENDS)):
            return head, ending
    return context, 0


@dataclass(frozen=True, slots=True)
class Places:
    """Where a document's sentences are: offsets, and for each its number among the heads."""

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    heads: tuple[str, ...]
    head_numbers: npt.NDArray[np.int32]
    flags: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self.starts)

    def sentence(self, document: Document, place: int) -> Sentence:
        """Return a sentence of the document that the places are of."""
        start, end = int(self.starts[place]), int(self.ends[place])
        heading = bool(self.flags[place] & _HEADING)
        return Sentence(document.id, place, start, end, document.text[start:end], heading)

    def goes_on(self, place: int) -> bool:
        """Return whether the sentence before is the end of a sentence's context."""
        return bool(self.flags[place] & ~_HEADING)

    def context(self, document: Document, place: int) -> str:
        """Return the context that a sentence is read in."""
        head = self.heads[int(self.head_numbers[place])]
        ending = _ENDINGS[int(self.flags[place]) & ~_HEADING]
        if not ending:
            return head
        return head + ending.format(flat(self.sentence(document, place - 1).text))

    def pack(self, key: str) -> bytes:
        """Return the bytes that :meth:`unpack` reads."""
        columns = np.array(
            [
                np.diff(self.starts, prepend=0),
                self.ends - self.starts,
                self.head_numbers,
                self.flags,
            ],
            dtype="<i4",
        )
        count = len(self).to_bytes(4, "little")
        plain = count + columns.tobytes() + json.dumps(self.heads).encode()
        return sealed(zlib.compress(plain), key)

    @classmethod
    def unpack(cls, content: bytes, key: str) -> Places:
        """Read what :meth:`pack` returned.

        :raises ValueError: it is not what was written.
        """
        plain = zlib.decompress(opened(content, key))
        end = 4 + 16 * int.from_bytes(plain[:4], "little")
        gaps, lengths, head_numbers, flags = np.frombuffer(plain[4:end], dtype="<i4").reshape(4, -1)
        starts = np.cumsum(gaps, dtype=np.int32)
        heads = tuple(json.loads(plain[end:]))
        return cls(starts, starts + lengths, heads, head_numbers, flags)

    @classmethod
    def of(cls, sentences: Sequence[Sentence], context_of: Mapping[int, str]) -> Places:
        """Return the places of a document's sentences; a context is under its sentence's index."""
        heads: dict[str, int] = {}
        rows, before = [], ""
        for one in sentences:
            head, ending = split_context(context_of.get(one.index, ""), before)
            flags = ending | (_HEADING if one.heading else 0)
            rows.append((one.start, one.end, heads.setdefault(head, len(heads)), flags))
            before = flat(one.text)
        starts, ends, numbers, flags_of = np.array(rows, dtype=np.int32).reshape(-1, 4).T
        return cls(starts, ends, tuple(heads), numbers, flags_of)
