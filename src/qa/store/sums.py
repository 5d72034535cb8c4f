"""What tells that no search term and no document is missing, changed or made up.

SQLite's full-text index keeps terms in blocks that it writes and merges as it likes; a commit keeps
the checksums of them. Of documents, whose rows have checksums themselves, one sum tells that all
are there. It knows nothing of what terms mean.
"""

from __future__ import annotations

import zlib
from typing import Final

from qa.errors import IndexMismatch
from qa.store.database import Database

TABLE: Final = (
    "CREATE TABLE term_sums (run INTEGER PRIMARY KEY, ends INTEGER NOT NULL, sum INTEGER NOT NULL)"
)
# The blocks of a run have the same upper part of their number. FTS5 writes them in order and takes
# away from the beginning: whatever changes, the first or the last one does.
_RUN_BITS: Final = 31
# Under the number of no run: where in the blocks terms begin.
_BEGINNINGS: Final = -1
_NEXT: Final = "SELECT min(id) FROM terms_data WHERE id >= ?"
_ENDS: Final = (
    "SELECT id, CAST(block AS BLOB) FROM terms_data WHERE id IN (SELECT min(id) FROM terms_data "
    "WHERE id BETWEEN ?1 AND ?2 UNION SELECT max(id) FROM terms_data WHERE id BETWEEN ?1 AND ?2) "
    "ORDER BY id"
)
_BLOCKS: Final = (
    "SELECT id, CAST(block AS BLOB) FROM terms_data WHERE id BETWEEN ? AND ? ORDER BY id"
)
_WHERE_TERMS_BEGIN: Final = (
    "SELECT group_concat(segid || ' ' || pgno || ' ' || hex(term)) FROM "
    "(SELECT segid, pgno, term FROM terms_idx ORDER BY segid, term)"
)
_DOCUMENTS: Final = "documents_sum"


def settle_terms(db: Database) -> None:
    """Keep the checksums of all blocks as they are now, at the end of a transaction."""
    db.run("SAVEPOINT flush")  # lets the full-text index write what it has in memory
    db.run("RELEASE flush")
    known = {run: ends for run, ends, _ in _kept(db)}
    there = {run: _ends(db, run) for run in _runs(db)}
    db.run_many("DELETE FROM term_sums WHERE run = ?", [(one,) for one in known.keys() - there])
    changed = [(run, ends, _sum(db, run)) for run, ends in there.items() if known.get(run) != ends]
    beginnings = (_BEGINNINGS, 0, _beginnings(db))
    db.run_many("INSERT OR REPLACE INTO term_sums VALUES (?, ?, ?)", [*changed, beginnings])


def terms_are_whole(db: Database) -> bool:
    """Return whether every block of search terms is what was written, and none is missing."""
    try:
        there = [(run, _ends(db, run), _sum(db, run)) for run in _runs(db)]
        return _kept(db) == [(_BEGINNINGS, 0, _beginnings(db)), *there]
    except IndexMismatch:  # not even SQLite can read them
        return False


def _kept(db: Database) -> list[tuple[int, int, int]]:
    return [(run, ends, of) for run, ends, of in db.run("SELECT * FROM term_sums ORDER BY run")]


def _runs(db: Database) -> list[int]:
    runs: list[int] = []
    while (found := db.run(_NEXT, (runs[-1] + 1) << _RUN_BITS if runs else 0)[0][0]) is not None:
        runs.append(found >> _RUN_BITS)
    return runs


def _ends(db: Database, run: int) -> int:
    return _checksum(db, _ENDS, run)


def _sum(db: Database, run: int) -> int:
    return _checksum(db, _BLOCKS, run)


def _checksum(db: Database, sql: str, run: int) -> int:
    total = 0
    for blocks in db.stream(sql, run << _RUN_BITS, ((run + 1) << _RUN_BITS) - 1):
        for number, block in blocks:
            total = zlib.crc32(block or b"", zlib.crc32(b"%d" % number, total))
    return total


def _beginnings(db: Database) -> int:
    [(found,)] = db.run(_WHERE_TERMS_BEGIN)
    return zlib.crc32((found or "").encode())


def add_document(db: Database, first: int, document_id: str, times: int = 1) -> None:
    """Count a document in, or, with -1 times, out; inside a transaction."""
    db.run(
        "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = ?",
        times * _document_sum(first, document_id),
        _DOCUMENTS,
    )


def settle_documents(db: Database) -> None:
    """Take the documents that are there for all; inside a transaction."""
    db.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", _DOCUMENTS, _documents(db))


def documents_are_whole(db: Database) -> bool:
    """Return whether the documents' spans that are there are all that were written."""
    try:
        return db.run("SELECT value FROM meta WHERE key = ?", _DOCUMENTS) == [(_documents(db),)]
    except IndexMismatch:
        return False


def _documents(db: Database) -> str:
    return str(sum(_document_sum(*one) for one in db.run("SELECT first, document FROM spans")))


def _document_sum(first: int, document_id: str) -> int:
    return zlib.crc32(f"{first} {document_id}".encode())
