"""A tree of HTML → blocks of light markdown: headings, paragraphs, items, rows of tables.

Shared by web pages, e-books and mails; Word files make their own pieces, and join them alike.

Example: ``to_text(parse_html(b"<h1>Titre</h1><p>Une phrase."))`` is "# Titre", a blank line and
"Une phrase.".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.documents.boilerplate import is_left_out, is_never_read, main_part
from qa.documents.markup import flat, tag_name

if TYPE_CHECKING:
    from lxml.etree import _Element

_BLOCK = re.compile(
    "p|div|section|article|main|header|footer|address|blockquote|pre|figure|figcaption|ul|ol|dl|li|"
    "dt|dd|table|caption|hr|h[1-6]|details|summary|body|html|fieldset|center"
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}

Piece = tuple[str, str]
"""What stands before a block's text (``## ``, ``- ``, ``| `` for a table's row), and the text."""


def to_text(root: _Element, *, whole: bool = False) -> str:
    """Return the text of a page: its main part, if it names one.

    :param whole: keep what looks like navigation too (a mail, a chapter of a book).
    """
    start = root if whole else main_part(root)
    text = "\n\n".join(joined(_blocks(start, whole=whole)))
    if not text and not whole:
        return to_text(root, whole=True)  # a page that is nothing but navigation
    return text


def find_title(root: _Element) -> str | None:
    """Return the page's title."""
    for path in (".//{*}h1", ".//{*}head/{*}title"):
        for found in root.iterfind(path):
            if title := flat("".join(found.itertext())):
                return title
    return None


def joined(pieces: Iterable[Piece]) -> Iterator[str]:
    """Yield the blocks with what stands before them; items and rows that follow each other once."""
    run: list[str] = []
    kind = ""
    for prefix, text in pieces:
        if run and (prefix != kind or prefix not in ("- ", "| ")):
            yield "\n".join(run)
            run = []
        kind = prefix
        run.append(text if prefix == "| " else prefix + text)
    if run:
        yield "\n".join(run)


@dataclass(slots=True)
class _Walk:
    """A walk through a page that has written ``pieces``; ``words`` are not a block yet."""

    whole: bool
    pieces: list[Piece] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    prefix: str = ""
    preformatted: int = 0  # how many elements around here keep their line ends

    def say(self, text: str | None) -> None:
        """Take in text as it stands in the page."""
        self.words.append((text or "").replace("\n", "\0") if self.preformatted else text or "")

    def end_block(self) -> None:
        """Make a block of the words so far."""
        if text := _lines("".join(self.words)):
            self.pieces.append((self.prefix, text))
        self.words.clear()

    def enters(self, element: _Element) -> bool:
        """Take in what stands before an element's children; return whether to go through them."""
        name = tag_name(element)
        if name == "br":
            self.words.append("\0")
        elif is_left_out(element, whole=self.whole):
            self.words.append(" ")
        elif name == "table":
            self.end_block()
            self.pieces += _table(element, whole=self.whole)
        else:
            if _BLOCK.fullmatch(name):
                self.end_block()
                inherited = self.prefix if name == "p" else ""
                self.prefix = _HEADINGS.get(name, "- " if name == "li" else inherited)
            self.preformatted += name == "pre"
            self.say(element.text)
            return True
        return False

    def leaves(self, element: _Element) -> None:
        """Take in an element's end."""
        self.preformatted -= tag_name(element) == "pre"
        if _BLOCK.fullmatch(tag_name(element)) and tag_name(element) != "table":
            self.end_block()
            self.prefix = ""


def _blocks(root: _Element, *, whole: bool) -> list[Piece]:
    """Return the blocks below an element; text outside of any is one too."""
    walk = _Walk(whole, words=[root.text or ""])
    inside = [(root, iter(root))]
    while inside:  # a loop, not a recursion: hostile pages are nested deeper than Python goes
        element, children = inside[-1]
        child = next(children, None)
        if child is None:
            walk.leaves(element)
            inside.pop()
            ended = element
        elif walk.enters(child):
            inside.append((child, iter(child)))
            continue
        else:
            ended = child
        if ended is not root:
            walk.say(ended.tail)
    walk.end_block()
    return walk.pieces


def _table(table: _Element, *, whole: bool) -> Iterator[Piece]:
    """Yield the rows of a table; one that only lays out a page is read as blocks."""
    if any(True for _ in table.iterdescendants("table", "{*}table")):
        for cell in table.iter("td", "th", "{*}td", "{*}th"):
            if not any(tag_name(one) in ("td", "th") for one in cell.iterancestors()):
                yield from _blocks(cell, whole=whole)
        return
    for row in table.iter("tr", "caption", "{*}tr", "{*}caption"):
        parts = [row] if tag_name(row) == "caption" else [one for one in row if tag_name(one)]
        cells = [_cell(one) for one in parts]
        while cells and not cells[-1]:
            cells.pop()
        if any(cells):
            yield "| ", " | ".join(cells)


def _cell(cell: _Element) -> str:
    """Return a cell's text on one line."""
    from lxml import etree

    words: list[str] = []
    walk = etree.iterwalk(cell, events=("start", "end"))
    for event, element in walk:
        name = tag_name(element)
        space = " " if _BLOCK.fullmatch(name) or name == "br" else ""
        if event == "start" and is_never_read(name):
            walk.skip_subtree()
        elif event == "start":
            words.append(space + (element.text or ""))
        if event == "end":
            words.append(space + (element.tail or "") * (element is not cell))
    return flat("".join(words))


def _lines(text: str) -> str:
    """Return a block's text: a line for each ``<br>``."""
    lines = (flat(line) for line in text.split("\0"))
    return "\n".join(line for line in lines if line)
