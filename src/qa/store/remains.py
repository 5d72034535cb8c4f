"""What an index leaves in its folder: deleting all of it, and noticing that its database is gone.

It knows the names of the files and nothing of what is in them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from qa.errors import IndexMismatch
from qa.store.database import DATABASE
from qa.store.faults import REBUILD, translated
from qa.store.segments import names, remove_others


def erase(folder: Path) -> None:
    """Delete the index in ``folder``, its own files alone, so that it can be made anew."""
    with translated(folder):
        # What is derived goes first: an interruption leaves an index that makes it again.
        for name in ("prefixes", "reembed"):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        remove_others(folder, ())
        for suffix in ("-wal", "-shm", ""):
            (folder / (DATABASE + suffix)).unlink(missing_ok=True)


def check_remains(folder: Path) -> None:
    """Refuse to begin anew, and to answer from nothing, where an index has lost its database.

    SQLite would delete its log, and the next commit the files of vectors.

    :param folder: one without a database, or with one that has no tables.
    :raises IndexMismatch: other files of an index are there.
    """
    left = names(folder)
    log = folder / (DATABASE + "-wal")
    if not (folder / DATABASE).exists() and log.exists() and log.stat().st_size:
        left.append(log.name)
    if left:
        raise IndexMismatch(
            f"{DATABASE} or its log is missing in {str(folder)!r}, where {min(left)!r} is left of "
            f"the index: put it back from a copy, or {REBUILD}"
        )
