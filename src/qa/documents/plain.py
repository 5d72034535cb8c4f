"""Text files → text: the encoding is found, and a guess is said.

Example: ``read_plain("été".encode("cp1252"), "notes.txt", Limits()).text == "été"``.
"""

from __future__ import annotations

import codecs
import re

from qa.documents.limits import Limits
from qa.documents.reading import Reading
from qa.documents.signatures import kind_of
from qa.errors import InputError

_CONTROL_SHARE = 0.1  # more control characters than this in valid UTF-8: a binary file
_CONTROL_SHARE_UNKNOWN = 0.02  # the same in a file that is not UTF-8
_FEW_CONTROLS = 3  # as many are stray, however short the file
_HEAD = 4096  # of a file, to tell its encoding from
# Of the bytes of one half of UTF-16, the share that is NUL in text with some Latin letters; and
# of the other half, beside it.
_WIDE_SHARE, _WIDE_STRAY, _FEWEST_WIDE = 0.4, 0.05, 8
_FEWEST_LETTERS = 8  # to tell a script by

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")


def read_plain(data: bytes, name: str, limits: Limits) -> Reading:
    """Decode a text file: a byte order mark decides, then UTF-8, then the Western code pages.

    :raises InputError: it is a binary file, or its encoding cannot be told.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, errors="replace")
            return _checked(Reading(text, _damage(text, encoding)), name, _CONTROL_SHARE)
    if encoding := _wide_encoding(data):
        text = data.decode(encoding, errors="replace")
        notices = (f"without a byte order mark: read as {encoding}", *_damage(text, encoding))
        return _checked(Reading(text, notices), name, _CONTROL_SHARE)
    try:
        return _checked(Reading(data.decode("utf-8")), name, _CONTROL_SHARE)
    except UnicodeDecodeError:
        reading = _checked(_read_other(data), name, _CONTROL_SHARE_UNKNOWN)
    if _is_misread(reading.text):
        raise InputError(
            f"{name!r} is not UTF-8, and in which encoding it is cannot be told; save it as UTF-8"
        )
    return reading


def _wide_encoding(data: bytes) -> str:
    """Return which UTF-16 a text without a mark is: every other byte of Latin letters is NUL."""
    head = data[:_HEAD]
    low, high = head[1::2].count(0), head[::2].count(0)
    most, least, encoding = max((low, high, "utf-16-le"), (high, low, "utf-16-be"))
    wide = len(head) >= _FEWEST_WIDE and most > _WIDE_SHARE * (len(head) // 2)
    return encoding if wide and least <= _WIDE_STRAY * most else ""


def _is_misread(text: str) -> bool:
    """Return whether a Western reading is that of another script: it has few plain letters.

    Words of Western languages are mostly plain letters; Russian or Japanese, misread, has none.
    """
    letters = [char for char in text[:_HEAD] if char.isalpha() or "\x80" <= char < "\xa0"]
    plain = sum(map(str.isascii, letters))
    return "\ufffd" not in text and len(letters) >= _FEWEST_LETTERS and plain < 0.5 * len(letters)


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


def _checked(reading: Reading, name: str, control_share: float) -> Reading:
    """Return the reading if it is text, and refuse a binary file."""
    head = reading.text[:8].encode("utf-8", errors="replace")
    kind = kind_of(head)
    controls = len(_CONTROL.findall(reading.text))
    few = max(_FEW_CONTROLS, control_share * len(reading.text))
    if kind or controls > min(few, 0.3 * len(reading.text)):
        what = f"a {kind} file" if kind else "a binary file"
        raise InputError(
            f"{name!r} is {what}, not text; give it the suffix of what it is, or convert it"
        )
    return reading
