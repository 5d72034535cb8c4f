"""One store's contents in the place of another's, in one commit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from qa.store.database import DATABASE, Database
from qa.store.schema import TERMS

_SIGNATURES: Final = (
    "SELECT id, text_sha256 || ' ' || sentences || ' ' || coalesce("
    "(SELECT sum(check_sum) FROM {0}sentences WHERE row BETWEEN first_row "
    "AND first_row + sentences - 1), 0) FROM {0}documents"
)
# Rows are numbered on, so that no number is used twice.
_COPIES: Final = (
    "INSERT INTO documents SELECT id, title, sentences, chars, notices, root, path, sha256, size, "
    "mtime_ns, recipe, first_row + ?, findable, text_sha256, pages, text FROM new.documents",
    "INSERT INTO sentences SELECT row + ?, first, last, heading, context, check_sum "
    "FROM new.sentences ORDER BY row",
    "INSERT INTO vectors SELECT row + ?, vector FROM new.vectors ORDER BY row",
    "INSERT INTO labels SELECT row + ?, id, metadata FROM new.labels ORDER BY row",
    "INSERT INTO terms (rowid, bare, context) SELECT rowid + ?, bare, context FROM new.terms "
    "ORDER BY rowid",
)
_TABLES: Final = ("documents", "sentences", "vectors", "labels", "segments", "dead")


def signatures(db: Database, schema: str = "") -> dict[str, str]:
    """Return what tells whether a document and its sentences are the same in two stores, by id."""
    return dict(db.run(_SIGNATURES.format(schema)))


def copy(db: Database, first_row: int) -> int:
    """Put everything of the attached store in the place of what is there, inside a commit.

    :param db: the database, in a transaction, with the other one attached as ``new``.
    :param first_row: where its row numbers go on.
    :return: the next free row number.
    """
    for table in _TABLES:
        db.run(f"DELETE FROM {table}")
    db.run("DROP TABLE terms")  # deleting from a damaged one would fail
    db.run(TERMS)
    for statement in _COPIES:
        db.run(statement, first_row - 1)
    for key in ("encoder_id", "dim"):
        db.run(
            "UPDATE meta SET value = (SELECT value FROM new.meta WHERE key = ?1) WHERE key = ?1",
            key,
        )
    [(rows,)] = db.run("SELECT value FROM new.meta WHERE key = 'next_row'")
    return first_row - 1 + int(rows)


def attach(db: Database, folder: Path) -> None:
    """Make the database of another folder readable as ``new``."""
    db.run("ATTACH ? AS new", str((folder / DATABASE).absolute()))
