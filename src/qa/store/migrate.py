"""Indexes of earlier formats → this one, in one commit: interrupted, they are as they were before.

Texts, sentences, search terms and vectors are taken over; nothing is read or encoded again.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from qa.store.database import Database
from qa.store.records import check_sum
from qa.store.schema import FORMAT, lay_out
from qa.store.vectors import pack
from qa.types import Sentence

log = logging.getLogger(__name__)

_TABLES = ("documents", "sentences", "vectors", "labels")
_PUT = (
    "INSERT INTO documents SELECT id, title, ?, chars, notices, root, path, sha256, size, "
    "mtime_ns, recipe, ?, ?, text_sha256, pages, text FROM old_documents WHERE id = ?"
)
_OLD = (
    "SELECT row, place, first, last, heading, context, vector, bare, c1, labels.id, metadata "
    "FROM old_sentences LEFT JOIN old_vectors USING (row) LEFT JOIN old_labels AS labels "
    "USING (row) LEFT JOIN old_terms ON old_terms.id = row WHERE document = ? ORDER BY place"
)


def migrate(db: Database, folder: Path, version: int) -> None:
    """Bring an index of format ``version`` to the present one.

    :param db: the index's database.
    :param folder: the index's folder.
    :param version: its format, 1 or the present one.
    :raises QAError: it cannot be written, or another program is writing to it.
    """
    if version == FORMAT:
        return
    log.warning("the index in %s has format %s: brought to format %s", folder, version, FORMAT)
    with db.writing():
        if db.run("SELECT value FROM meta WHERE key = 'format'") == [(str(FORMAT),)]:
            return  # another process was faster
        _from_1(db)
        db.run("UPDATE meta SET value = ? WHERE key = 'format'", str(FORMAT))


def _from_1(db: Database) -> None:
    """Format 1: rows in no order, vectors of 32 bits without checksums, one vector file."""
    db.run("CREATE TABLE old_terms AS SELECT rowid AS id, bare, context AS c1 FROM terms")
    db.run("CREATE UNIQUE INDEX old_terms_id ON old_terms (id)")
    for table in _TABLES:
        db.run(f"ALTER TABLE {table} RENAME TO old_{table}")
    db.run("DROP TABLE terms")
    lay_out(db)
    row = 1
    for (document_id,) in db.run("SELECT id FROM old_documents ORDER BY id"):
        row += _take_over(db, document_id, row)
    for table in ("old_labels", "old_vectors", "old_sentences", "old_documents", "old_terms"):
        db.run(f"DROP TABLE {table}")
    db.run("DROP TABLE vector_files")
    db.run("INSERT INTO meta VALUES ('next_row', ?)", str(row))


def _take_over(db: Database, document_id: str, first_row: int) -> int:
    """Move a document and return how many sentences it has."""
    [(text,)] = db.run("SELECT text FROM old_documents WHERE id = ?", document_id)
    old = db.run(_OLD, document_id)
    rows = list(enumerate(old, first_row))
    found = [(row, one) for row, one in rows if one[6] is not None]
    db.run(_PUT, len(old), first_row, len(found), document_id)
    db.run_many(
        "INSERT INTO sentences VALUES (?, ?, ?, ?, ?, ?)",
        [_sentence(row, one, document_id, text) for row, one in rows],
    )
    db.run_many(
        "INSERT INTO terms (rowid, bare, context) VALUES (?, ?, ?)",
        [(row, one[7], one[8]) for row, one in found],
    )
    vectors = [np.frombuffer(one[6], dtype="<f4") for _, one in found]
    if vectors:
        packed = pack(np.array(vectors, dtype=np.float32))
        db.run_many(
            "INSERT INTO vectors VALUES (?, ?)",
            [(row, blob) for (row, _), blob in zip(found, packed, strict=True)],
        )
    db.run_many(
        "INSERT INTO labels VALUES (?, ?, ?)",
        [(row, one[9], one[10]) for row, one in rows if one[9] is not None],
    )
    return len(old)


def _sentence(row: int, old: tuple[Any, ...], document_id: str, text: str) -> tuple[object, ...]:
    _, place, first, last, heading, context, *_ = old
    sentence = Sentence(document_id, place, first, last, text[first:last], bool(heading))
    return row, first, last, heading, context, check_sum(sentence, context)
