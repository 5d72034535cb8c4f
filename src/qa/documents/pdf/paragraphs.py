"""The rows of all pages → paragraphs: lines joined, words put together that a hyphen had cut.

Example: ``[p.kind for p in find_paragraphs(lines)] == ["heading", "text", "row"]``.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Literal

from qa.documents.pdf.lines import Segment

Kind = Literal["text", "row", "heading"]

_SAME_SIZE = 0.12  # share by which the letters of one paragraph may differ
_NARROWER = 3.0  # × size that a block ends before its column, to be narrower
_FLUSH = 1.0  # points: lines that end so close together are justified
_LEADING = 1.3  # × the usual distance of two lines: more is a new paragraph
_INDENT = 0.8  # × size
_HEADING_SIZE = 1.15  # × the size of most letters
_HEADING_CHARS = 100
_SMALL = 0.92  # × the size of most letters: a footnote
_ITEM = re.compile(
    r"(?:[-–—•*‣◦▪●○■□✓✔➢➤·]|\(?\d{1,3}[.)]|\d{1,2}(?:\.\d{1,2})+[.)]?|\(?[a-z]\)|[a-z]\.)\s+\S"
)
_NUMBERING = re.compile(r"(?:\d{1,2}(?:\.\d{1,2})*|[IVX]+)[.)]?\s+(?=[^\W\d_])")
_ENDS = tuple(".!?…:;»”。！？")
_CLOSERS = "»”\"')]\u00a0\u202f"
HYPHENS = "-\u2010\u00ad"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text, or with ``table`` the cells of a row; ``column`` is one number a column."""

    page: int
    segments: tuple[Segment, ...]
    column: int
    table: bool
    size: float

    @property
    def text(self) -> str:
        """Return the text, without what separates cells."""
        return " ".join(one.text for one in self.segments)

    @property
    def x0(self) -> float:
        """Return the left edge, in points."""
        return self.segments[0].x0

    @property
    def x1(self) -> float:
        """Return the right edge, in points."""
        return self.segments[-1].x1

    @property
    def base(self) -> float:
        """Return where the first letters stand, in points from the page's top."""
        return self.segments[0].base


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that are read as one; ``level`` is that of a heading, 1 for the largest letters."""

    lines: tuple[Line, ...]
    kind: Kind
    level: int = 0


def find_paragraphs(lines: Sequence[Line]) -> list[Paragraph]:
    """Return the lines as paragraphs, in order; one may go on in the next column or page."""
    if not lines:
        return []
    body = _usual_size(lines)
    groups: list[list[Line]] = []
    columns: dict[tuple[int, int], list[Line]] = defaultdict(list)
    for line in lines:
        columns[line.page, line.column].append(line)
    for block in _blocks(lines, _usual_leading(lines)):
        column = columns[block[0].page, block[0].column]
        groups += _in_block(block, [line for line in column if _same_size(line, block[0])])
    sizes = sorted({round(line.size) for group in groups for line in group}, reverse=True)
    large = [size for size in sizes if size >= _HEADING_SIZE * body]
    return [
        _named(group, body, {size: level for level, size in enumerate(large, start=1)})
        for group in _carried_over(groups, body)
    ]


def _usual_size(lines: Sequence[Line]) -> float:
    letters: Counter[float] = Counter()
    for line in lines:
        letters[round(2 * line.size) / 2] += len(line.text)
    return letters.most_common(1)[0][0]


def _usual_leading(lines: Sequence[Line]) -> float:
    """Return the usual distance of a line from the one above, in sizes of its letters."""
    steps = [
        (two.base - one.base) / max(two.size, 0.1)
        for one, two in pairwise(lines)
        if one.column == two.column and _same_size(one, two)
    ]
    return median([step for step in steps if 0.5 < step < 3] or [1.2])


def _same_size(one: Line, two: Line) -> bool:
    return abs(one.size - two.size) <= _SAME_SIZE * max(one.size, two.size)


def _blocks(lines: Sequence[Line], leading: float) -> list[list[Line]]:
    """Return the lines that stand close together in one column, in letters of one size."""
    blocks: list[list[Line]] = []
    for line in lines:
        last = blocks[-1][-1] if blocks else None
        if (
            last is not None
            and last.column == line.column
            and not (last.table or line.table)
            and _same_size(last, line)
            and 0 < line.base - last.base <= _LEADING * leading * line.size
        ):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def _in_block(block: list[Line], column: Sequence[Line]) -> list[list[Line]]:
    left, right = min(line.x0 for line in block), _right_edge(block, column)
    groups = [block[:1]]
    for one, two in pairwise(block):
        if _goes_on(groups[-1], one, two, left, right):
            groups[-1].append(two)
        else:
            groups.append([two])
    return groups


def _right_edge(block: Sequence[Line], column: Sequence[Line]) -> float:
    """Return where the lines of a block are full; nowhere, when each begins because it is one.

    Lines of an address or a list end far from the column's edge, and none plainly runs on.
    """
    own = max(line.x1 for line in block)
    edge = max(line.x1 for line in column)
    justified = sum(own - line.x1 < _FLUSH for line in block[:-1]) > 1
    if not justified and own > edge - _NARROWER * block[0].size and len(column) > len(block):
        return edge
    runs_on = any(
        two.text[0].islower() and not _has_ended(one) and not _ITEM.match(two.text)
        for one, two in pairwise(block)
    )
    return own if justified or runs_on else math.inf


def _goes_on(group: list[Line], one: Line, two: Line, left: float, right: float) -> bool:
    """Return whether the second of two lines of a block continues the paragraph of the first."""
    full = _is_full(one, two, right) and not (one.text[-1] == ";" and two.text[0].isupper())
    if _ITEM.match(two.text):
        return full and not _has_ended(one) and _ITEM.match(group[0].text) is None
    indented = two.x0 - left > _INDENT * two.size and one.x0 - left < 0.5 * _INDENT * one.size
    if indented and _ITEM.match(group[0].text) is None:
        return False
    if full or one.text[-1] in HYPHENS:
        return True
    return two.text[0].islower() and not _has_ended(one) and one.x1 - left > 0.5 * (right - left)


def _is_full(one: Line, two: Line, right: float) -> bool:
    """Return whether the next line's first word had no room left in this line."""
    word = two.text.find(" ")
    first = two.segments[0]
    end = first.right[word - 1] if 0 < word <= len(first.text) else first.x1
    return one.x1 + 0.2 * one.size + end - first.x0 > right - 0.3 * one.size


