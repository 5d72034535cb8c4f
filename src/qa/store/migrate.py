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
from qa.store import contents
from qa.store.blocks import Halves
from qa.store.database import Database
from qa.store.records import Origin, to_document
from qa.store.schema import FORMAT, lay_out
from qa.types import Chunk, Document, Sentence

log = logging.getLogger(__name__)

_TABLES: Final = ("labels", "vectors", "sentences", "documents")
# Format 1: rows in no order, vectors of 32 bits without checksums, one vector file. Format 2: the
# rows of a document follow each other; sentences and vectors have checksums.
_OTHERS: Final = {1: ("vector_files",), 2: ("segments", "dead")}
_DOCUMENTS: Final = {1: "id", 2: "first_row"}
_DOCUMENT: Final = (
    "SELECT id, title, text, pages, notices, text_sha256, sentences, {findable}, root, path, "
    "sha256, size, mtime_ns, recipe FROM old_documents WHERE id = ?"
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


def _move(db: Database, document_id: str, version: int, first: int, dim: int) -> int:
    """Move a document and return the next free row."""
    [row] = db.run(_DOCUMENT.format(**_COLUMNS[version]), document_id)
    document, digest, counts, origin = to_document(row[:5]), row[5], row[6:8], Origin(*row[8:])
    rows = db.run(_SENTENCES.format(**_COLUMNS[version]), document_id)
    sentences = [_sentence(document, place, row) for place, row in enumerate(rows)]
    there = [place for place, row in enumerate(rows) if row[4] is not None]
    chunks = [Chunk(sentences[place], rows[place][3]) for place in there]
    try:
        vectors = _vectors([rows[place] for place in there], version, dim)
        if counts not in ((len(rows), len(there)), (len(rows), None)):
            raise ValueError("sentences or vectors are lost")
        _check(sentences, rows)
        end = contents.put(db, document, origin, sentences, chunks, vectors, first)
    except ValueError:  # asking for its sentences will say so
        end = contents.put(db, document, origin, [], [], np.empty((0, dim), np.float16), first)
        db.run("UPDATE spans SET places = x'' WHERE document = ?", document_id)
    db.run("UPDATE documents SET text_sha256 = ? WHERE id = ?", digest, document_id)
    labels = [(first + place, row[5], row[6]) for place, row in enumerate(rows) if row[5]]
    db.run_many("INSERT INTO labels VALUES (?, ?, ?)", labels if end - first >= len(rows) else [])
    return end


def _sentence(document: Document, place: int, row: _Row) -> Sentence:
    first, last, heading, *_ = row
    return Sentence(document.id, place, first, last, document.text[first:last], bool(heading))


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


def _check(sentences: list[Sentence], rows: list[_Row]) -> None:
    """Compare sentences with their checksums; a ValueError: one is not what was written."""
    for one, (_, _, _, context, *_, written) in zip(sentences, rows, strict=True):
        place = f"{one.start} {one.end} {int(one.heading)}"
        if written not in (None, zlib.crc32(f"{place}\0{context}\0{one.text}".encode())):
            raise ValueError(f"sentence {one.index} is not what was written")
