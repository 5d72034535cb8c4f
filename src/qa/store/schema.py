"""The layout of the store's SQLite file, and its manifest.

SQLite is the truth: texts, sentences, search terms and vectors. Everything else in the folder is
derived from it. It knows nothing of FAISS or of how documents are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from qa.errors import IndexMismatch
from qa.store.database import Database
from qa.store.faults import REBUILD

FORMAT: Final = 1

# `terms` holds stems (qa.words.stems): the ascii tokenizer takes them as they are in any script.
SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, sentences INTEGER NOT NULL, chars INTEGER NOT NULL,
    notices TEXT NOT NULL, root TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, recipe TEXT NOT NULL, text TEXT NOT NULL,
    text_sha256 TEXT NOT NULL, pages TEXT NOT NULL
);
CREATE TABLE sentences (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL REFERENCES documents (id),
    place INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, heading INTEGER NOT NULL,
    context TEXT NOT NULL, UNIQUE (document, place)
);
CREATE TABLE vectors (row INTEGER PRIMARY KEY REFERENCES sentences (row), vector BLOB NOT NULL);
CREATE TABLE labels (
    row INTEGER PRIMARY KEY REFERENCES sentences (row) ON DELETE CASCADE, id TEXT NOT NULL UNIQUE,
    metadata TEXT NOT NULL
);
CREATE TABLE vector_files (
    name TEXT PRIMARY KEY, generation INTEGER NOT NULL, vectors INTEGER NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
CREATE VIRTUAL TABLE terms USING fts5 (
    bare, context, detail = column, tokenize = "ascii tokenchars '.'"
);
"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index was made with. ``generation`` counts the commits that changed what is found."""

    format: int
    encoder_id: str
    dim: int
    created: str
    updated: str
    generation: int


def create(db: Database, encoder_id: str, dim: int) -> None:
    """Lay out an empty index, unless there is one."""
    if _has_layout(db):
        return
    with db.writing():
        if _has_layout(db):  # another process was faster
            return
        for statement in SCHEMA.split(";\n"):
            db.run(statement)
        now = timestamp()
        for key, value in (
            ("format", FORMAT),
            ("encoder_id", encoder_id),
            ("dim", dim),
            ("created", now),
            ("updated", now),
            ("generation", 0),
        ):
            db.run("INSERT INTO meta VALUES (?, ?)", key, str(value))


def _has_layout(db: Database) -> bool:
    return bool(db.run("SELECT 1 FROM sqlite_master WHERE name = 'meta'"))


def read_manifest(db: Database, folder: Path) -> Manifest:
    """Return the manifest; another format, or a damaged manifest, is an IndexMismatch."""
    values = dict(db.run("SELECT key, value FROM meta"))
    try:
        version = int(values["format"])
        if version != FORMAT:
            age = "a newer" if version > FORMAT else "an older"
            remedy = f"update this program, or {REBUILD}" if version > FORMAT else REBUILD
            raise IndexMismatch(
                f"the index in {str(folder)!r} has format {version}, of {age} version of this "
                f"program (this one reads format {FORMAT}): {remedy}"
            )
        return Manifest(
            format=version,
            encoder_id=values["encoder_id"],
            dim=int(values["dim"]),
            created=values["created"],
            updated=values["updated"],
            generation=int(values["generation"]),
        )
    except (KeyError, ValueError) as error:
        raise IndexMismatch(
            f"the manifest of the index in {str(folder)!r} is damaged ({error!r}): {REBUILD}"
        ) from error


def timestamp() -> str:
    """Return the present moment in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
