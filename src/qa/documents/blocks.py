"""A tree of HTML → blocks of light markdown: headings, paragraphs, items, rows of tables.

Shared by web pages, e-books and mails; Word files make their own pieces, and join them alike.

Example: ``to_text(parse_html(b"<h1>Titre</h1><p>Une phrase."))`` is "# Titre", a blank line and
"Une phrase.".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.documents.boilerplate import is_left_out, main_part, text_holders
from qa.documents.markup import exponent, flat, tag_name
from qa.documents.tables import BLOCK, lays_out, rows

if TYPE_CHECKING:
    from lxml.etree import _Element

_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_LISTS = ("ol", "ul")
_ITEM = re.compile(r" *(?:-|\d+\.) ")
_INDENT, _DEEPEST = "  ", 4
_NUMBER = re.compile(r"\d{1,4}")

Piece = tuple[str, str]
"""What stands before a block's text (``## ``, ``- ``, ``  3. ``; ``| `` for a row), and that."""


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
    """Yield the blocks with what stands before them; items and rows that follow each other once.

    A piece without a text is no block and ends a run of such.
    """
    run: list[str] = []
    kind = ""
    for prefix, text in pieces:
        here = "- " if _ITEM.fullmatch(prefix) else prefix
        if run and (not text or here != kind or here not in ("- ", "| ")):
            yield "\n".join(run)
            run = []
        kind = here
        if text:
            run.append(text if prefix == "| " else prefix + text)
    if run:
        yield "\n".join(run)


def indented(depth: int) -> str:
    """Return what stands before the mark of an item in so many other lists."""
    return _INDENT * max(0, min(depth, _DEEPEST))


@dataclass(slots=True)
class _Walk:
    """A walk through a page that has written ``pieces``; ``words`` are not a block yet."""

    whole: bool
    kept: Set[_Element]  # although it is named like navigation
    pieces: list[Piece] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    prefix: str = ""
    preformatted: int = 0  # how many elements around here keep their line ends
    lists: list[int | None] = field(default_factory=list)  # last number; None: not numbered

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
        elif (name == "sup" or _is_note_mark(element)) and (number := exponent(element)):
            self.words.append(number)
        elif is_left_out(element, whole=self.whole, kept=self.kept):
            self.words.append(" ")
        elif name in ("table", "tr") and not lays_out(element):
            self.end_block()
            self.pieces += (("| ", row) for row in rows(element))
        else:
            if BLOCK.fullmatch(name) and not _explains(element):
                self.end_block()
                inherited = self.prefix if name == "p" else ""
                self.prefix = _HEADINGS.get(name, self.mark(element) if name == "li" else inherited)
            self.preformatted += name == "pre"
            if name in _LISTS:
                self.lists.append(_first_number(element))
            self.say(element.text)
            return True
        return False

    def mark(self, item: _Element) -> str:
        """Return what stands before an item, after the indent: its number, in a numbered list."""
        last = self.lists[-1] if self.lists else None
        indent = indented(len(self.lists) - 1)
        if last is None:
            return f"{indent}- "
        value = item.get("value", "")
        self.lists[-1] = int(value) if _NUMBER.fullmatch(value) else last + 1
        return f"{indent}{self.lists[-1]}. "

    def leaves(self, element: _Element) -> None:
        """Take in an element's end."""
        name, after = tag_name(element), element.getnext()
        self.preformatted -= name == "pre"
        if name in _LISTS and self.lists:
            self.lists.pop()
        if name == "dt" and after is not None and _explains(after):
            self.words.append(" : ")
        elif BLOCK.fullmatch(name):
            self.end_block()
            self.prefix = ""


def _is_note_mark(element: _Element) -> bool:
    marks = (element.get("epub:type"), element.get("role"))
    return "noteref" in marks or "doc-noteref" in marks


def _first_number(items: _Element) -> int | None:
    """Return one less than the first number of a list; None when it is not numbered so."""
    if (
        tag_name(items) != "ol"
        or items.get("reversed") is not None
        or items.get("type", "1") != "1"
    ):
        return None
    start = items.get("start", "")
    return int(start) - 1 if _NUMBER.fullmatch(start) else 0


def _explains(element: _Element) -> bool:
    """Return whether an element explains the term before it: the two are one line."""
    if tag_name(element) != "dd":
        return False
    before = element.getprevious()
    plain = not any(BLOCK.fullmatch(tag_name(one)) for one in element.iterdescendants())
    return plain and before is not None and tag_name(before) == "dt"


def _blocks(root: _Element, *, whole: bool) -> list[Piece]:
    """Return the blocks below an element; text outside of any is one too."""
    walk = _Walk(whole, set() if whole else text_holders(root), words=[root.text or ""])
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


def _lines(text: str) -> str:
    """Return a block's text: a line for each ``<br>``."""
    lines = (flat(line) for line in text.split("\0"))
    return "\n".join(line for line in lines if line)
