"""The layout of the store's SQLite file, and its manifest.

SQLite is the truth: texts, sentences, search terms and vectors, all with a checksum that is
compared whenever they are read (search terms: when the index is opened). Everything else in the
folder is derived from it. It knows nothing of FAISS or of how documents are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from qa.errors import IndexMismatch
from qa.store import sums
from qa.store.database import Database
from qa.store.faults import REBUILD
from qa.store.remains import check_remains

FORMAT: Final = 4

# The sentences of a document are the rows of its span, in text order; `findable` of them have a
# vector and search terms. No row number is ever used twice. `words` and `places`:
# `qa.store.places`; `terms_sum` tells which search terms were written. A block of vectors is under
# the span's first row plus the number of the block's first vector. `segments` names the files of
# coarse vectors.
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, sentences INTEGER NOT NULL, chars INTEGER NOT NULL,
    notices TEXT NOT NULL, root TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, recipe TEXT NOT NULL,
    text_sha256 TEXT NOT NULL, pages TEXT NOT NULL, text BLOB NOT NULL
);
CREATE TABLE spans (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, document TEXT NOT NULL UNIQUE,
    findable INTEGER NOT NULL, words BLOB NOT NULL, places BLOB NOT NULL, terms_sum INTEGER NOT NULL
);
CREATE TABLE vectors (row INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE labels (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, metadata TEXT NOT NULL
);
CREATE TABLE segments (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, name TEXT NOT NULL, vectors INTEGER NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT NOT NULL
);
"""
# Terms (qa.store.terms): the ascii tokenizer takes them as they are in any script. Only the rows
# that have a term are kept: the text of the terms would be as large as the documents' own.
_TERMS: Final = """
CREATE VIRTUAL TABLE terms USING fts5 (
    stems, content = '', detail = none, columnsize = 0, tokenize = "ascii tokenchars '.:'"
)
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


def create(db: Database, folder: Path, encoder_id: str, dim: int) -> None:
    """Lay out an empty index, unless there is one; what is left of one is an IndexMismatch."""
    if _has_layout(db):
        return
    with db.writing():
        if _has_layout(db):  # another process was faster
            return
        check_remains(folder)
        lay_out(db)
        sums.settle_terms(db)
        now = timestamp()
        for key, value in (
            ("format", FORMAT),
            ("encoder_id", encoder_id),
            ("dim", dim),
            ("created", now),
            ("updated", now),
            ("generation", 0),
            ("next_row", 1),
        ):
            db.run("INSERT INTO meta VALUES (?, ?)", key, str(value))


def lay_out(db: Database) -> None:
    """Create the tables that are not there; inside a transaction."""
    for statement in filter(str.strip, SCHEMA.split(";\n")):
        db.run(statement)
    db.run(sums.TABLE)
    sums.settle_documents(db)
    lay_out_terms(db)


def lay_out_terms(db: Database) -> None:
    """Create the full-text index anew, empty; inside a transaction."""
    db.run("DROP TABLE IF EXISTS terms")  # deleting from a damaged one would fail
    db.run(_TERMS)
    db.run("DELETE FROM term_sums")


def _has_layout(db: Database) -> bool:
    return bool(db.run("SELECT 1 FROM sqlite_master WHERE name = 'meta'"))


def read_format(db: Database, folder: Path) -> int:
    """Return the format's version; one that this program does not know is an IndexMismatch."""
    version = read_manifest(db, folder).format
    if version > FORMAT:
        raise IndexMismatch(
            f"the index in {str(folder)!r} has format {version}, of a newer version of this "
            f"program (this one reads format {FORMAT}): update this program, or {REBUILD}"
        )
    return version


def read_manifest(db: Database, folder: Path) -> Manifest:
    """Return the manifest; a damaged one is an IndexMismatch."""
    try:
        values = dict(db.run("SELECT key, value FROM meta"))
        return Manifest(
            format=int(values["format"]),
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
