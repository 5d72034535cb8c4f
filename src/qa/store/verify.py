"""What can be wrong with an index on disk, told in sentences for `qa doctor`."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from qa.errors import QAError
from qa.store import contents, sums
from qa.store.database import Database
from qa.store.faults import REBUILD, REEMBED
from qa.store.fulltext import rows_of, vocabulary
from qa.store.layout import Layout
from qa.store.records import text_digest, to_document
from qa.store.segments import Segment, damage
from qa.types import Document

_DOCUMENTS: Final = (
    "SELECT id, title, text, pages, notices, text_sha256, sentences FROM documents ORDER BY id"
)
_COUNTS: Final = (
    ("spans", "SELECT count(*) FROM spans", "SELECT count(*) FROM documents"),
    (
        "sentences",
        "SELECT coalesce(sum(length(words) / 2 - 2), 0) FROM spans",
        "SELECT coalesce(sum(sentences), 0) FROM documents",
    ),
)


def problems(db: Database, folder: Path, segments: Sequence[Segment], *, deep: bool) -> list[str]:
    """Return every problem found; the shallow check reads the vector files and counts only."""
    said = (damage(folder, segment) for segment in segments)
    found = [f"{one}; it is made anew from SQLite at the next opening" for one in said if one]
    found += [f"{what} are missing or damaged: {REEMBED}" for what in _missing(db)]
    return [*found, *_database(db), *_documents(db)] if deep else found


def _missing(db: Database) -> Iterator[str]:
    if not sums.documents_are_whole(db):
        yield "documents"
    if not sums.terms_are_whole(db):
        yield "search terms"


def _database(db: Database) -> Iterator[str]:
    try:
        for (said,) in db.run("PRAGMA integrity_check"):
            if said != "ok":
                yield f"SQLite: {said}: {REBUILD}"
        if not db.read_only:  # it is a write, though it changes nothing
            db.run("INSERT INTO terms (terms) VALUES ('integrity-check')")
    except QAError as error:
        yield f"SQLite: {error.__cause__}: {REBUILD}"
    for what, rows, wanted in _COUNTS:
        [(found,)], [(expected,)] = db.run(rows), db.run(wanted)
        if found != expected:
            yield f"{found} {what} instead of {expected}: {REEMBED}"


def _documents(db: Database) -> Iterator[str]:
    dim = int(db.run("SELECT value FROM meta WHERE key = 'dim'")[0][0])
    expected: dict[int, int] = {}
    for *columns, digest, sentences in db.run(_DOCUMENTS):
        try:
            document = to_document(tuple(columns))
            whole = text_digest(document.text) == digest
        except ValueError:
            whole = False
        if not whole:
            yield f"the stored text of {columns[0]!r} has changed: {REBUILD}"
            continue
        try:
            expected |= _check(db, document, sentences, dim)
        except ValueError as error:
            yield f"{document.id!r}: {error}: {REEMBED}"
    yield from _terms(db, expected)


def _check(db: Database, document: Document, sentences: int, dim: int) -> dict[int, int]:
    """Return the checksum of the search terms that each row of a document should have.

    :raises ValueError: what is wrong with its sentences, search terms or vectors.
    """
    span = contents.span_of(db, document.id)
    if span is None or len(span.places) != sentences:
        raise ValueError(f"{len(span.places) if span else 0} of {sentences} sentences are left")
    found = contents.indexed(document, span)
    if contents.terms_sum(found.terms) != span.terms_sum:
        raise ValueError("its search terms are not those of its text")
    if not np.array_equal(found.words, span.words):
        raise ValueError("what a search knows of its sentences is not what its text gives")
    findable = int(np.count_nonzero(span.words))
    deque(contents.vectors_of(db, span.first, span.last, dim, findable), maxlen=0)
    return {span.first + place: _sum(text.split()) for place, text in found.terms}


def _sum(found: Sequence[str]) -> int:
    return sum(zlib.crc32(term.encode()) for term in found)


def _terms(db: Database, expected: dict[int, int]) -> Iterator[str]:
    """Compare what the full-text index has of each row with what it should have."""
    try:
        layout = Layout.of(db.run(contents.SPANS))
        found = np.zeros(len(layout.words), dtype=np.int64)
        for term in vocabulary(db):
            [rows] = rows_of(db, [term])
            found[layout.places(rows)] += zlib.crc32(term.encode())
    except (ValueError, QAError) as error:
        yield f"the search terms cannot be read ({error}): {REEMBED}"
        return
    rows = np.array(list(expected), dtype=np.int64)
    wanted = np.zeros(len(layout.words), dtype=np.int64)
    wanted[layout.places(rows)] = list(expected.values())
    wrong = np.flatnonzero(found != wanted)
    owned = layout.owned(layout.rows_at(wrong[:1000]).tolist())
    for document_id in sorted({document_id for _, document_id, _ in owned}):
        yield f"{document_id!r}: its search terms are damaged: {REEMBED}"
