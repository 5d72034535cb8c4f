"""PDF page → segments: pieces of a line with the place of every character; the owner of pdfium.

Characters are made canonical here, so that offsets in what is put together later need no map:
ligatures are spelt out, accents composed, raised digits written as such. It knows no paragraphs.

Example: ``read_page(page).segments[0].text == "Rapport annuel"``.
"""

from __future__ import annotations

import ctypes
import math
import unicodedata
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

_SAME_LINE = 0.3  # baselines closer than this share of the size are one line
_SPLIT_GAP = 1.5  # × size: a wider gap separates columns or cells...
_JOIN_GAP = 0.9  # ... and pieces closer than this that were written apart are joined again
_WORD_GAP = 0.12  # × size: pieces further apart are two words
_RAISED = 0.15  # × size: a smaller character this far above the line is an exponent
_SMALLER = 0.9
_UPRIGHT = 0.05  # of a quarter turn
_HYPHENS = "\x02\ufffe"  # pdfium's marks for a hyphen at a line's end
SOFT_HYPHEN = "\u00ad"  # kept at a line's end alone, where it is drawn
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_RAISED_DIGITS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))


_Place = Callable[[float, float], tuple[float, float]]


class _Char(NamedTuple):
    """A character as it is drawn, in points from the page's top left."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    base: float
    size: float


@dataclass(slots=True)
class Segment:
    """A piece of a line: ``left[i]`` and ``right[i]`` are the edges of ``text[i]``, in points.

    Points are counted from the top left of the page as it is shown, or as it would be after
    ``turn`` quarter turns clockwise, which put the text upright.
    """

    text: str = ""
    left: array[float] = field(default_factory=lambda: array("f"))
    right: array[float] = field(default_factory=lambda: array("f"))
    top: float = 0.0
    bottom: float = 0.0
    base: float = 0.0
    size: float = 0.0
    turn: int = 0

    @property
    def x0(self) -> float:
        """Return the left edge."""
        return self.left[0]

    @property
    def x1(self) -> float:
        """Return the right edge."""
        return self.right[-1]


class PageText(NamedTuple):
    """The text of a page, and its size in points as it is shown.

    ``segments`` stand upright; ``turned`` has, for each way in which others are turned, those. The
    characters counted by ``slanted`` stand at another angle, as a watermark does, and are left out.
    """

    segments: list[Segment]
    width: float
    height: float
    turned: tuple[list[Segment], ...] = ()
    slanted: int = 0


def read_page(page: PdfPage) -> PageText:
    """Return the text of a page, piece by piece."""
    width, height = page.get_size()
    chars: dict[int | None, list[_Char]] = {0: [], 1: [], 2: [], 3: [], None: []}
    for char, turn in _read_chars(page, width, height):
        chars[turn].append(char)
    slanted = sum(char.text != "\n" for char in chars.pop(None))
    upright, *turned = (_rejoined(list(_split(some, turn or 0))) for turn, some in chars.items())
    return PageText(upright, width, height, tuple(filter(None, turned)), slanted)


def turned(turn: int, x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """Return a point of a page where it is once quarter-turned text has been put upright.

    :param turn: quarter turns, counter-clockwise, of the text as it is shown; those of a text that
        was put upright are undone by its negative.
    :param width: of the page before.
    """
    for _ in range(turn % 4):
        x, y, width, height = height - y, x, height, width
    return x, y


def _read_chars(page: PdfPage, width: float, height: float) -> Iterator[tuple[_Char, int | None]]:
    """Yield the characters of a page, put upright, and their quarter turns as the page is shown."""
    place = _display(page, width, height)
    rotation = math.radians(page.get_rotation())
    textpage = page.get_textpage()
    try:
        before: tuple[_Char, int | None] | None = None
        for text, glyph in _glyphs(textpage):
            turn = _quarter_turns(glyph.angle - rotation)
            corners = (
                turned(turn or 0, *place(*corner), width, height)
                for corner in (
                    (glyph.left, glyph.top),
                    (glyph.right, glyph.bottom),
                    (glyph.x, glyph.y),
                )
            )
            (ax, ay), (bx, by), (_, base) = corners
            size = glyph.size if glyph.size > 1 else abs(by - ay)
            char = _Char(text, min(ax, bx), max(ax, bx), min(ay, by), max(ay, by), base, size)
            if before and text != "\n" and char[1:] == before[0][1:] and char.x1 > char.x0:
                # One glyph of several letters: a ligature.
                before = before[0]._replace(text=before[0].text + text), before[1]
                continue
            if before:
                yield before
            before = char, turn
        if before:
            yield before
    finally:
        textpage.close()


def _quarter_turns(angle: float) -> int | None:
    """Return an angle as quarter turns; None if it is none."""
    turns = angle / (math.pi / 2)
    return round(turns) % 4 if abs(turns - round(turns)) < _UPRIGHT else None


class _Glyph(NamedTuple):
    """What pdfium tells of a character, in the page's own coordinates (y upwards)."""

    left: float
    top: float
    right: float
    bottom: float
    x: float
    y: float
    size: float
    angle: float


