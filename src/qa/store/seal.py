"""When the vectors of a store go to files, and which files are written again.

The newest vectors are only in SQLite (the tail). When enough have gathered they are sealed: written
to a file for a span of rows. A file is written again when half of it was deleted, and when
the store has grown so large, or shrunk so small, that files of the other kind serve it better.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from qa.store.database import Database
from qa.store.segments import save
from qa.store.vectors import Part, coarse_part

# A tail of this size is read in 60 ms at opening and searched in 3 ms.
SEALED_ROWS: Final = 32_768
# Above this, files propose candidates instead of scoring every vector: 1 ms for .13 million
# sentences instead of 14 (docs/decisions/0009).
EXACT_VECTORS: Final = 100_000
# Fewer vectors are too few to learn a coarse form from, and quick to score all.
COARSE_VECTORS: Final = 1024

PartBetween = Callable[[int, int], Part]


def tidy(db: Database, folder: Path, generation: int, part_between: PartBetween) -> bool:
    """Seal and rewrite what needs it, inside a commit; return whether a file was written.

    :param db: the database, in a transaction.
    :param folder: where the files are.
    :param generation: the commit's, part of the files' names.
    :param part_between: gives an exact part of the rows from one to another, from SQLite.
    :return: whether files changed, so that old ones can be removed after the commit.
    """
    [(size,)] = db.run("SELECT coalesce(sum(findable), 0) FROM documents")
    spans = [*_stale(db, size), *_ready(db)]
    for span in spans:
        rewrite(db, folder, span, generation, part_between, exact=size <= EXACT_VECTORS)
    return bool(spans)


def rewrite(
    db: Database,
    folder: Path,
    span: tuple[int, int],
    generation: int,
    part_between: PartBetween,
    *,
    exact: bool,
) -> None:
    """Write the vectors of a span of rows as one file, and name it; none is named for none."""
    db.run("DELETE FROM segments WHERE first = ?", span[0])
    db.run("DELETE FROM dead WHERE first BETWEEN ? AND ?", *span)
    part = part_between(*span)
    if not len(part):
        return
    if not exact and len(part) >= COARSE_VECTORS:
        part = coarse_part(part)
    made = save(part, span, folder, generation)
    values = (made.first, made.last, made.name, int(made.exact), made.vectors, made.size)
    db.run("INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", *values, made.sha256)


def bury(db: Database, first: int, last: int, vectors: int) -> None:
    """Note that a document's rows are deleted, if a file holds them."""
    if db.run("SELECT 1 FROM segments WHERE ? BETWEEN first AND last", first):
        db.run("INSERT INTO dead VALUES (?, ?, ?)", first, last, vectors)


def _stale(db: Database, size: int) -> list[tuple[int, int]]:
    """Return the spans of the files to write again."""
    least = COARSE_VECTORS if size > EXACT_VECTORS else 1 << 62
    too_coarse = 2 * size < EXACT_VECTORS  # half, so that a store at the border is left alone
    return db.run(
        "SELECT first, last FROM segments AS one WHERE (exact AND vectors >= ?) "
        "OR (NOT exact AND ?) "
        "OR 2 * (SELECT coalesce(sum(dead.vectors), 0) FROM dead "
        "WHERE dead.first BETWEEN one.first AND one.last) > one.vectors ORDER BY first",
        *(least, too_coarse),
    )


def _ready(db: Database) -> list[tuple[int, int]]:
    """Return the spans of whole documents in the tail that are large enough for a file."""
    spans, first, waiting = [], 0, 0
    for row, sentences, findable in db.run(
        "SELECT first_row, sentences, findable FROM documents "
        "WHERE first_row > (SELECT coalesce(max(last), 0) FROM segments) ORDER BY first_row"
    ):
        first = first or row
        waiting += findable
        if waiting >= SEALED_ROWS:
            spans.append((first, row + sentences - 1))
            first = waiting = 0
    return spans
