"""Word files (docx) → text: paragraphs, headings, lists, tables and footnotes, in their order.

A docx file has no pages: they are made when it is shown. Text that was struck out is left out, text
that was put in while changes were tracked is read.

Example: ``read_docx(data, "notes.docx", Limits()).text``.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qa.documents.blocks import indented, joined
from qa.documents.limits import Limits
from qa.documents.markup import parse_xml, raised
from qa.documents.packed import open_zip
from qa.documents.reading import Reading
from qa.documents.tables import BAR, rule
from qa.errors import InputError

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element

_HEADING = re.compile(r"heading (\d)|(title)$", re.IGNORECASE)
_LIST = re.compile(r"List\D*([1-9]?)")  # «List Bullet 2» is in another list
_LEFT_OUT = frozenset({"del", "moveFrom", "Fallback", "txbxContent", "instrText", "pPr", "rPr"})
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}
_NOTES = ("/footnotes", "/endnotes")
_OFF = frozenset({"0", "false", "off"})
# LibreOffice marks the first row of every table: of two columns nobody knows whether it names them.
_FEWEST_NAMED = 3
_HELD_CHARS = 100  # longer text of a cell that reaches down is not said again in each row


def read_docx(data: bytes, name: str, limits: Limits) -> Reading:
    """Read a Word file.

    :raises InputError: it is not one, damaged, or a bomb.
    """
    import docx
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError

    open_zip(data, name, limits, "docx").close()
    try:
        document = docx.Document(io.BytesIO(data))
        paragraphs = list(_paragraphs(document.element.body, _levels(document)))
        notes = list(_notes(document))
        title = document.core_properties.title.strip()
    except (
        *(OpcError, LxmlError, zipfile.BadZipFile, zlib.error, InputError),
        *(KeyError, ValueError, AttributeError, IndexError, TypeError, EOFError, OSError),
        *(RuntimeError, NotImplementedError, AssertionError),
    ) as error:
        # python-docx trusts what it opens: a broken part is any of these.
        raise InputError(
            f"{name!r} is damaged or not a Word file ({type(error).__name__}: {error}); open it in "
            f"Word and save it anew"
        ) from error
    return Reading("\n\n".join([*joined(paragraphs), *notes]), title=title or None)


def _levels(document: Document) -> dict[str, str]:
    """Return what stands before a paragraph, by the id of its style: ``## `` for a heading."""
    levels = {}
    for style in document.styles:
        base, depth = style, 0
        while base is not None and depth < 9:  # a style may be derived from a heading
            found = _HEADING.match(base.name or "")
            if found:
                levels[style.style_id] = "#" * min(int(found[1] or 1), 6) + " "
                break
            base, depth = getattr(base, "base_style", None), depth + 1
        if listed := _LIST.match(style.name or ""):
            levels[style.style_id] = indented(int(listed[1] or 1) - 1) + "- "
    return levels


