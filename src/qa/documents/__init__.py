r"""Paths → documents: which files there are, and the canonical text of each.

Canonical text is Unicode NFC with ``\n`` line ends and without NUL or unpaired surrogates; every
offset in the project refers to it. It knows nothing of sentences, the index or models.

Example: ``[read_document(s, 10**6).title for s in find_sources([Path("index/documents")])]``.
"""

from __future__ import annotations

import os
from pathlib import Path

from qa.documents.canonical import canonical_text, has_content
from qa.documents.formats import SUFFIXES, read_format
from qa.documents.sources import Source, find_sources
from qa.documents.titles import find_title, readable_name
from qa.errors import InputError
from qa.types import Document

__all__ = ["SUFFIXES", "Source", "document_from_text", "find_sources", "read_document"]


def read_document(source: Source, max_bytes: int) -> Document:
    """Read a file as a document; what had to be guessed or repaired is said in its notices.

    :param source: the file, as `find_sources` returns it.
    :param max_bytes: the largest file that is read.
    :return: the document, under the source's id.
    :raises InputError: the file is missing, too large, empty, or not text.
    """
    reading = read_format(source.path, _read_bytes(source.path, max_bytes))
    return _document(reading.text, source.id, str(source.path), None, reading.notices)


def document_from_text(text: str, id: str, title: str | None = None) -> Document:
    """Return ``text`` as a document.

    :param text: any string; it is made canonical.
    :param id: the document's name in citations.
    :param title: without one it is found in the text or made from ``id``.
    :return: the document.
    :raises InputError: there is nothing but white space.
    """
    return _document(text, id, id, title, ())


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{str(path)!r} is a folder; give a file, or index the folder")
        if path.exists() and not path.is_file():
            raise InputError(f"{str(path)!r} is not a regular file; give a text file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise InputError(f"there is no file {str(path)!r}; check the path") from error
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if len(data) > max_bytes:
        raise InputError(
            f"{str(path)!r} is too large: {size / 1e6:.1f} MB, the limit is "
            f"{max_bytes / 1e6:.1f} MB; split it or raise max_file_mb"
        )
    if not data:
        raise InputError(f"{str(path)!r} is empty; put text in it or leave it out")
    return data


def _document(
    text: str, id: str, place: str, title: str | None, notices: tuple[str, ...]
) -> Document:
    nuls = text.count("\0")
    if nuls:
        text = text.replace("\0", " ")
        notices = (*notices, f"{nuls} NUL characters were replaced by spaces")
    canonical = canonical_text(text)
    if not has_content(canonical):
        raise InputError(f"{place!r} holds only white space; put text in it or leave it out")
    if title is None:
        title = find_title(canonical) or readable_name(id)
    return Document(
        id=id, title=" ".join(canonical_text(title).split()), text=canonical, notices=notices
    )
