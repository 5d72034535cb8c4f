"""HTML and XHTML → light markdown: headings, paragraphs, items, rows of tables; no navigation.

Shared by web pages, e-books and mails. Nothing is fetched, no entity of the document is expanded.

Example: ``to_text(parse_html(b"<h1>Titre</h1><p>Une phrase."))`` is "# Titre", a blank line and
"Une phrase.".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qa.errors import InputError

if TYPE_CHECKING:
    from lxml.etree import _Element

_SKIPPED = re.compile(
    "script|style|noscript|template|head|nav|aside|form|button|select|option|textarea|input|iframe|"
    "object|embed|svg|math|canvas|audio|video|dialog|menu"
)
_BLOCK = re.compile(
    "p|div|section|article|main|header|footer|address|blockquote|pre|figure|figcaption|ul|ol|dl|li|"
    "dt|dd|table|caption|hr|h[1-6]|details|summary|body|html|fieldset|center"
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_PAGE_PARTS = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|breadcrumbs?|sidebar|menu|cookies?|footer|masthead|"
    r"share|social|advert\w*|ads|skip-?link|pagination|related)(?:$|[\s_-])",
    re.IGNORECASE,
)
_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "complementary", "menu"})
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_WHITE = re.compile(r"[ \t\r\n\f]+")  # no-break spaces stay
_LINK_SHARE = 0.7  # of a list's letters: more is navigation...
_LINKS = 5  # ... when it has so many links


def parse_html(data: bytes, encoding: str | None = None) -> _Element:
    """Parse a web page, however broken.

    :param encoding: what stands outside the page (in a mail's header); else it is found inside.
    :raises InputError: there is nothing in it.
    """
    from lxml import etree

    parser = etree.HTMLParser(
        encoding=encoding or _encoding(data), no_network=True, huge_tree=False, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError, LookupError) as error:
        raise InputError(f"cannot be read as HTML ({error})") from error
    if root is None:
        raise InputError("cannot be read as HTML: there is no text in it")
    return root


def parse_xml(data: bytes) -> _Element:
    """Parse XML; entities are not expanded and nothing outside is read.

    :raises InputError: it is not well-formed, or nested or expanded beyond what lxml allows.
    """
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError) as error:
        raise InputError(f"is not well-formed XML ({error})") from error


def _encoding(data: bytes) -> str | None:
    """Return the encoding, if the bytes are plainly UTF-8; else the page's own word counts."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"


def to_text(root: _Element, *, whole: bool = False) -> str:
    """Return the text of a page: its main part, if it names one.

    :param whole: keep what looks like navigation too (a mail, a chapter of a book).
    """
    start = root if whole else _main_part(root)
    text = "\n\n".join(joined(_blocks(start, whole=whole)))
    if not text and not whole:
        return to_text(root, whole=True)  # a page that is nothing but navigation
    return text


def find_title(root: _Element) -> str | None:
    """Return the page's title."""
    for path in (".//{*}h1", ".//{*}head/{*}title"):
        for found in root.iterfind(path):
            if title := _flat("".join(found.itertext())):
                return title
    return None


def _main_part(root: _Element) -> _Element:
    found = [
        one
        for one in root.iter("main", "article", "{*}main", "{*}article")
        if one.get("hidden") is None
    ]
    mains = [one for one in found if _name(one) == "main"]
    if mains:
        return mains[0]
    return found[0] if len(found) == 1 else root


def _name(element: _Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def _is_skipped(element: _Element, *, whole: bool) -> bool:
    name = _name(element)
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    if not name or _SKIPPED.fullmatch(name) or hidden or _HIDDEN.search(element.get("style", "")):
        return True
    if whole or name in ("html", "body", "main", "article"):
        return False
    if element.get("role") in _ROLES:
        return True
    if name in ("header", "footer"):
        return not any(
            _name(one) in ("article", "main", "section") for one in element.iterancestors()
        )
    named = f"{element.get('class', '')} {element.get('id', '')}"
    if name in ("div", "section", "ul", "ol", "table") and _PAGE_PARTS.search(named):
        return True
    return name in ("ul", "ol") and _is_navigation(element)


def _is_navigation(element: _Element) -> bool:
    """Return whether a list is nearly nothing but links."""
    links = list(element.iter("a", "{*}a"))
    letters = len(_flat("".join(element.itertext())))
    linked = sum(len(_flat("".join(one.itertext()))) for one in links)
    return len(links) >= _LINKS and linked > _LINK_SHARE * letters


Piece = tuple[str, str]
"""What stands before a block's text (``## ``, ``- ``, ``| `` for a table's row), and the text."""


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
        name = _name(element)
        if name == "br":
            self.words.append("\0")
        elif _is_skipped(element, whole=self.whole):
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
        self.preformatted -= _name(element) == "pre"
        if _BLOCK.fullmatch(_name(element)) and _name(element) != "table":
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
            if not any(_name(one) in ("td", "th") for one in cell.iterancestors()):
                yield from _blocks(cell, whole=whole)
        return
    for row in table.iter("tr", "caption", "{*}tr", "{*}caption"):
        parts = [row] if _name(row) == "caption" else [one for one in row if _name(one)]
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
        name = _name(element)
        space = " " if _BLOCK.fullmatch(name) or name == "br" else ""
        if event == "start" and (not name or _SKIPPED.fullmatch(name)):
            walk.skip_subtree()
        elif event == "start":
            words.append(space + (element.text or ""))
        if event == "end":
            words.append(space + (element.tail or "") * (element is not cell))
    return _flat("".join(words))


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


def _lines(text: str) -> str:
    """Return a block's text: a line for each ``<br>``."""
    lines = (_flat(line) for line in text.split("\0"))
    return "\n".join(line for line in lines if line)


def _flat(text: str) -> str:
    return _WHITE.sub(" ", text.replace("\u00ad", "")).strip(" ")
