"""One store's contents in the place of another's, in one commit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from qa.store import contents, sums
from qa.store.database import DATABASE, Database
from qa.store.places import opened
from qa.store.schema import lay_out_terms

_SIGNATURES: Final = (
    "SELECT id, text_sha256, first, places FROM {0}documents JOIN {0}spans ON document = id"
)
_DAMAGED: Final = "damaged"
_TABLES: Final = ("documents", "spans", "vectors", "labels", "segments")
# Rows are numbered on, so that no number is used twice.
_COPIES: Final = (
    "INSERT INTO documents SELECT * FROM new.documents",
    "INSERT INTO vectors SELECT row + ?, block FROM new.vectors ORDER BY row",
    "INSERT INTO labels SELECT row + ?, id, metadata FROM new.labels ORDER BY row",
)


def signatures(db: Database, schema: str = "") -> dict[str, str]:
    """Return what tells whether a document and its sentences are the same in two stores, by id."""
    return {
        document_id: f"{digest} {_digest(places, contents.key(first, document_id))}"
        for document_id, digest, first, places in db.run(_SIGNATURES.format(schema))
    }


def _digest(places: bytes, key: str) -> str:
    try:
        return str(zlib.crc32(zlib.decompress(opened(places, key))))
    except ValueError:
        return _DAMAGED


def agree(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Return whether two stores have the same documents, where the old sentences are whole."""
    return old.keys() == new.keys() and all(
        _is_same(one, new[document_id]) for document_id, one in old.items()
    )


def _is_same(old: str, new: str) -> bool:
    return old == new or (old.endswith(_DAMAGED) and old.split()[0] == new.split()[0])


def copy(db: Database, first_row: int) -> int:
    """Put everything of the attached store in the place of what is there, inside a commit.

    :param db: the database, in a transaction, with the other one attached as ``new``.
    :param first_row: where its row numbers go on.
    :return: the next free row number.
    """
    for table in _TABLES:
        db.run(f"DELETE FROM {table}")
    sums.settle_documents(db)  # what was damaged is gone
    lay_out_terms(db)
    shift = first_row - 1
    db.run(_COPIES[0])
    for statement in _COPIES[1:]:
        db.run(statement, shift)
    for (document_id,) in db.run("SELECT document FROM new.spans ORDER BY first"):
        contents.move(db, document_id, "new.", shift)
    for key in ("encoder_id", "dim"):
        db.run(
            "UPDATE meta SET value = (SELECT value FROM new.meta WHERE key = ?1) WHERE key = ?1",
            key,
        )
    [(rows,)] = db.run("SELECT value FROM new.meta WHERE key = 'next_row'")
    return shift + int(rows)


def attach(db: Database, folder: Path) -> None:
    """Make the database of another folder readable as ``new``."""
    db.run("ATTACH ? AS new", str((folder / DATABASE).absolute()))
