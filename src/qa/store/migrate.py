"""Indexes of earlier formats → this one, in one commit: interrupted, they are as they were before.

Texts, sentences and vectors are taken over; nothing is read or encoded again. What is damaged of a
document stays damaged, and an error when it is asked for.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np

from qa.errors import QAError
from qa.store import contents, sums
from qa.store.blocks import Halves
from qa.store.database import Database
from qa.store.records import INFO_COLUMNS, Origin, text_digest, to_document
from qa.store.schema import FORMAT, lay_out
from qa.types import Chunk, Document, Sentence

log = logging.getLogger(__name__)

_TABLES: Final = ("labels", "vectors", "sentences", "documents")
# Format 1: rows in no order, vectors of 32 bits without checksums, one vector file. Format 2: the
# rows of a document follow each other; sentences and vectors have checksums. Format 3: each thing
# once, but no sums.
_OTHERS: Final = {1: ("vector_files",), 2: ("segments", "dead")}
_WITHOUT_SUMS: Final = 3
_DOCUMENTS: Final = {1: "id", 2: "first_row"}
_DOCUMENT: Final = (
    "SELECT id, title, text, pages, notices, text_sha256, sentences, {findable}, root, path, "
    "sha256, size, mtime_ns, recipe FROM old_documents WHERE id = ?"
)
_AS_IT_IS: Final = (
    f"INSERT INTO documents SELECT {INFO_COLUMNS}, text_sha256, pages, text FROM old_documents "
    f"WHERE id = ?"
)
_SENTENCES: Final = (
    "SELECT first, last, heading, context, vector, labels.id, metadata, {sum} FROM old_sentences "
    "LEFT JOIN old_vectors USING (row) LEFT JOIN old_labels AS labels USING (row) WHERE {where}"
)
_COLUMNS: Final = {
    1: {"findable": "NULL", "sum": "NULL", "where": "document = ? ORDER BY place"},
    2: {
        "findable": "findable",
        "sum": "check_sum",
        "where": "row BETWEEN (SELECT first_row FROM old_documents WHERE id = ?1) AND (SELECT "
        "first_row + sentences - 1 FROM old_documents WHERE id = ?1) ORDER BY row",
    },
}
_Row = tuple[Any, ...]


def migrate(db: Database, folder: Path, version: int) -> None:
    """Bring an index of format ``version`` to the present one.

    :param db: the index's database.
    :param folder: the index's folder.
    :param version: its format, an earlier or the present one.
    :raises QAError: it cannot be written, or another program is writing to it.
    """
    if version == FORMAT:
        return
    log.warning("the index in %s has format %s: brought to format %s", folder, version, FORMAT)
    with db.writing():
        if db.run("SELECT value FROM meta WHERE key = 'format'") == [(str(FORMAT),)]:
            return  # another process was faster
        _take_over(db, version)
        db.run("UPDATE meta SET value = ? WHERE key = 'format'", str(FORMAT))
    try:
        db.run("VACUUM")  # what the old tables took
    except QAError as error:
        log.warning("the index in %s keeps the size of the old one: %s", folder, error)


def _take_over(db: Database, version: int) -> None:
    if version == _WITHOUT_SUMS:
        db.run(sums.TABLE)
        sums.settle_documents(db)
        contents.index_again(db)
        sums.settle_terms(db)
        return
    for table in _TABLES:
        db.run(f"ALTER TABLE {table} RENAME TO old_{table}")
    for table in ("terms", *_OTHERS[version]):
        db.run(f"DROP TABLE {table}")
    lay_out(db)
    dim = int(db.run("SELECT value FROM meta WHERE key = 'dim'")[0][0])
    row = 1
    if version > 1:  # numbers go on: none is used twice
        row = int(db.run("SELECT value FROM meta WHERE key = 'next_row'")[0][0])
    for (document_id,) in db.run(f"SELECT id FROM old_documents ORDER BY {_DOCUMENTS[version]}"):
        row = _move(db, document_id, version, row, dim)
    for table in _TABLES:
        db.run(f"DROP TABLE old_{table}")
    db.run("INSERT OR REPLACE INTO meta VALUES ('next_row', ?)", str(row))
    sums.settle_terms(db)


def _move(db: Database, document_id: str, version: int, first: int, dim: int) -> int:
    """Move a document and return the next free row."""
    rows = db.run(_SENTENCES.format(**_COLUMNS[version]), document_id)
    there = [row for row in rows if row[4] is not None]
    try:
        document, origin = _document(db, document_id, version, (len(rows), len(there)))
        sentences = [_sentence(document, place, row) for place, row in enumerate(rows)]
        vectors = _vectors(there, version, dim)
    except (ValueError, TypeError):  # asking for its sentences will say so
        db.run(_AS_IT_IS, document_id)
        contents.put_damaged(db, document_id, first)
        return first + 1
    pairs = zip(sentences, rows, strict=True)
    chunks = [Chunk(one, row[3]) for one, row in pairs if row[4] is not None]
    end = contents.put(db, document, origin, sentences, chunks, vectors, first)
    labels = [(first + place, row[5], row[6]) for place, row in enumerate(rows) if row[5]]
    db.run_many("INSERT INTO labels VALUES (?, ?, ?)", labels)
    return end


def _document(
    db: Database, document_id: str, version: int, found: tuple[int, int]
) -> tuple[Document, Origin]:
    """Return a document; a ValueError: its text or numbers are not what was written."""
    [row] = db.run(_DOCUMENT.format(**_COLUMNS[version]), document_id)
    document, digest, sentences, findable = to_document(row[:5]), *row[5:8]
    if (
        text_digest(document.text) != digest
        or (sentences, found[1] if findable is None else findable) != found
    ):
        raise ValueError(f"{document_id!r} is not what was written")
    return document, Origin(*row[8:])


def _sentence(document: Document, place: int, row: _Row) -> Sentence:
    """Return a sentence; a ValueError: it is not what was written."""
    first, last, heading, context, *_, written = row
    text = document.text[first:last]
    plain = f"{first} {last} {int(heading)}\0{context}\0{text}"
    if written not in (None, zlib.crc32(plain.encode())):
        raise ValueError(f"sentence {place} is not what was written")
    return Sentence(document.id, place, first, last, text, bool(heading))


def _vectors(rows: list[_Row], version: int, dim: int) -> Halves:
    """Return (n, dim) float16; a ValueError: one is not what was written."""
    contents = [row[4] for row in rows]
    if version == 1:
        joined = np.frombuffer(b"".join(contents), dtype="<f4").reshape(len(rows), dim)
        return joined.astype("<f2")
    for content in contents:
        if zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
            raise ValueError("a vector is not what was written")
    plain = b"".join(content[:-4] for content in contents)
    return np.frombuffer(plain, dtype="<f2").reshape(len(rows), dim)
