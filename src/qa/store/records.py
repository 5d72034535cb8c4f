"""Database rows to values and back. It knows the columns and nothing of transactions."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
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
    f"INSERT INTO documents ({INFO_COLUMNS}, first_row, findable, text_sha256, pages, text) "
    f"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a document's sentences are: ``count`` rows from ``first`` on, ``findable`` of them."""

    first: int
    count: int
    findable: int


def document_values(document: Document, origin: Origin, span: Span) -> tuple[object, ...]:
    """Return the values of PUT_DOCUMENT; an unpaired surrogate is a UnicodeEncodeError."""
    pages = [(page.number, page.start, page.end) for page in document.pages]
    return (
        *(document.id, document.title, span.count, len(document.text)),
        json.dumps(document.notices, ensure_ascii=False),
        *(origin.root, origin.path, origin.sha256, origin.size, origin.mtime_ns, origin.recipe),
        *(span.first, span.findable, text_digest(document.text), json.dumps(pages), document.text),
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


def check_sum(sentence: Sentence, context: str) -> int:
    """Return what tells whether a sentence's row and text are those that were written."""
    place = f"{sentence.start} {sentence.end} {int(sentence.heading)}"
    return zlib.crc32(f"{place}\0{context}\0{sentence.text}".encode())


def to_sentence(row: tuple[Any, ...], place: int, document: Document) -> Sentence:
    """Return the value of a row of (first, last, heading, context, check_sum) of a document.

    :param row: as SQLite has it.
    :param place: of the sentence among the document's, from 0.
    :param document: the sentence's document.
    :return: the sentence.
    :raises ValueError: it is not what was written.
    """
    first, last, heading, context, expected = row
    text = document.text[first:last]
    sentence = Sentence(document.id, place, first, last, text, bool(heading))
    if check_sum(sentence, context) != expected:
        raise ValueError(f"sentence {place}")
    return sentence


@dataclass(frozen=True, slots=True)
class SentenceRows:
    """The rows of a document's sentences, and of the search terms of those that can be found."""

    sentences: list[tuple[object, ...]]
    terms: list[tuple[int, str, str]]


def to_rows(sentences: Sequence[Sentence], chunks: Sequence[Chunk], first_row: int) -> SentenceRows:
    """Number the sentences from ``first_row`` on and return their rows; terms in chunk order."""
    row_of = {sentence.index: first_row + at for at, sentence in enumerate(sentences)}
    context_of = {chunk.sentence.index: chunk.context for chunk in chunks}
    contexts = [context_of.get(one.index, "") for one in sentences]
    return SentenceRows(
        [
            (row, one.start, one.end, int(one.heading), context, check_sum(one, context))
            for row, (one, context) in enumerate(zip(sentences, contexts, strict=True), first_row)
        ],
        [(row_of[index], *found) for index, found in _chunk_terms(chunks)],
    )


def _chunk_terms(chunks: Sequence[Chunk]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the terms of each chunk's sentence and context.

    A context mostly ends with the sentence before: its terms are known, and are half of the work.
    """
    before, terms_before = "", ""
    heads: dict[str, str] = {}
    for chunk in chunks:
        text, context = chunk.sentence.text, chunk.context
        head = context[: len(context) - len(before)]
        if before and head.endswith(". ") and context.endswith(before):
            if head not in heads:
                heads[head] = terms(head)
            of_context = f"{heads[head]} {terms_before}".strip()
        else:
            of_context = terms(context)
        before, terms_before = text, terms(text)
        yield chunk.sentence.index, (terms_before, of_context)


def terms(text: str) -> str:
    """Return the text as the full-text index keeps it."""
    return " ".join(stems(text))
