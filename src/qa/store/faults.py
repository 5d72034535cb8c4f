"""What SQLite's and the system's errors about an index folder mean to a person."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qa.errors import IndexMismatch, QAError

REBUILD: Final = (
    "run `qa index --rebuild` to make the index anew from the documents, and from what is whole of "
    "the old one, which is kept aside"
)
REEMBED: Final = "run `qa index --reembed` to make sentences and vectors anew from the stored text"


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, folder) from error
    except OSError as error:
        raise _translate_os(error, folder) from error


def _translate(error: sqlite3.Error, folder: Path) -> QAError:
    where = repr(str(folder))
    said = str(error)
    if "locked" in said or "busy" in said:
        return QAError(
            f"another program is writing to the index in {where}; try again when it is done"
        )
    if "no such table" in said:  # between the old index and the new one there is an empty file
        return QAError(
            f"the index in {where} is being made anew; try again in a moment, and if this stays, "
            f"{REBUILD}"
        )
    if "full" in said:
        return _disk_full(where)
    if (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_IOERR"):
        return QAError(
            f"the disk of the index in {where} fails ({said}): check that it is there and has "
            f"space; the index is as it was after its last change"
        )
    if "readonly" in said or "unable to open" in said:
        return QAError(
            f"the index in {where} cannot be written ({said}): check the folder's permissions, or "
            f"choose another one with --store"
        )
    return IndexMismatch(f"the index in {where} cannot be read ({said}): {REBUILD}")


def _translate_os(error: OSError, folder: Path) -> QAError:
    where = repr(str(folder))
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full(where)
    return QAError(
        f"the index in {where} cannot be used ({error}): check the folder, or choose another one "
        f"with --store"
    )


def _disk_full(where: str) -> QAError:
    return QAError(
        f"no space is left for the index in {where}; free some and try again (the index is as it "
        f"was before)"
    )
