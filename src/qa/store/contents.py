"""A document's rows in the tables of an index: written, read back and deleted, inside a commit.

It knows nothing of commits, or of how rows are searched.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from qa.errors import IndexMismatch
from qa.store import sums, terms
from qa.store.blocks import Halves, Vectors, block_vectors, pack, unpack
from qa.store.database import Database
from qa.store.places import Places, Words, opened, sealed
from qa.store.records import PUT_DOCUMENT, Origin, document_values, to_document
from qa.store.schema import lay_out_terms
from qa.types import Chunk, Document, Sentence

# What `Layout.of` takes.
SPANS: Final = "SELECT first, document, words FROM spans ORDER BY first"
_DOCUMENT: Final = "SELECT id, title, text, pages, notices FROM documents WHERE id = ?"
_SPAN: Final = (
    "SELECT first, last, findable, words, places, terms_sum FROM {0}spans WHERE document = ?"
)
_PUT_SPAN: Final = "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)"
_ADD_TERMS: Final = "INSERT INTO terms (rowid, stems) VALUES (?, ?)"
_DELETE_TERMS: Final = "INSERT INTO terms (terms, rowid, stems) VALUES ('delete', ?, ?)"


@dataclass(frozen=True, slots=True)
class Span:
    """A document's row in ``spans``: its rows, what is kept of them, and what is whole of that."""

    first: int
    last: int
    words: Words
    places: Places
    terms_sum: int

    def sentences(self, document: Document) -> tuple[Sentence, ...]:
        """Return the document's sentences."""
        return tuple(self.places.sentence(document, place) for place in range(len(self.places)))

    def chunks(self, document: Document) -> tuple[Chunk, ...]:
        """Return a chunk for each sentence that can be found."""
        return tuple(
            Chunk(self.places.sentence(document, place), self.places.context(document, place))
            for place in np.flatnonzero(self.words).tolist()
        )


def key(first: int, document_id: str) -> str:
    """Return what the checksums of a span's values are made with besides their content."""
    return f"{first} {document_id}"


def put(
    db: Database,
    document: Document,
    origin: Origin,
    sentences: Sequence[Sentence],
    chunks: Sequence[Chunk],
    vectors: Vectors | Halves,
    first: int,
) -> int:
    """Write a document that is not there, from row ``first`` on; return the next free row.

    :raises UnicodeEncodeError: the text holds an unpaired surrogate.
    """
    # Vectors are in the order of the rows; so must chunks be.
    order = sorted(range(len(chunks)), key=lambda at: chunks[at].sentence.index)
    chunks = [chunks[at] for at in order]
    places = Places.of(sentences, {one.sentence.index: one.context for one in chunks})
    db.run(PUT_DOCUMENT, *document_values(document, origin, len(sentences)))
    # A document without sentences takes a row, too: no two begin at the same one.
    end = first + max(1, len(sentences))
    found = terms.index(sentences, chunks, places)
    _put_span(db, document.id, Span(first, end - 1, found.words, places, 0), found)
    size = block_vectors(vectors.shape[1])
    db.run_many(
        "INSERT INTO vectors VALUES (?, ?)",
        ((first + number * size, one) for number, one in enumerate(pack(vectors[order]))),
    )
    return end


def put_damaged(db: Database, document_id: str, first: int) -> None:
    """Give a document that is there a span that says that its sentences are not known."""
    words = sealed(b"", key(first, document_id))
    db.run(_PUT_SPAN, first, first, document_id, 0, words, b"", 0)
    sums.add_document(db, first, document_id)


def move(db: Database, document_id: str, schema: str, shift: int) -> None:
    """Take a document's span over from another schema, and write its search terms.

    :raises ValueError: it is not what was written.
    """
    span = span_of(db, document_id, schema)
    rows = db.run(_DOCUMENT, document_id)
    if span is None or not rows:
        raise ValueError(document_id)
    found = indexed(to_document(rows[0]), span)
    moved = replace(span, first=span.first + shift, last=span.last + shift)
    _put_span(db, document_id, moved, found)


