"""The tables of HTML → rows of text; a cell that reaches over several rows is said in each.

Example: ``list(rows(table)) == ["Jour | Heures", "--- | ---", "Lundi | 9 h", "Lundi | 14 h"]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
_HELD_CHARS, _HELD_CELLS = 100, 4


class Cell(NamedTuple):
    """A cell's text, and over how many rows and columns it reaches."""

    text: str
    down: int = 1
    across: int = 1


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

    What the page marks as the names of the columns, in one row, is underlined as in Markdown.
    """
    own = list(_rows(table))
    found = (
        [Cell(_cell(row))]
        if tag_name(row) == "caption"
        else [Cell(_cell(one), _span(one, "rowspan"), _span(one, "colspan")) for one in _cells(row)]
        for row in own
    )
    several = [row for row in own if tag_name(row) == "tr" and len(_cells(row)) > 1]
    named = [_names_columns(row) for row in several[:2]] == [True, False]
    for row in joined_rows(found):
        yield row
        if named and BAR in row:
            yield rule(row)
            named = False


def rule(row: str) -> str:
    """Return the rule of Markdown that stands below the row that names a table's columns."""
    return BAR.join("---" for _ in row.split(BAR))


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


def _names_columns(row: _Element) -> bool:
    """Return whether several cells say something, all marked as heads and none as a row's."""
    above = row.getparent()
    heads = above is not None and tag_name(above) == "thead"
    said = [cell for cell in _cells(row) if any(map(str.strip, cell.itertext()))]
    marked = all(heads or tag_name(cell) == "th" for cell in said)
    return len(said) > 1 and marked and not any(cell.get("scope") == "row" for cell in said)


def _cells(row: _Element) -> list[_Element]:
    return [one for one in row if not is_left_out(one, whole=True)]


def _has_parts(cell: _Element) -> bool:
    """Return whether a cell holds a heading, a list or more than one paragraph."""
    names = [tag_name(one) for one in cell.iterdescendants()]
    return not _PARTS.isdisjoint(names) or names.count("p") > 1


def joined_rows(found: Iterator[Sequence[Cell]]) -> Iterator[str]:
    """Yield each row that is not empty as a line; cells that reach down are said again."""
    held: dict[int, Cell] = {}  # by column
    for row in found:
        texts: list[str] = []
        reaching: dict[int, Cell] = {}
        column = 0
        for cell in [*row, None]:
            while column in held:
                above = held.pop(column)
                texts.append(above.text)
                _hold(reaching, column, above)
                column += above.across
            if cell is not None:
                texts.append(cell.text)
                _hold(reaching, column, cell)
                column += cell.across
        held = reaching
        while texts and not texts[-1]:
            texts.pop()
        if texts and row:
            yield BAR.join(texts)


def _hold(reaching: dict[int, Cell], column: int, cell: Cell) -> None:
    """Keep a cell for the next row, if it reaches there and is not too long to be said again."""
    if cell.down > 1 and len(cell.text) <= _HELD_CHARS and len(reaching) < _HELD_CELLS:
        reaching[column] = cell._replace(down=cell.down - 1)


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
