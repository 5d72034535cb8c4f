"""Database rows to values and back. It knows the columns and nothing of transactions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from qa.types import Chunk, Document, Page, Sentence
from qa.words import stems


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


INFO_COLUMNS: Final = (
    "id, title, sentences, chars, notices, root, path, sha256, size, mtime_ns, recipe"
)
PUT_DOCUMENT: Final = (
    f"INSERT INTO documents ({INFO_COLUMNS}, text, text_sha256, pages) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def document_values(document: Document, origin: Origin, sentences: int) -> tuple[object, ...]:
    """Return the values of PUT_DOCUMENT; an unpaired surrogate is a UnicodeEncodeError."""
    pages = [(page.number, page.start, page.end) for page in document.pages]
    return (
        *(document.id, document.title, sentences, len(document.text)),
        json.dumps(document.notices, ensure_ascii=False),
        *(origin.root, origin.path, origin.sha256, origin.size, origin.mtime_ns, origin.recipe),
        *(document.text, text_digest(document.text), json.dumps(pages)),
    )


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def to_info(row: tuple[Any, ...]) -> DocumentInfo:
    """Return the value of a row of INFO_COLUMNS."""
    document_id, title, sentences, chars, notices, *origin = row
    return DocumentInfo(
        document_id, title, sentences, chars, tuple(json.loads(notices)), Origin(*origin)
    )


def to_document(row: tuple[Any, ...]) -> Document:
    """Return the value of a row of (id, title, text, pages, notices)."""
    document_id, title, text, pages, notices = row
    return Document(
        document_id,
        title,
        text,
        tuple(Page(*page) for page in json.loads(pages)),
        tuple(json.loads(notices)),
    )


def to_sentence(row: tuple[Any, ...], document: Document) -> Sentence:
    """Return the value of a row of (place, first, last, heading) of a document."""
    place, first, last, heading = row
    return Sentence(document.id, place, first, last, document.text[first:last], bool(heading))


@dataclass(frozen=True, slots=True)
class SentenceRows:
    """The rows of a document's sentences, and of the search terms of those that can be found."""

    sentences: list[tuple[object, ...]]
    terms: list[tuple[int, str, str]]


def to_rows(sentences: Sequence[Sentence], chunks: Sequence[Chunk], first_row: int) -> SentenceRows:
    """Number the sentences from ``first_row`` on and return their rows; terms in chunk order."""
    row_of = {sentence.index: first_row + at for at, sentence in enumerate(sentences)}
    context_of = {chunk.sentence.index: chunk.context for chunk in chunks}
    return SentenceRows(
        [
            (
                *(row_of[one.index], one.document, one.index, one.start, one.end),
                *(int(one.heading), context_of.get(one.index, "")),
            )
            for one in sentences
        ],
        [
            (row_of[chunk.sentence.index], terms(chunk.sentence.text), terms(chunk.context))
            for chunk in chunks
        ],
    )


def terms(text: str) -> str:
    """Return the text as the full-text index keeps it."""
    return " ".join(stems(text))
