"""What is whole in an index's SQLite file: text is the one thing that cannot be made again.

Each document is read for itself, so that a damaged page costs only what is on it, and believed only
with the checksum of its text. It knows nothing of sentences or vectors, which come of the text.

Example: ``salvage(Path("index/store")).documents``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from qa.store.database import DATABASE
from qa.store.faults import translated
from qa.store.records import Origin, text_digest, to_document, to_text
from qa.types import Document

_ASIDE: Final = "damaged"
_NUMBERS: Final = ("format", "dim", "generation")
_MOST: Final = 10_000_000
_TABLES: Final = frozenset(
    ("documents", "vectors", "labels", "terms", "terms_data", "terms_idx", "terms_config")
)
# Of each format besides; those of a newer one are not known.
_MORE_TABLES: Final = {
    "1": {"sentences", "vector_files"},
    "2": {"sentences", "segments", "dead"},
    "3": {"spans", "segments"},
    "4": {"spans", "segments", "term_sums"},
}
_ROWIDS: Final = (
    "SELECT rowid FROM documents NOT INDEXED ORDER BY rowid",
    "SELECT rowid FROM documents NOT INDEXED ORDER BY rowid DESC",
    "SELECT rowid FROM documents INDEXED BY sqlite_autoindex_documents_1 ORDER BY id",
)
_DOCUMENT: Final = (
    "SELECT id, title, text, pages, notices, text_sha256, root, path, sha256, size, mtime_ns, "
    "recipe FROM documents WHERE rowid = ?"
)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """The documents of an index that are whole; ``lost`` are there and are not."""

    documents: tuple[tuple[Document, Origin], ...]
    lost: int
    damaged: bool


def salvage(folder: Path) -> Salvaged:
    """Read what is whole of an index, be it damaged or of another format; nothing is changed.

    :raises QAError: the file may not be read.
    """
    path = folder / DATABASE
    with translated(folder):
        if not path.is_file():
            return Salvaged((), 0, damaged=False)
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            rows = _rowids(db)
            last = max(rows, default=0)
            read = [(rowid, _document(db, rowid)) for rowid in range(1, last + 1)]
            found = tuple(one for _, one in read if one)
            lost = sum(rowid in rows for rowid, one in read if one is None)
            return Salvaged(found, lost, damaged=lost > 0 or _is_malformed(db))


def set_aside(folder: Path) -> Path | None:
    """Move what is left of an index's database to a folder of its own, and return that."""
    with translated(folder):
        names = [DATABASE + suffix for suffix in ("", "-wal", "-shm")]
        there = [name for name in names if (folder / name).exists()]
        if not there:
            return None
        aside = folder / _ASIDE / datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside.mkdir(parents=True)
        for name in there:
            os.replace(folder / name, aside / name)
    return aside


def _is_malformed(db: sqlite3.Connection) -> bool:
    try:
        manifest = dict(db.execute("SELECT key, value FROM meta"))
        whole = all(str(manifest.get(key, "")).isdigit() for key in _NUMBERS)
        sound = db.execute("PRAGMA quick_check (1)").fetchall() == [("ok",)]
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error:
        return True
    tables = _TABLES | _MORE_TABLES.get(str(manifest.get("format")), set())
    return not (whole and sound and "encoder_id" in manifest and tables <= there)


def _rowids(db: sqlite3.Connection) -> set[int]:
    """Return the rows of the documents that are seen from either end or in the index of names."""
    seen = {rowid for sql in _ROWIDS for rowid in _until_error(db, sql)}
    return {rowid for rowid in seen if 0 < rowid <= _MOST}  # beyond is damage


def _until_error(db: sqlite3.Connection, sql: str) -> Iterator[int]:
    with suppress(sqlite3.Error):
        for (rowid,) in db.execute(sql):
            yield rowid


def _document(db: sqlite3.Connection, rowid: int) -> tuple[Document, Origin] | None:
    """Return a document if it is there and its text is what was written."""
    with suppress(sqlite3.Error):
        for row in db.execute(_DOCUMENT, (rowid,)):
            return _whole(row)
    return None


def _whole(row: tuple[Any, ...]) -> tuple[Document, Origin] | None:
    document_id, title, content, pages, notices, digest, *origin = row
    try:
        text = to_text(content)
    except ValueError:
        return None
    if text_digest(text) != digest:
        return None
    try:
        return to_document((document_id, title, text, pages, notices)), Origin(*origin)
    except (ValueError, TypeError):  # what stands beside the text is damaged
        return Document(str(document_id), str(title), text), Origin()
