"""The formats that can be read: suffix → reader of a file's bytes; a new one is a line in a table.

A reader returns text as it finds it; the package makes it canonical afterwards.

Example: ``read_format(Path("notes.txt"), "été".encode("cp1252")).text == "été"``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qa.errors import InputError

_CONTROL_SHARE = 0.1  # more control characters than this in valid UTF-8: a binary file
_CONTROL_SHARE_UNKNOWN = 0.02  # the same in a file that is not UTF-8
_FEW_CONTROLS = 3  # as many are stray, however short the file

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIGNATURES = {b"%PDF-": "PDF", b"PK\x03\x04": "zip (docx, odt, epub…)", b"{\\rtf": "RTF"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader finds in a file's bytes."""

    text: str
    notices: tuple[str, ...] = ()


def _read_plain(data: bytes, path: Path) -> Reading:
    """Decode a text file: a byte order mark decides, then UTF-8, then the Western code pages."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, errors="replace")
            return _checked(Reading(text, _damage(text, encoding)), path, _CONTROL_SHARE)
    try:
        return _checked(Reading(data.decode("utf-8")), path, _CONTROL_SHARE)
    except UnicodeDecodeError:
        return _checked(_read_other(data), path, _CONTROL_SHARE_UNKNOWN)


def _damage(text: str, encoding: str) -> tuple[str, ...]:
    bad = text.count("\ufffd")
    return (f"{bad} damaged characters in {encoding} text were replaced by \ufffd",) if bad else ()


def _read_other(data: bytes) -> Reading:
    """Decode what is not UTF-8: damaged UTF-8 if most of it still is, else cp1252, else latin-1."""
    try:
        text = _SURROGATE.sub("\ufffd", data.decode("utf-8", errors="surrogatepass"))
    except UnicodeDecodeError:
        pass
    else:
        return Reading(text, _damage(text, "utf-8"))
    repaired = data.decode("utf-8", errors="replace")
    bad = repaired.count("\ufffd")
    good = sum(not char.isascii() for char in repaired) - bad
    if good > bad:
        return Reading(repaired, _damage(repaired, "utf-8"))
    for encoding in ("cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return Reading(
            text, (f"not UTF-8: read as {encoding}; if accents look wrong, save it as UTF-8",)
        )
    raise AssertionError("latin-1 decodes every byte")


def _checked(reading: Reading, path: Path, control_share: float) -> Reading:
    """Return the reading if it is text, and refuse a binary file."""
    head = reading.text[:8].encode("utf-8", errors="replace")
    kind = next((name for mark, name in _SIGNATURES.items() if head.startswith(mark)), None)
    controls = len(_CONTROL.findall(reading.text))
    few = max(_FEW_CONTROLS, control_share * len(reading.text))
    if kind or controls > min(few, 0.3 * len(reading.text)):
        what = f"a {kind} file" if kind else "a binary file"
        raise InputError(f"{str(path)!r} is {what}, not text; convert it to plain text first")
    return reading


_Reader = Callable[[bytes, Path], Reading]

# A new format is one more line here: suffix → reader.
_READERS: Mapping[str, _Reader] = {
    ".txt": _read_plain,
    ".md": _read_plain,
    ".markdown": _read_plain,
}

SUFFIXES: tuple[str, ...] = tuple(_READERS)
"""The suffixes, in lower case, of the files that can be read."""


def read_format(path: Path, data: bytes) -> Reading:
    """Return what the reader for the file's suffix finds in its bytes.

    :param path: names the reader, and the file in errors.
    :param data: the file's bytes.
    :return: the text as it stands in the file.
    :raises InputError: there is no reader, or the bytes are not what it reads.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise unsupported(path)
    return reader(data, path)


def unsupported(path: Path) -> InputError:
    """Return the error for a file whose suffix has no reader."""
    return InputError(
        f"{str(path)!r} has a type that cannot be read; convert it to one of: {', '.join(SUFFIXES)}"
    )