def _put_span(db: Database, document_id: str, span: Span, found: terms.Indexed) -> None:
    name = key(span.first, document_id)
    words = sealed(found.words.astype("<u2").tobytes(), name)
    findable = int(np.count_nonzero(found.words))
    values = (span.first, span.last, document_id, findable, words, span.places.pack(name))
    db.run(_PUT_SPAN, *values, terms_sum(found.terms))
    sums.add_document(db, span.first, document_id)
    _add_terms(db, span.first, found)


def span_of(db: Database, document_id: str, schema: str = "") -> Span | None:
    """Return the span of a document; None: there is none.

    :raises ValueError: it is not what was written.
    """
    found = db.run(_SPAN.format(schema), document_id)
    if not found:
        return None
    [(first, last, findable, words, places, written)] = found
    name = key(first, document_id)
    numbers = np.frombuffer(opened(words, name), dtype="<u2")
    span = Span(first, last, numbers, Places.unpack(places, name), written)
    count = len(span.places)
    counts = (count, last - first + bool(count), int(np.count_nonzero(numbers)))
    if (len(numbers), count, findable) != counts:
        raise ValueError(f"what is kept of {name!r} does not fit together")
    return span


def remove(db: Database, document_id: str) -> bool:
    """Delete all of a document, and return whether it was there."""
    rows = db.run("SELECT first, last FROM spans WHERE document = ?", document_id)
    if not rows:
        return False
    _remove_terms(db, document_id)
    for table in ("labels", "vectors"):
        db.run(f"DELETE FROM {table} WHERE row BETWEEN ? AND ?", *rows[0])
    db.run("DELETE FROM spans WHERE document = ?", document_id)
    sums.add_document(db, rows[0][0], document_id, -1)
    db.run("DELETE FROM documents WHERE id = ?", document_id)
    return True


def _remove_terms(db: Database, document_id: str) -> None:
    """Take a document's rows out of the full-text index, which must be told what it has of them.

    Where that cannot be known any more (the text is damaged, words are cut otherwise today) they
    stay: rows of no document are never found.
    """
    rows = db.run(_DOCUMENT, document_id)
    try:
        span = span_of(db, document_id)
        found = indexed(to_document(rows[0]), span) if rows and span else None
    except (ValueError, TypeError):
        return
    if span and found and terms_sum(found.terms) == span.terms_sum:
        db.run_many(_DELETE_TERMS, ((span.first + place, text) for place, text in found.terms))


def index_again(db: Database) -> None:
    """Make the full-text index anew from the texts; it stays as it is where one is damaged."""
    db.run("SAVEPOINT again")
    try:
        lay_out_terms(db)
        for (document_id,) in db.run("SELECT document FROM spans ORDER BY first"):
            _index_again(db, document_id)
        sums.settle_terms(db)
    except (ValueError, TypeError, IndexMismatch):
        db.run("ROLLBACK TO again")
    db.run("RELEASE again")


def _index_again(db: Database, document_id: str) -> None:
    span, rows = span_of(db, document_id), db.run(_DOCUMENT, document_id)
    if span is None or not rows:
        raise ValueError(document_id)
    found = indexed(to_document(rows[0]), span)
    if terms_sum(found.terms) != span.terms_sum or not np.array_equal(found.words, span.words):
        raise ValueError(document_id)
    _add_terms(db, span.first, found)


def _add_terms(db: Database, first: int, found: terms.Indexed) -> None:
    db.run_many(_ADD_TERMS, ((first + place, text) for place, text in found.terms))


def indexed(document: Document, span: Span) -> terms.Indexed:
    """Return what the index should keep of a document's sentences."""
    return terms.index(span.sentences(document), span.chunks(document), span.places)


def terms_sum(found: Iterable[tuple[int, str]]) -> int:
    """Return what tells which search terms were written."""
    return zlib.crc32("\n".join(f"{place} {text}" for place, text in found).encode())


def vectors_of(db: Database, first: int, last: int, dim: int, count: int) -> Iterator[Halves]:
    """Yield the vectors of a span of whole documents as (k, dim) float16, in the order of rows.

    :raises ValueError: one is not what was written, or there are not ``count`` of them.
    """
    sql = "SELECT block FROM vectors WHERE row BETWEEN ? AND ? ORDER BY row"
    for found in db.stream(sql, first, last):
        halves = unpack([block for (block,) in found], dim)
        count -= len(halves)
        if count < 0:
            break
        yield halves
    if count:
        raise ValueError("there are more or fewer vectors than sentences")
