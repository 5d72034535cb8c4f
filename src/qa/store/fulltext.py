"""The full-text index in SQLite: which rows have a term, and how many.

It knows nothing of what the terms mean (`qa.store.terms`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np

from qa.store.database import Database
from qa.store.layout import NO_ROWS, Rows

LAST_ROW: Final = (1 << 63) - 1
# One text for all rows of a term is read five times as fast as a tuple for each.
_ROWS_OF: Final = (
    "SELECT (SELECT group_concat(rowid) FROM terms WHERE terms MATCH value "
    "AND rowid BETWEEN ?2 AND ?3) FROM json_each(?1) ORDER BY key"
)
_VOCABULARY: Final = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab ('main', 'terms', 'row')"
)
_COUNTS: Final = "SELECT term, doc FROM json_each(?) CROSS JOIN temp.vocabulary ON term = value"


def rows_of(db: Database, terms: Sequence[str], first: int = 0, last: int = LAST_ROW) -> list[Rows]:
    """Return the rows between two that have each term; those of deleted documents may be among."""
    asked = json.dumps([f'"{term}"' for term in terms])
    found = db.run(_ROWS_OF, asked, first, last)
    return [np.fromstring(rows, dtype=np.int64, sep=",") if rows else NO_ROWS for (rows,) in found]


def counts(db: Database, terms: Collection[str]) -> dict[str, int]:
    """Return how many rows have each of the terms that some have."""
    db.run(_VOCABULARY)
    return dict(db.run(_COUNTS, json.dumps(sorted(terms))))


def vocabulary(db: Database) -> list[str]:
    """Return all terms."""
    db.run(_VOCABULARY)
    return [term for (term,) in db.run("SELECT term FROM temp.vocabulary")]
