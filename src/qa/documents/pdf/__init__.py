"""PDF → text with pages; for any span of it the rectangles, and a picture of any page.

The story: `glyphs` and `lines` (what stands where), `margins` (what repeats), `columns` (reading
order), `paragraphs` (what is read as one), `layout` (the text, and where each character stands).
It runs in the limited child process only.

Example: ``read_layout(data, "a.pdf", Limits())[0].boxes(0, 20)``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby
from typing import TYPE_CHECKING

from qa.documents.canonical import canonical_text, has_content
from qa.documents.limits import Limits
from qa.documents.pdf.columns import in_order
from qa.documents.pdf.layout import Box, Layout, lay_out
from qa.documents.pdf.lines import PageText, read_page
from qa.documents.pdf.margins import without_margins
from qa.documents.pdf.paragraphs import Line, find_paragraphs
from qa.documents.reading import Reading
from qa.documents.signatures import refuse_other_type
from qa.errors import InputError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

__all__ = ["Box", "Layout", "read_layout", "read_pdf", "render_page"]

_HEAD = 1024  # a PDF's mark may stand this far into the file, its end this far from the end
_MAX_POINTS = 40_000_000  # of a picture


def read_pdf(data: bytes, name: str, limits: Limits) -> Reading:
    """Read a PDF's text in reading order, with its pages.

    :raises InputError: it is not a PDF, damaged, encrypted, too long, or holds no text.
    """
    layout, notices, title = read_layout(data, name, limits)
    if canonical_text(layout.text) != layout.text:
        raise AssertionError("the offsets of a PDF's pages refer to canonical text")
    return Reading(layout.text, notices, title, tuple(layout.pages))


def read_layout(
    data: bytes, name: str, limits: Limits
) -> tuple[Layout, tuple[str, ...], str | None]:
    """Return the text and the places of its characters, what had to be guessed, and the title.

    :raises InputError: as `read_pdf`.
    """
    with _opened(data, name) as document:
        count = len(document)
        if count > limits.pages:
            raise InputError(
                f"{name!r} has {count} pages, the limit is {limits.pages}; split it or raise "
                f"max_pages"
            )
        pages = [read_page(document[number]) for number in range(count)]
        title = document.get_metadata_value("Title").strip()
    empty = [number for number, page in enumerate(pages, start=1) if not _has_text(page)]
    if len(empty) == count:
        raise InputError(
            f"{name!r} is scanned: its {count} pages are pictures without text; run text "
            f"recognition on it first (for example: ocrmypdf in.pdf out.pdf)"
        )
    notices = [f"no text on {_pages(empty)}: empty, or scanned"] if empty else []
    if slanted := sum(page.slanted for page in pages):
        notices.append(f"{slanted} slanted characters (a watermark?) are left out")
    if b"%%EOF" not in data[-_HEAD:]:
        notices.append("the end of the file is missing: pages may be missing too")
    return _laid_out(pages), tuple(notices), _usable(title)


def render_page(data: bytes, name: str, page: int, width: int) -> bytes:
    """Return a page as a PNG picture.

    :param page: its number, from 1.
    :param width: of the picture, in pixels.
    :raises InputError: it is not a PDF that can be read, or has no such page.
    """
    with _opened(data, name) as document:
        if not 1 <= page <= len(document):
            raise InputError(f"{name!r} has no page {page}; its pages are 1 to {len(document)}")
        shown = document[page - 1]
        points, height = shown.get_size()
        scale = min(width / max(points, 1), (_MAX_POINTS / max(points * height, 1)) ** 0.5)
        picture = io.BytesIO()
        shown.render(scale=scale).to_pil().save(picture, format="PNG")
    return picture.getvalue()


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[PdfDocument]:
    """Open a PDF; pdfium's errors, here and inside, are errors that name the file."""
    import pypdfium2
    import pypdfium2.raw as pdfium

    if b"%PDF-" not in data[:_HEAD]:
        refuse_other_type(data, name, "PDF")
    try:
        with pypdfium2.PdfDocument(data) as document:
            yield document
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise InputError(
                f"{name!r} is encrypted; open it with its password and save it without one"
            ) from error
        raise InputError(
            f"{name!r} is damaged or cut off and cannot be read as a PDF; get it once more"
        ) from error


def _has_text(page: PageText) -> bool:
    segments = chain(page.segments, *page.turned)
    return any(has_content(segment.text) for segment in segments)


def _pages(numbers: Sequence[int]) -> str:
    """Return page numbers as people write them: ``pages 1, 3–5``."""
    runs = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        runs.append(f"{run[0]}–{run[-1]}" if len(run) > 1 else f"{run[0]}")
    return f"page{'s' * (len(numbers) > 1)} {', '.join(runs)}"


def _laid_out(pages: Sequence[PageText]) -> Layout:
    lines: list[Line] = []
    columns = 0
    for number, page in enumerate(without_margins(pages), start=1):
        for segments in (page.segments, *page.turned):
            rows = in_order(segments)
            lines += [
                Line(number, tuple(row.segments), columns + row.column, row.table, row.size)
                for row in rows
            ]
            columns += max((row.column for row in rows), default=0) + 1
    return lay_out(find_paragraphs(lines), [(page.width, page.height) for page in pages])


def _usable(title: str) -> str | None:
    """Return a title that a person wrote; programs leave the name of a file or of themselves."""
    words = title.split()
    looks_like_file = "." in title[-5:] or "://" in title or title.startswith("Microsoft ")
    return None if len(words) < 2 or looks_like_file or len(title) > 200 else " ".join(words)