def _glyphs(textpage: PdfTextPage) -> Iterator[tuple[str, _Glyph]]:
    """Yield each character that can be seen, spaces and line ends, with its place."""
    import pypdfium2.raw as pdfium

    raw = textpage.raw
    box, matrix = pdfium.FS_RECTF(), pdfium.FS_MATRIX()
    x, y = ctypes.c_double(), ctypes.c_double()
    for index in range(textpage.count_chars()):
        text = _spelt(pdfium.FPDFText_GetUnicode(raw, index))
        if not text or not pdfium.FPDFText_GetLooseCharBox(raw, index, box):
            continue
        pdfium.FPDFText_GetCharOrigin(raw, index, x, y)
        pdfium.FPDFText_GetMatrix(raw, index, matrix)
        size = pdfium.FPDFText_GetFontSize(raw, index) * math.hypot(matrix.c, matrix.d)
        angle = math.atan2(matrix.b, matrix.a)
        sides = (box.left, box.top, box.right, box.bottom)
        yield text, _Glyph(*sides, x.value, y.value, size, angle)


def _spelt(code: int) -> str:
    """Return what stands in the text for a character; nothing for what cannot be seen."""
    char = chr(code)
    if char in _HYPHENS:
        return "-"
    if char in "\r\n":
        return "\n"
    if code in _LIGATURES:
        return _LIGATURES[code]
    if char.isspace():
        return char if char in "\u00a0\u202f" else " "
    if char == SOFT_HYPHEN:
        return char
    return "" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Cn") else char


def _display(page: PdfPage, width: float, height: float) -> _Place:
    """Return the map from the page's own coordinates to points from its top left as shown."""
    import pypdfium2.raw as pdfium

    scale = 1000  # pdfium gives whole numbers
    x, y = ctypes.c_int(), ctypes.c_int()
    size = (round(width * scale), round(height * scale))

    def point(px: float, py: float) -> tuple[float, float]:
        pdfium.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, px, py, x, y)
        return x.value / scale, y.value / scale

    (ox, oy), (ux, uy), (vx, vy) = point(0, 0), point(1000, 0), point(0, 1000)
    ux, uy, vx, vy = ((ux - ox) / 1000, (uy - oy) / 1000, (vx - ox) / 1000, (vy - oy) / 1000)
    return lambda px, py: (ox + px * ux + py * vx, oy + px * uy + py * vy)


def _split(chars: list[_Char], turn: int) -> Iterator[Segment]:
    """Yield the characters as segments, in their order: cut at line ends and at wide gaps."""
    current: list[_Char] = []
    for char in chars:
        if char.text == "\n" or (current and not _goes_on(current, char)):
            if segment := _segment(current, turn):
                yield segment
            current = []
        if char.text != "\n" and (current or char.text != " "):
            current.append(char)
    if segment := _segment(current, turn):
        yield segment


