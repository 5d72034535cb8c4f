"""The tables of HTML → rows of text; a cell that reaches over several rows is said in each.

Example: ``list(rows(table)) == ["Jour | Heures", "Lundi | 9 h", "Lundi | 14 h"]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from qa.documents.boilerplate import is_never_read
from qa.documents.markup import exponent, flat, tag_name

if TYPE_CHECKING:
    from lxml.etree import _Element

BLOCK = re.compile(
    "p|div|section|article|main|header|footer|address|blockquote|pre|figure|figcaption|ul|ol|dl|li|"
    "dt|dd|table|caption|hr|h[1-6]|details|summary|body|html|form|fieldset|center"
)
_SPAN = re.compile(r"\d{1,3}")
# A text that is said in each of many rows must not make a page a hundred times as long.
_HELD_CHARS, _HELD_CELLS = 100, 4


class Cell(NamedTuple):
    """A cell's text, and over how many rows and columns it reaches."""

    text: str
    down: int = 1
    across: int = 1


def rows(table: _Element) -> Iterator[str]:
    """Yield the rows of a table, and its caption, with bars between the cells."""
    found = (
        [Cell(_cell(row))]
        if tag_name(row) == "caption"
        else [
            Cell(_cell(one), _span(one, "rowspan"), _span(one, "colspan"))
            for one in row
            if tag_name(one)
        ]
        for row in table.iter("tr", "caption", "{*}tr", "{*}caption")
    )
    return joined_rows(found)


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
            yield " | ".join(texts)


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
        if event == "start" and (number or is_never_read(element)):
            walk.skip_subtree()
            words.append(number)
        elif event == "start":
            words.append(space + (element.text or ""))
        if event == "end":
            words.append(space + (element.tail or "") * (element is not cell))
    return flat("".join(words))
