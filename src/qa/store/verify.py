"""What can be wrong with an index on disk, told in sentences for `qa doctor`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qa.store.database import Database
from qa.store.faults import REBUILD
from qa.store.records import text_digest
from qa.store.vectors import VectorFile, damage


def problems(db: Database, folder: Path, file: VectorFile | None, *, deep: bool) -> list[str]:
    """Return every problem found; the shallow check reads counts and sizes only."""
    found = [*_counts(db), *_vector_file(folder, file, db, deep=deep)]
    if deep:
        found += [*_database(db), *_texts(db), *_vectors(db)]
    return found


def _counts(db: Database) -> list[str]:
    vectors, terms = (
        db.run(f"SELECT count(*) FROM {table}")[0][0] for table in ("vectors", "terms_docsize")
    )
    if vectors != terms:
        return [f"{vectors} sentences have vectors and {terms} have search terms: {REBUILD}"]
    return []


def _vector_file(folder: Path, file: VectorFile | None, db: Database, *, deep: bool) -> list[str]:
    vectors = db.run("SELECT count(*) FROM vectors")[0][0]
    if file is None:
        return [f"no vector file is recorded: {REBUILD}"] if vectors else []
    if file.vectors != vectors:
        return [f"{file.name} holds {file.vectors} vectors instead of {vectors}: {REBUILD}"]
    said = damage(folder, file, deep=deep)
    return [f"{said}; it is computed anew at the next opening"] if said else []


def _database(db: Database) -> list[str]:
    rows = db.run("PRAGMA integrity_check")
    return [f"SQLite: {said}: {REBUILD}" for (said,) in rows if said != "ok"]


def _texts(db: Database) -> list[str]:
    found = []
    for document, text, digest in db.run("SELECT id, text, text_sha256 FROM documents ORDER BY id"):
        if text_digest(text) != digest:
            found.append(f"the stored text of {document!r} has changed: {REBUILD}")
    beyond = db.run(
        "SELECT document, count(*) FROM sentences JOIN documents ON documents.id = document "
        "WHERE NOT (0 <= first AND first < last AND last <= chars) GROUP BY document"
    )
    return found + [
        f"{count} sentences of {document!r} point outside its text: {REBUILD}"
        for document, count in beyond
    ]


def _vectors(db: Database) -> list[str]:
    wrong = 0
    for (blob,) in db.run("SELECT vector FROM vectors"):
        length = (
            float(np.linalg.norm(np.frombuffer(blob, dtype="<f4"))) if len(blob) % 4 == 0 else 0
        )
        wrong += not abs(length - 1) < 1e-3
    return [f"{wrong} vectors do not have length 1: {REBUILD}"] if wrong else []
