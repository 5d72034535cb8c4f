"""Database rows to values and back. It knows the columns and nothing of transactions."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any, Final

from qa.types import Document, Page


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document comes from, and what tells whether it has to be read again.

    ``root`` is the file or folder that was given, ``sha256`` that of the file's bytes, ``recipe``
    names the versions of all that made sentences of it.
    """

    root: str = ""
    path: str = ""
    sha256: str = ""
    size: int = 0
    mtime_ns: int = 0
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A sentence's id in another program, and what else that keeps of it, as JSON."""

    id: str
    metadata: str


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """What the index knows of a document, without its text."""

    id: str
    title: str
    sentences: int
    chars: int
    notices: tuple[str, ...]
    origin: Origin

    @property
    def root(self) -> str:
        """The file or folder that was given when the document was indexed."""
        return self.origin.root

    @property
    def path(self) -> str:
        """The file that the document was read from."""
        return self.origin.path


# Half of the text's size at 70 MB/s; level 6 saves 2 % more and takes 1.6 times as long.
_COMPRESSION: Final = 3
INFO_COLUMNS: Final = (
    "id, title, sentences, chars, notices, root, path, sha256, size, mtime_ns, recipe"
)
PUT_DOCUMENT: Final = (
    f"INSERT INTO documents ({INFO_COLUMNS}, text_sha256, pages, text) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def document_values(document: Document, origin: Origin, sentences: int) -> tuple[object, ...]:
    """Return the values of PUT_DOCUMENT; an unpaired surrogate is a UnicodeEncodeError."""
    pages = [(page.number, page.start, page.end) for page in document.pages]
    return (
        *(document.id, document.title, sentences, len(document.text)),
        json.dumps(document.notices, ensure_ascii=False),
        *(origin.root, origin.path, origin.sha256, origin.size, origin.mtime_ns, origin.recipe),
        *(text_digest(document.text), json.dumps(pages)),
        zlib.compress(document.text.encode(), _COMPRESSION),
    )


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, with which its copy in SQLite is compared."""
    return hashlib.sha256(text.encode()).hexdigest()


def to_info(row: tuple[Any, ...]) -> DocumentInfo:
    """Return the value of a row of INFO_COLUMNS.

    :raises ValueError: it is damaged.
    """
    document_id, title, sentences, chars, notices, *origin = row
    if not isinstance(document_id, str) or not isinstance(notices, str):
        raise ValueError(f"{document_id!r} is no document")
    return DocumentInfo(
        document_id, title, sentences, chars, tuple(json.loads(notices)), Origin(*origin)
    )


def to_text(content: bytes | str) -> str:
    """Return the text of a document as SQLite keeps it; earlier formats did not compress it.

    :raises ValueError: it is damaged so that it cannot be read at all.
    """
    if isinstance(content, str):
        return content
    try:
        return zlib.decompress(content).decode()
    except (zlib.error, TypeError) as error:
        raise ValueError(f"the text cannot be read ({error})") from error


def to_document(row: tuple[Any, ...]) -> Document:
    """Return the value of a row of (id, title, text, pages, notices).

    :raises ValueError: it is damaged.
    """
    document_id, title, text, pages, notices = row
    return Document(
        document_id,
        title,
        to_text(text),
        tuple(Page(*page) for page in json.loads(pages)),
        tuple(json.loads(notices)),
    )