def _goes_on(current: list[_Char], char: _Char) -> bool:
    """Return whether a character stands on the line of those before it, close to them."""
    if char.text == " ":
        return True  # made by pdfium: it has no place of its own
    last = next((one for one in reversed(current) if one.text != " "), current[-1])
    size = max(last.size, char.size, 1.0)
    if -0.6 * size > char.x0 - last.x1 or char.x0 - last.x1 > _SPLIT_GAP * size:
        return False
    first = max(current, key=lambda one: one.size)
    return abs(char.base - first.base) < (0.5 if char.size < _SMALLER * first.size else 0.35) * size


def _segment(chars: list[_Char], turn: int) -> Segment | None:
    """Return the characters as a segment in canonical form; None for white space."""
    while chars and chars[-1].text.isspace():
        chars.pop()
    if not chars:
        return None
    chars = [char for char in chars[:-1] if char.text != SOFT_HYPHEN] + chars[-1:]
    solid = [char for char in chars if not char.text.isspace()]
    size = sorted(char.size for char in solid)[len(solid) // 2]
    normal = [char for char in solid if char.size >= _SMALLER * size]
    base = normal[0].base
    segment = Segment(
        top=min(char.top for char in normal),
        bottom=max(char.bottom for char in normal),
        base=base,
        size=size,
        turn=turn,
    )
    pieces: list[str] = []
    for char in chars:
        raised = char.size < _SMALLER * size and base - char.base > _RAISED * size
        text = _RAISED_DIGITS.get(char.text, char.text) if raised else char.text
        _append(pieces, segment, char._replace(text=text))
    segment.text = "".join(pieces)
    return segment


def _append(pieces: list[str], segment: Segment, char: _Char) -> None:
    """Add a character in canonical form: an accent is put on the letter before it."""
    if char.text == " " and pieces and pieces[-1] == " ":
        return
    x0, x1 = (char.x0, char.x1) if char.text != " " or not segment.right else 2 * (segment.x1,)
    joined = unicodedata.normalize("NFC", (pieces[-1] if pieces else "") + char.text)
    alone = unicodedata.normalize("NFC", char.text)
    if pieces and len(joined) == len(pieces[-1]) and not char.text.isascii():
        pieces[-1] = joined
        segment.right[-1] = max(segment.x1, x1)
        return
    for number, one in enumerate(alone):
        step = (x1 - x0) / len(alone)
        pieces.append(one)
        segment.left.append(x0 + number * step)
        segment.right.append(x0 + (number + 1) * step)


def _rejoined(segments: list[Segment]) -> list[Segment]:
    """Join pieces of one line that were drawn apart from each other in time but not in place."""
    lines: list[Segment] = []
    for row in _by_baseline(segments):
        for one in row:
            if lines and _are_one(lines[-1], one):
                _extend(lines[-1], one)
            else:
                lines.append(one)
    return lines


def _by_baseline(segments: list[Segment]) -> list[list[Segment]]:
    """Return the segments of each baseline from left to right, from the top down."""
    rows: list[list[Segment]] = []
    for one in sorted(segments, key=lambda segment: segment.base):
        if rows and one.base - rows[-1][0].base < _SAME_LINE * min(one.size, rows[-1][0].size):
            rows[-1].append(one)
        else:
            rows.append([one])
    return [sorted(row, key=lambda segment: segment.x0) for row in rows]


def _extend(last: Segment, one: Segment) -> None:
    """Add a piece to the line that it continues."""
    space = " " * (one.x0 - last.x1 > _WORD_GAP * last.size)
    last.text += space + one.text
    last.left.extend([last.x1] * len(space))
    last.right.extend([one.x0] * len(space))
    last.left.extend(one.left)
    last.right.extend(one.right)
    last.top, last.bottom = min(last.top, one.top), max(last.bottom, one.bottom)


def _are_one(last: Segment, one: Segment) -> bool:
    size = max(last.size, one.size)
    return (
        abs(last.base - one.base) < _SAME_LINE * size
        and -0.3 * size < one.x0 - last.x1 < _JOIN_GAP * size
        and unicodedata.combining(one.text[0]) == 0
    )
