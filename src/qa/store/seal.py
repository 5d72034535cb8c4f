"""When the vectors of a large store go to files too, and which files are written again.

Up to `EXACT_VECTORS` every vector is scored, from memory, and there are no files. In a larger store
the oldest documents' vectors are sealed when enough have gathered: a coarse form of them, which
proposes candidates, is written to a file for a span of rows. A file is written again when half of
it was deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from qa.store.database import Database
from qa.store.segments import save
from qa.store.vectors import Part, coarse_part

# What is not in a file is read in 60 ms at opening and searched in 3 ms.
SEALED_ROWS: Final = 32_768
# Above this, files propose candidates instead of scoring every vector: 1 ms for .13 million
# sentences instead of 14 (docs/decisions/0009).
EXACT_VECTORS: Final = 100_000
# Fewer vectors are too few to learn a coarse form from, and quick to score all.
COARSE_VECTORS: Final = 1024

Span = tuple[int, int]
PartBetween = Callable[[int, int], Part]

_SIZE: Final = "SELECT coalesce(sum(findable), 0) FROM spans"
# Half, so that a store at the border is left alone.
_STALE: Final = (
    "SELECT first, last FROM segments AS one WHERE ? OR 2 * (SELECT coalesce(sum(findable), 0) "
    "FROM spans WHERE spans.first BETWEEN one.first AND one.last) < one.vectors ORDER BY first"
)
_UNSEALED: Final = (
    "SELECT first, last, findable FROM spans "
    "WHERE first > (SELECT coalesce(max(last), 0) FROM segments) ORDER BY first"
)


def tidy(db: Database, folder: Path, generation: int, part_between: PartBetween) -> bool:
    """Seal and rewrite what needs it, inside a commit; return whether files changed.

    :param db: the database, in a transaction.
    :param folder: where the files are.
    :param generation: the commit's, part of the files' names.
    :param part_between: gives an exact part of the rows from one to another, from SQLite.
    :return: whether files changed, so that old ones can be removed after the commit.
    """
    [(size,)] = db.run(_SIZE)
    stale = db.run(_STALE, 2 * size < EXACT_VECTORS)
    for first, _ in stale:
        db.run("DELETE FROM segments WHERE first = ?", first)
    spans = [*stale, *ready(db)] if 2 * size >= EXACT_VECTORS else []
    for span in spans:
        write(db, folder, span, generation, part_between)
    return bool(stale or spans)


def write(
    db: Database, folder: Path, span: Span, generation: int, part_between: PartBetween
) -> None:
    """Write the vectors of a span of rows as one file, and name it; none is named for few."""
    part = part_between(*span)
    if len(part) >= COARSE_VECTORS:
        made = save(coarse_part(part), span, folder, generation)
        values = (made.first, made.last, made.name, made.vectors, made.size, made.sha256)
        db.run("INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?)", *values)


def ready(db: Database) -> list[Span]:
    """Return the spans of whole documents after the last file that are large enough for one."""
    [(size,)] = db.run(_SIZE)
    spans, begin, waiting = [], 0, 0
    for first, last, findable in db.run(_UNSEALED) if size > EXACT_VECTORS else ():
        begin = begin or first
        waiting += findable
        if waiting >= SEALED_ROWS:
            spans.append((begin, last))
            begin = waiting = 0
    return spans
