"""Characters of a PDF page → segments: pieces of a line with the place of every character.

Characters are made canonical here, so that offsets in what is put together later need no map:
accents are composed, raised digits written as such. It knows no paragraphs.

Example: ``read_page(page).segments[0].text == "Rapport annuel"``.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from qa.documents.pdf.glyphs import SOFT_HYPHEN, Char, read_chars

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

_SAME_LINE = 0.3  # baselines closer than this share of the size are one line
_SPLIT_GAP = 1.5  # × size: a wider gap separates columns or cells...
_JOIN_GAP = 0.9  # ... and pieces closer than this that were written apart are joined again
_WORD_GAP = 0.12  # × size: pieces further apart are two words
_RAISED = 0.15  # × size: a smaller character this far above the line is an exponent
_SMALLER = 0.9
_RAISED_DIGITS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹", strict=True))


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
    chars: dict[int | None, list[Char]] = {0: [], 1: [], 2: [], 3: [], None: []}
    for char, turn in read_chars(page, width, height):
        chars[turn].append(char)
    slanted = sum(char.text != "\n" for char in chars.pop(None))
    upright, *turned = (_rejoined(list(_split(some, turn or 0))) for turn, some in chars.items())
    return PageText(upright, width, height, tuple(filter(None, turned)), slanted)


def _split(chars: list[Char], turn: int) -> Iterator[Segment]:
    """Yield the characters as segments, in their order: cut at line ends and at wide gaps."""
    current: list[Char] = []
    ended = False
    for char in chars:
        if char.text == "\n":
            ended = True
            continue
        if current and not (_is_beside(current, char) if ended else _goes_on(current, char)):
            if segment := _segment(current, turn):
                yield segment
            current = []
        ended = False
        if current or char.text != " ":
            current.append(char)
    if segment := _segment(current, turn):
        yield segment


def _is_beside(current: list[Char], char: Char) -> bool:
    """Return whether pdfium ended a line only because a small character is raised or lowered."""
    last, size = current[-1], max(one.size for one in current)
    return (
        last.text != " " != char.text
        and min(last.size, char.size) < _SMALLER * size
        and abs(char.x0 - last.x1) < _WORD_GAP * size
        and _goes_on(current, char)
    )


def _goes_on(current: list[Char], char: Char) -> bool:
    """Return whether a character stands on the line of those before it, close to them."""
    if char.text == " ":
        return True  # made by pdfium: it has no place of its own
    last = next((one for one in reversed(current) if one.text != " "), current[-1])
    size = max(last.size, char.size, 1.0)
    if -0.6 * size > char.x0 - last.x1 or char.x0 - last.x1 > _SPLIT_GAP * size:
        return False
    first = max(current, key=lambda one: one.size)
    return abs(char.base - first.base) < (0.5 if char.size < _SMALLER * first.size else 0.35) * size


def _segment(chars: list[Char], turn: int) -> Segment | None:
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


def _append(pieces: list[str], segment: Segment, char: Char) -> None:
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
