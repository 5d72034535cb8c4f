"""PDF page → characters, each where it is drawn; the owner of pdfium's text functions.

Ligatures are spelt out, hyphens and bullets are the usual ones, turned text is put upright.

Example: ``next(read_chars(page, *page.get_size()))[0].text == "R"``.
"""

from __future__ import annotations

import ctypes
import math
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage

SOFT_HYPHEN = "\u00ad"  # kept at a line's end alone, where it is drawn

_UPRIGHT = 0.05  # of a quarter turn
_HYPHENS = "\x02\ufffe"  # pdfium's marks for a hyphen at a line's end
_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
# How Word writes the bullets of lists: by their place in the fonts Symbol and Wingdings.
_BULLETS = {"\uf0b7": "•", "\uf0a7": "▪", "\uf0d8": "➢", "\uf0fc": "✓"}

_Place = Callable[[float, float], tuple[float, float]]


class Char(NamedTuple):
    """A character as it is drawn, in points from the page's top left."""

    text: str
    x0: float
    x1: float
    top: float
    bottom: float
    base: float
    size: float


def turned(turn: int, x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """Return a point of a page where it is once quarter-turned text has been put upright.

    :param turn: quarter turns, counter-clockwise, of the text as it is shown; those of a text that
        was put upright are undone by its negative.
    :param width: of the page before.
    """
    for _ in range(turn % 4):
        x, y, width, height = height - y, x, height, width
    return x, y


def read_chars(page: PdfPage, width: float, height: float) -> Iterator[tuple[Char, int | None]]:
    """Yield the characters of a page, put upright, and their quarter turns as the page is shown."""
    place = _display(page, width, height)
    rotation = math.radians(page.get_rotation())
    textpage = page.get_textpage()
    try:
        before: tuple[Char, int | None] | None = None
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
            char = Char(text, min(ax, bx), max(ax, bx), min(ay, by), max(ay, by), base, size)
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
        text = spelt(pdfium.FPDFText_GetUnicode(raw, index))
        if not text or not pdfium.FPDFText_GetLooseCharBox(raw, index, box):
            continue
        pdfium.FPDFText_GetCharOrigin(raw, index, x, y)
        pdfium.FPDFText_GetMatrix(raw, index, matrix)
        size = pdfium.FPDFText_GetFontSize(raw, index) * math.hypot(matrix.c, matrix.d)
        angle = math.atan2(matrix.b, matrix.a)
        sides = (box.left, box.top, box.right, box.bottom)
        yield text, _Glyph(*sides, x.value, y.value, size, angle)


def spelt(code: int) -> str:
    """Return what stands in the text for a character; nothing for what cannot be seen."""
    if code > sys.maxunicode:
        return ""
    char = chr(code)
    if char in _HYPHENS:
        return "-"
    if char in "\r\n":
        return "\n"
    if code in _LIGATURES:
        return _LIGATURES[code]
    if char in _BULLETS:
        return _BULLETS[char]
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