def _tag(element: _Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _paragraphs(body: _Element, levels: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (what stands before it, text) of each paragraph and each row of a table."""
    before = ""
    for child in _inside(body, "p", "tbl"):
        if _tag(child) == "tbl":
            yield from _table(child, levels)
            continue
        before += _text(child)
        if not _goes_on(child):
            if text := before.strip():
                yield _prefix(child, levels), text
            before = ""


def _goes_on(paragraph: _Element) -> bool:
    """Return whether a paragraph's end is struck out: it is one with the next."""
    after = next(paragraph.itersiblings("{*}p", "{*}tbl", "{*}sdt"), None)
    struck = paragraph.find("{*}pPr/{*}rPr/{*}del") is not None
    return struck and after is not None and _tag(after) == "p"


def _inside(element: _Element, *tags: str) -> Iterator[_Element]:
    """Yield the nearest elements of these kinds, whatever they are wrapped in."""
    waiting = [iter(element)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
        elif _tag(child) in tags:
            yield child
        elif _tag(child) not in _LEFT_OUT:
            waiting.append(iter(child))  # a content control, for example


def _prefix(paragraph: _Element, levels: dict[str, str]) -> str:
    style = paragraph.find("{*}pPr/{*}pStyle")
    key = next((value for value in style.values()), "") if style is not None else ""
    numbered = paragraph.find("{*}pPr/{*}numPr")
    depth = numbered.find("{*}ilvl") if numbered is not None else None
    level = _value(depth) if depth is not None else ""
    item = indented(int(level) if level.isdecimal() else 0) + "- "
    found = levels.get(key, item if numbered is not None else "")
    return max(item, found, key=len) if level and found.endswith("- ") else found


def _table(table: _Element, levels: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the rows of a table, each before the tables in it; or blocks, if it is but a box."""
    lines = list(_inside(table, "tr"))
    rows = [list(_inside(line, "tc")) for line in lines]
    if _lays_out(rows, levels):
        for cell in itertools.chain(*rows):
            yield from _paragraphs(cell, levels)
        return
    marked = list(itertools.takewhile(_names_columns, lines))
    named = 0 < len(marked) < len(lines) and len(rows[len(marked) - 1]) >= _FEWEST_NAMED
    apart = [("| ", "")] * named  # what stands around is under no such names
    above: dict[int, str] = {}  # by column: what reaches down
    for place, row in enumerate(rows, start=1):
        head = named and place == len(marked)
        text = _row(row, above, whole=named, names=head)
        yield from apart * (head or place == 1)
        if text:
            yield "| ", text
        if head:
            yield "| ", rule(text)
        for inner in itertools.chain.from_iterable(_inside(cell, "tbl") for cell in row):
            yield from apart
            yield from _table(inner, levels)
            yield from apart
    yield from apart


def _names_columns(row: _Element) -> bool:
    """Return whether a row is to be said again on each page that its table reaches over."""
    mark = row.find("{*}trPr/{*}tblHeader")
    return mark is not None and _value(mark) not in _OFF


def _lays_out(rows: list[list[_Element]], levels: dict[str, str]) -> bool:
    """Return whether a table is a cell, or a column of which a cell is more than a paragraph."""
    found = [[blocks for cell in row if (blocks := _blocks(cell))] for row in rows]
    if any(len(row) > 1 for row in found):
        return False
    cells = itertools.chain(*found)
    return len(rows) == 1 or any(len(one) > 1 or _prefix(one[0], levels) for one in cells)


def _blocks(cell: _Element) -> list[_Element]:
    """Return the paragraphs and tables of a cell that are not empty."""
    return [one for one in _inside(cell, "p", "tbl") if _tag(one) == "tbl" or _text(one).strip()]


def _row(row: list[_Element], above: dict[int, str], *, whole: bool, names: bool) -> str:
    """Return a row with bars between its cells; ``above`` is what reaches down, and then will.

    :param whole: every column has its place: say empty cells too, as many as a cell is wide.
    :param names: its cells name all the columns that they reach over.
    """
    cells, column = [], 0
    for cell in row:
        text = _line(cell)
        merged = cell.find("{*}tcPr/{*}vMerge")
        if merged is not None and _value(merged) != "restart":
            text = text or above.get(column, "")
        above[column] = text if merged is not None and len(text) <= _HELD_CHARS else ""
        span = cell.find("{*}tcPr/{*}gridSpan")
        width = _value(span) if span is not None else ""
        across = int(width) if re.fullmatch(r"[1-9]\d?", width) else 1
        cells += [text, *[text if names else ""] * (across - 1 if whole else 0)]
        column += across
    while cells and not cells[-1] and not (whole and any(cells)):
        cells.pop()
    return BAR.join(cells).strip()


def _line(element: _Element) -> str:
    """Return the paragraphs of a cell or a note as one line, without the tables in it."""
    own = _inside(element, "p", "tbl")
    texts = (_text(one) + " " * (not _goes_on(one)) for one in own if _tag(one) == "p")
    return " ".join("".join(texts).split())


def _value(element: _Element) -> str:
    """Return the one value that an element is set to."""
    return next((str(value) for value in element.values()), "")


def _text(paragraph: _Element) -> str:
    """Return what is read in a paragraph, whatever its pieces are wrapped in."""
    words: list[str] = []
    waiting = [iter(paragraph)]
    while waiting:
        child = next(waiting[-1], None)
        if child is None:
            waiting.pop()
            continue
        tag = _tag(child)
        if tag == "t":
            words.append(child.text or "")
        elif tag in _SIGNS:
            words.append(_SIGNS[tag])
        elif tag == "r" and _is_hidden(child):
            continue
        elif tag == "r" and _is_raised(child):
            words.append(raised("".join(one.text or "" for one in child.iter("{*}t"))))
        elif tag not in _LEFT_OUT:
            waiting.append(iter(child))
    return "".join(words)


def _is_hidden(run: _Element) -> bool:
    mark = run.find("{*}rPr/{*}vanish")
    return mark is not None and _value(mark) not in _OFF


def _is_raised(run: _Element) -> bool:
    mark = run.find("{*}rPr/{*}vertAlign")
    return mark is not None and _value(mark) == "superscript"


def _notes(document: Document) -> Iterator[str]:
    for relation in document.part.rels.values():
        if relation.reltype.endswith(_NOTES) and not relation.is_external:
            notes = parse_xml(relation.target_part.blob)
            for note in notes.iter("{*}footnote", "{*}endnote"):
                text = _line(note)
                if text:
                    yield text
