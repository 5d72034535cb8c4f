"""The tables of HTML → rows of text; a cell that reaches over several rows is said in each.

Example: ``list(rows(table)) == ["Jour | Heures", "--- | ---", "Lundi | 9 h", "Lundi | 14 h"]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from qa.documents.boilerplate import is_left_out
from qa.documents.markup import exponent, flat, tag_name

if TYPE_CHECKING:
    from lxml.etree import _Element

BLOCK = re.compile(
    "p|div|section|article|main|header|footer|address|blockquote|pre|figure|figcaption|ul|ol|dl|li|"
    "dt|dd|table|caption|t[rdh]|hr|h[1-6]|details|summary|body|html|form|fieldset|center"
)
BAR = " | "
"""What stands between the cells of a row."""

_PARTS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"})
_SPAN = re.compile(r"\d{1,3}")
# A text that is said in each of many rows must not make a page a hundred times as long.
_HELD_CHARS, _HELD_CELLS, _WIDEST = 100, 4, 10


class Cell(NamedTuple):
    """A cell's text, over how many rows and columns it reaches, and whether it names these."""

    text: str
    down: int = 1
    across: int = 1
    names: bool = False


def lays_out(table: _Element) -> bool:
    """Return whether a table, or a row of such a table, only puts blocks in their places.

    It does if there is a table in it, or a single column of which a cell is more than a paragraph.
    """
    if next(table.iterdescendants("table", "{*}table"), None) is not None:
        return True
    found = [
        [cell for cell in _cells(row) if any(map(str.strip, cell.itertext()))]
        for row in _rows(table)
        if tag_name(row) == "tr"
    ]
    parts = any(_has_parts(cell) for row in found for cell in row)
    if any(len(row) > 1 for row in found):
        return parts and tag_name(table) == "tr"
    return parts or len(found) <= 1


def rows(table: _Element) -> Iterator[str]:
    """Yield the rows of a table, and its caption, with bars between the cells.

    A row that the page marks as the names of columns is underlined as in Markdown. In a table that
    has such rows every column keeps its place, and "" keeps apart what stands under other names.
    """
    own = list(_rows(table))
    heads = _heads(own)
    found = (_row(row, names=row in heads) for row in own)
    before = ""
    for place, text in enumerate(joined_rows(found, whole=bool(heads))):
        head = own[place] in heads
        if heads and (not place or (head and "|" in before)):
            yield ""
        if text:
            yield text
            before = text
        if head:
            yield rule(text)
    if heads:
        yield ""


def rule(row: str) -> str:
    """Return the rule of Markdown that stands below the row that names a table's columns."""
    return BAR.join("---" for _ in f" {row} ".split(BAR))


def _rows(table: _Element) -> Iterator[_Element]:
    """Yield the rows of a table, and its caption, that are shown."""
    from lxml import etree

    walk = etree.iterwalk(table, events=("start",))
    for _, element in walk:
        if is_left_out(element, whole=True):
            walk.skip_subtree()
        elif tag_name(element) in ("tr", "caption"):
            walk.skip_subtree()
            yield element


def _heads(rows_: Sequence[_Element]) -> Set[_Element]:
    """Return the rows that name the columns of those below: the last of several above each other.

    Further down, where a row may sum up those above it, one with figures names none.
    """
    several = [row for row in rows_ if tag_name(row) == "tr" and len(_cells(row)) > 1]
    names = [
        _names_columns(row) and not (place and any(map(str.isdigit, "".join(row.itertext()))))
        for place, row in enumerate(several)
    ]
    above = zip(several, pairwise(names), strict=False)  # the last row has nothing below it
    return {row for row, (own, below) in above if own and not below}


def _names_columns(row: _Element) -> bool:
    """Return whether several cells say something, all marked as heads and none as a row's."""
    above = row.getparent()
    part = tag_name(above) if above is not None else ""
    said = [cell for cell in _cells(row) if any(map(str.strip, cell.itertext()))]
    marked = all(part == "thead" or tag_name(cell) == "th" for cell in said)
    of_rows = any(cell.get("scope", "").casefold() == "row" for cell in said)
    return len(said) > 1 and marked and part != "tfoot" and not of_rows


def _row(row: _Element, *, names: bool) -> list[Cell]:
    if tag_name(row) == "caption":
        return [Cell(_cell(row))]
    return [
        Cell(_cell(one), _span(one, "rowspan"), _span(one, "colspan"), names) for one in _cells(row)
    ]


def _cells(row: _Element) -> list[_Element]:
    return [one for one in row if not is_left_out(one, whole=True)]


def _has_parts(cell: _Element) -> bool:
    """Return whether a cell holds a heading, a list or more than one paragraph."""
    names = [tag_name(one) for one in cell.iterdescendants()]
    return not _PARTS.isdisjoint(names) or names.count("p") > 1


def joined_rows(found: Iterable[Sequence[Cell]], *, whole: bool) -> Iterator[str]:
    """Yield each row as a line, "" if it says nothing; cells that reach down are said again.

    :param whole: every column has its place: say empty cells too, as many as a cell is wide.
    """
    held: dict[int, Cell] = {}  # by column
    for row in found:
        texts: list[str] = []
        reaching: dict[int, Cell] = {}
        column = 0
        for cell in [*row, None]:
            while column in held:
                above = held.pop(column)
                texts += _across(above, whole=whole) if whole or above.text else []
                _hold(reaching, column, above)
                column += above.across
            if cell is not None:
                texts += _across(cell, whole=whole and len(row) > 1)
                _hold(reaching, column, cell)
                column += cell.across
        held = reaching
        while texts and not texts[-1] and not (whole and any(texts)):
            texts.pop()
        yield BAR.join(texts).strip() if row else ""


def _across(cell: Cell, *, whole: bool) -> list[str]:
    """Return what a cell says in each of its columns: the name of all of them, a value once."""
    more = min(cell.across, _WIDEST) - 1 if whole else 0
    return [cell.text, *[cell.text if cell.names else ""] * more]


def _hold(reaching: dict[int, Cell], column: int, cell: Cell) -> None:
    """Keep a cell for the next row, if it reaches there; what is too long is not said again."""
    if cell.down > 1:
        said = len(cell.text) <= _HELD_CHARS and len(reaching) < _HELD_CELLS
        reaching[column] = cell._replace(text=cell.text if said else "", down=cell.down - 1)


def _span(cell: _Element, name: str) -> int:
    value = cell.get(name, "").strip()
    return max(1, int(value)) if _SPAN.fullmatch(value) else 1


def _cell(cell: _Element) -> str:
    """Return a cell's text on one line."""
    from lxml import etree

    words: list[str] = []
    walk = etree.iterwalk(cell, events=("start", "end"))
    for event, element in walk:
        name = tag_name(element)
        space = " " if BLOCK.fullmatch(name) or name == "br" else ""
        number = exponent(element) if event == "start" and name == "sup" else ""
        if event == "start" and (number or is_left_out(element, whole=True)):
            walk.skip_subtree()
            words.append(number)
        elif event == "start":
            words.append(space + (element.text or ""))
        if event == "end":
            words.append(space + (element.tail or "") * (element is not cell))
    return flat("".join(words))
