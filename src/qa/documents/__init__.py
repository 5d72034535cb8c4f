r"""Paths → documents: which files there are, and the canonical text of each.

Canonical text is Unicode NFC with ``\n`` line ends and without NUL or unpaired surrogates; every
offset in the project refers to it. It knows nothing of sentences, the index or models.

Example: ``[read_document(s).title for s in find_sources([Path("index/documents")])]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qa.documents.canonical import canonical_text, has_content
from qa.documents.files import is_there, split_member
from qa.documents.formats import ARCHIVE, READERS_VERSION, SUFFIXES
from qa.documents.limits import Limits
from qa.documents.parser import Parser
from qa.documents.pdf.layout import Box
from qa.documents.reading import Reading
from qa.documents.sources import Source, find_sources
from qa.documents.titles import find_title, readable_name
from qa.errors import InputError
from qa.types import Document, Page

__all__ = [
    "ARCHIVE",
    "READERS_VERSION",
    "SUFFIXES",
    "Box",
    "Limits",
    "Parser",
    "Source",
    "boxes",
    "document_from_text",
    "find_sources",
    "is_there",
    "page_png",
    "read_document",
    "split_member",
]


def read_document(
    source: Source, limits: Limits | None = None, parser: Parser | None = None
) -> Document:
    """Read a file as a document; what had to be guessed or repaired is said in its notices.

    :param source: the file, as `find_sources` returns it.
    :param limits: what the file may ask of the machine, for the parser that is made without one.
    :param parser: reads it; without one, one is made and closed.
    :return: the document, under the source's id.
    :raises InputError: the file is missing, above a limit, empty, or not what its name says.
    """
    if source.problem:
        raise InputError(source.problem)
    if parser is None:
        with Parser(limits) as parser:
            return read_document(source, limits, parser)
    return _document(parser.read(source.path), source.id, str(source.path))


def boxes(path: Path, document: Document, start: int, end: int) -> tuple[Box, ...]:
    """Return where ``document.text[start:end]`` stands on the pages of a PDF, a box a line.

    A program that asks often keeps a `Parser`, which has the same method.

    :param path: the file that the document was read from; other than PDFs have no boxes.
    :raises InputError: the span is not in the text, or the file changed since or is gone.
    """
    with Parser() as parser:
        return parser.boxes(path, document, start, end)


def page_png(path: Path, page: int, width: int) -> bytes:
    """Return a page of a PDF as a PNG picture.

    :param path: the PDF.
    :param page: its number, from 1.
    :param width: of the picture, in pixels.
    :raises InputError: the file is no PDF, has no such page, or is gone.
    """
    with Parser() as parser:
        return parser.page_png(path, page, width)


def document_from_text(text: str, id: str, title: str | None = None) -> Document:
    """Return ``text`` as a document.

    :param text: any string; it is made canonical.
    :param id: the document's name in citations.
    :param title: without one it is found in the text or made from ``id``.
    :return: the document.
    :raises InputError: there is nothing but white space.
    """
    return _document(Reading(text, title=title), id, id)


def _document(reading: Reading, id: str, place: str) -> Document:
    text, notices = reading.text, reading.notices
    nuls = text.count("\0")
    if nuls:
        text = text.replace("\0", " ")
        notices = (*notices, f"{nuls} NUL characters were replaced by spaces")
    canonical = canonical_text(text)
    if not has_content(canonical):
        raise InputError(f"{place!r} holds only white space; put text in it or leave it out")
    title = reading.title or find_title(canonical) or readable_name(id)
    return Document(
        id=id,
        title=" ".join(canonical_text(title).split()) or readable_name(id),
        text=canonical,
        pages=_pages(reading.pages, len(canonical)),
        notices=notices,
    )


def _pages(starts: Sequence[tuple[int, int]], size: int) -> tuple[Page, ...]:
    """Return the pages, each up to the next one's start."""
    ends = [*(start for _, start in starts[1:]), size]
    return tuple(
        Page(number, start, end) for (number, start), end in zip(starts, ends, strict=bool(starts))
    )
