"""Paragraphs → text in which every character knows its place on a page.

The text is canonical as it stands, so that a span of it is a set of rectangles without a search.

Example: ``layout.boxes(3, 20)[0].page == 1``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from qa.documents.pdf.glyphs import turned
from qa.documents.pdf.lines import Segment
from qa.documents.pdf.paragraphs import HYPHENS, Line, Paragraph
from qa.words import numbers

_WORDS = re.compile(r"[^\W\d_]+(?:[-\u2010'’][^\W\d_]+)*")
_LAST_WORD = re.compile(r"[^\W\d_]+(?=[-\u2010\u00ad]$)")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_HYPHENS = tuple(HYPHENS)
_ADDRESS = re.compile(r"(?:://|www\.|@)\S*[-?&=_#%]$")
_WIDE = 0x2E80  # from here on scripts that put no space between words
# Compounds whose hyphen stays at a line's end, in which no other word is taken for one.
_COMPOUND = re.compile(
    "(?:après|avant|arrière|celles?|celui|centre|ceux|contre|demi|est|ex|grande?|mi|non|peut|"
    "procès|quasi|quatre|semi|socio|soixante|sous|vice|vingt)-.*"
    "|.*-(?:après|ce|ci|delà|dessous|dessus|dire|elles?|en|être|ils?|je|la|là|les?|leur|lui|moi|"
    "mêmes?|nous|on|toi|tu?|vous|y|à)"
    "|(?:au|ci|par)-(?:contre|dedans|dehors|devant|jointe?s?)|porte-(?!feuille|manteau).*"
    "|(?:beaux?|belles?|petite?s?)-(?:enfants|filles?|fils|frères?|mères?|parents|pères?|sœurs?)"
    "|week-ends?|(?:long|short)-(?:lasting|range|standing|term)|self-(?!ish|less).*|well-known"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, its sides as shares (0–1) of the page's size from its top left."""

    page: int
    left: float
    top: float
    right: float
    bottom: float


class _Run(NamedTuple):
    """Characters ``[at, at + length)`` of the text are those of a segment from ``first`` on."""

    at: int
    length: int
    page: int
    segment: Segment
    first: int


@dataclass(slots=True)
class Layout:
    """The text of a PDF, where each page begins in it, and the place of its characters.

    ``sizes`` has the width and height of each page in points.
    """

    sizes: Sequence[tuple[float, float]]
    text: str = ""
    pages: list[tuple[int, int]] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)

    def boxes(self, start: int, end: int) -> list[Box]:
        """Return the rectangles of ``text[start:end]``, one for each line, in reading order."""
        first = max(0, bisect_right(self.runs, start, key=lambda run: run.at) - 1)
        found = []
        for run in self.runs[first:]:
            if run.at >= end:
                break
            one, two = max(start, run.at) - run.at, min(end, run.at + run.length) - run.at
            if one < two:
                found.append(self._box(run, run.first + one, run.first + two))
        return found

    def _box(self, run: _Run, one: int, two: int) -> Box:
        width, height = self.sizes[run.page - 1]
        segment = run.segment
        size = (height, width) if segment.turn % 2 else (width, height)
        left, right = min(segment.left[one:two]), max(segment.right[one:two])
        ax, ay = turned(-segment.turn, left, segment.top, *size)
        bx, by = turned(-segment.turn, right, segment.bottom, *size)
        sides = min(ax, bx) / width, min(ay, by) / height, max(ax, bx) / width, max(ay, by) / height
        return Box(run.page, *(round(min(max(side, 0.0), 1.0), 5) for side in sides))


def lay_out(paragraphs: Iterable[Paragraph], sizes: Sequence[tuple[float, float]]) -> Layout:
    """Return the paragraphs as text: a blank line between them, a line for each row of a table."""
    paragraphs = list(paragraphs)
    words = _vocabulary(line for one in paragraphs for line in one.lines)
    writer = _Writer(Layout(sizes))
    before = None
    for one in paragraphs:
        if before is not None:
            writer.put("\n" if before.kind == one.kind == "row" else "\n\n")
        writer.turn(one.lines[0].page)
        writer.put("#" * one.level + " " * (one.kind == "heading"))
        _write(writer, one, words)
        before = one
    writer.layout.text = "".join(writer.pieces)
    return writer.layout


@dataclass(slots=True)
class _Writer:
    layout: Layout
    pieces: list[str] = field(default_factory=list)
    size: int = 0

    def put(self, text: str) -> None:
        """Write characters that stand on no page."""
        self.pieces.append(text)
        self.size += len(text)

    def turn(self, page: int) -> None:
        """Begin a page, if the text is not on it already."""
        pages = self.layout.pages
        if not pages or pages[-1][0] != page:
            pages.append((page, self.size))

    def take(self, segment: Segment, page: int, first: int, last: int) -> None:
        """Write the characters ``[first, last)`` of a segment."""
        if last > first:
            self.layout.runs.append(_Run(self.size, last - first, page, segment, first))
            self.put(segment.text[first:last])


def _write(writer: _Writer, paragraph: Paragraph, words: frozenset[str]) -> None:
    lines = paragraph.lines
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        cut, glue = _joint(line, following, words) if following else (0, "")
        writer.turn(line.page)
        for number, segment in enumerate(line.segments):
            if number:
                writer.put(_between(line, line.segments[number - 1], segment))
            last = number == len(line.segments) - 1
            writer.take(segment, line.page, 0, len(segment.text) - (cut if last else 0))
        writer.put(glue)


def _between(line: Line, one: Segment, two: Segment) -> str:
    """Return what separates two segments of a line: a bar, unless a cell goes on below itself."""
    return " | " if line.table and two.x0 > one.x0 and two.x0 >= one.x1 else " "


def _joint(line: Line, following: Line, words: frozenset[str]) -> tuple[int, str]:
    """Return how many characters a line loses at its end, and what comes between it and the next.

    A hyphen goes when the word is known without it, stays when it is known with it; a word that
    the document has nowhere else loses it, unless it is a compound.
    """
    text, after = line.text, following.text
    if _ADDRESS.search(text) and not after[0].isupper():
        return 0, ""
    if text[-1] not in HYPHENS or len(text) < 2 or not text[-2].isalnum():
        wide = min(ord(text[-1]), ord(after[0])) >= _WIDE
        return 0, "" if wide else " "
    one, two = _LAST_WORD.search(text), _FIRST_WORD.match(after)
    if text[-1] == "\u00ad":
        return 1, ""
    if one is None or two is None or after[0].isupper():
        return 0, ""
    head, tail = one[0].lower(), two[0].lower()
    if head + tail in words:
        return 1, ""
    # «rez-de-» and «de-chaussée» are parts of a compound as they stand.
    part = text[: one.start()].endswith(_HYPHENS) or after[two.end() :].startswith(_HYPHENS)
    stays = part or f"{head}-{tail}" in words or _is_compound(head, tail)
    return (0, "") if stays else (1, "")


def _is_compound(head: str, tail: str) -> bool:
    """Return whether a hyphen belongs between two words: ci-après, quarante-huit, twenty-five."""
    word, number = f"{head}-{tail}", numbers(head)
    return _COMPOUND.fullmatch(word) is not None or (number != set() and numbers(word) != number)


def _vocabulary(lines: Iterable[Line]) -> frozenset[str]:
    """Return the words that stand within a line somewhere, in lower case."""
    return frozenset(
        word.lower().replace("\u2010", "-")
        for line in lines
        for word in _WORDS.findall(line.text.rstrip(HYPHENS) + " ")
    )