def _has_ended(line: Line) -> bool:
    text = line.text.rstrip(_CLOSERS)
    return line.text.endswith(_ENDS) or text.endswith(_ENDS)


def _carried_over(groups: list[list[Line]], body: float) -> list[list[Line]]:
    """Join the paragraphs that go on in the next column or page; footnotes come before those."""
    joined: list[list[Line]] = []
    for group in groups:
        at = len(joined) - 1
        while at >= 0 and _is_footnote(joined[at], body) and not _is_footnote(group, body):
            at -= 1
        if at >= 0 and _is_carried_over(joined[at][-1], group[0], body):
            opened = joined.pop(at)
            joined.append(opened + group)
        else:
            joined.append(group)
    return joined


def _is_footnote(group: list[Line], body: float) -> bool:
    return not group[0].table and group[0].size < _SMALL * body


def _is_carried_over(one: Line, two: Line, body: float) -> bool:
    if one.column == two.column or one.table or two.table or not _same_size(one, two):
        return False
    if two.page > one.page + 1 or one.size > _HEADING_SIZE * body or _ITEM.match(two.text):
        return False
    return not _has_ended(one) and (two.text[0].islower() or one.text[-1] in HYPHENS)


def _named(group: list[Line], body: float, levels: dict[int, int]) -> Paragraph:
    """Return the paragraph; large letters are a heading unless a fact may be told in them."""
    lines = tuple(group)
    if group[0].table:
        return Paragraph(lines, "row")
    text = " ".join(line.text for line in group)
    level = levels.get(round(group[0].size), 0)
    name = _NUMBERING.sub("", text, count=1)
    if (
        level
        and len(text) <= _HEADING_CHARS
        and not text[0].islower()
        and not text.endswith((".", ",", ";", ":"))
        and any(char.isalpha() for char in name)
        and not name[0].islower()
        and not any(char.isdigit() for char in name)
    ):
        return Paragraph(lines, "heading", min(level, 6))
    return Paragraph(lines, "text")
