"""What can be wrong with an index on disk, told in sentences for `qa doctor`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from qa.errors import QAError
from qa.store.database import Database
from qa.store.faults import REBUILD, REEMBED
from qa.store.records import terms as terms_of
from qa.store.records import text_digest, to_document, to_sentence
from qa.store.segments import Segment, damage
from qa.store.vectors import unpack
from qa.types import Document

_DOCUMENTS: Final = (
    "SELECT id, title, text, pages, notices, text_sha256, first_row, sentences, findable "
    "FROM documents ORDER BY first_row"
)
_SENTENCES: Final = (
    "SELECT row, first, last, heading, context, check_sum, vector, c0, c1 "
    "FROM sentences LEFT JOIN vectors USING (row) LEFT JOIN terms_content ON id = row "
    "WHERE row BETWEEN ? AND ? ORDER BY row"
)


def problems(db: Database, folder: Path, segments: Sequence[Segment], *, deep: bool) -> list[str]:
    """Return every problem found; the shallow check reads the vector files and counts only."""
    found = [*_files(folder, segments), *_counts(db, segments)]
    return [*found, *_database(db), *_documents(db)] if deep else found


def _files(folder: Path, segments: Sequence[Segment]) -> list[str]:
    said = (damage(folder, segment) for segment in segments)
    return [f"{one}; it is made anew from SQLite at the next opening" for one in said if one]


def _counts(db: Database, segments: Sequence[Segment]) -> list[str]:
    """Compare what the vector files hold with what the documents say."""
    sealed = segments[-1].last if segments else 0
    [(expected,)] = db.run(
        "SELECT coalesce(sum(findable), 0) FROM documents WHERE first_row <= ?", sealed
    )
    [(dead,)] = db.run("SELECT coalesce(sum(vectors), 0) FROM dead")
    found = sum(segment.vectors for segment in segments) - dead
    if found == expected:
        return []
    return [f"the vector files hold {found} vectors instead of {expected}: {REEMBED}"]


def _database(db: Database) -> Iterator[str]:
    try:
        for (said,) in db.run("PRAGMA integrity_check"):
            if said != "ok":
                yield f"SQLite: {said}: {REBUILD}"
        if not db.read_only:  # it is a write, though it changes nothing
            db.run("INSERT INTO terms (terms) VALUES ('integrity-check')")
    except QAError as error:
        yield f"SQLite: {error.__cause__}: {REBUILD}"
    for table, column in (("sentences", "sentences"), ("vectors", "findable")):
        [(rows,)] = db.run(f"SELECT count(*) FROM {table}")
        [(expected,)] = db.run(f"SELECT coalesce(sum({column}), 0) FROM documents")
        if rows != expected:
            yield f"{rows} {table} instead of {expected}: {REEMBED}"


def _documents(db: Database) -> Iterator[str]:
    dim = int(db.run("SELECT value FROM meta WHERE key = 'dim'")[0][0])
    for *columns, digest, first, sentences, findable in db.run(_DOCUMENTS):
        document = to_document(tuple(columns))
        if text_digest(document.text) != digest:
            yield f"the stored text of {document.id!r} has changed: {REBUILD}"
            continue
        rows = db.run(_SENTENCES, first, first + sentences - 1)
        said = _sentences(document, rows, findable, dim)
        if said:
            yield f"{document.id!r}: {said}: {REEMBED}"


def _sentences(document: Document, rows: Sequence[tuple[Any, ...]], findable: int, dim: int) -> str:
    """Return what is wrong with a document's sentences, search terms or vectors, or nothing."""
    vectors = []
    for place, (_, *columns, vector, bare, context) in enumerate(rows):
        try:
            sentence = to_sentence(tuple(columns), place, document)
        except ValueError as error:
            return f"{error} is not what was written"
        if vector is not None:
            vectors.append(vector)
            if (bare, context) != (terms_of(sentence.text), terms_of(str(columns[3]))):
                return f"the search terms of sentence {place} are not those of its text"
    if len(vectors) != findable:
        return f"{len(vectors)} vectors instead of {findable}"
    try:
        unpack(vectors, dim)
    except ValueError as error:
        return f"vector {error} is not what was written"
    return ""
