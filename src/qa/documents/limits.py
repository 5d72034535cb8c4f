"""How much one file may ask of the machine; everything above it is refused by name.

Example: ``Limits(file_bytes=10 << 20)`` refuses files above 10 MB and keeps the other defaults.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; each is a setting too (``docs/formats.md``).

    ``unpacked_bytes`` and ``unpacked_ratio`` (unpacked / packed) are those of a whole zip, docx or
    epub; ``entries`` counts the files in it; ``sentences`` those of a document. ``parse_seconds``
    is for one file, ``parse_bytes`` the address space of the child process that reads formats other
    than plain text.
    """

    file_bytes: int = 50 << 20
    pages: int = 2000
    unpacked_bytes: int = 500 << 20
    unpacked_ratio: int = 200
    entries: int = 10_000
    sentences: int = 500_000
    parse_seconds: int = 120
    parse_bytes: int = 2 << 30
