"""The file that keeps conversations: one SQLite database, its transactions and its errors.

It knows the tables and nothing of what is in them.

Example::

    file = ConversationFile(Path("index/store/conversations.sqlite"))
    file.rows("SELECT name FROM conversations WHERE id = ?", id)
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from qa.errors import QAError

_VERSION: Final = 1
# Another process of ours that writes at the same moment is waited for.
_WAIT_S: Final = 10.0

_SCHEMA: Final = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, updated REAL NOT NULL
) STRICT;
CREATE TABLE exchanges (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    value TEXT NOT NULL,
    verdict TEXT NOT NULL DEFAULT '',
    replaced INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX exchanges_of ON exchanges (conversation, key);
"""


class ConversationFile:
    """An open database. Safe to use from several threads and processes."""

    def __init__(self, path: Path | None) -> None:
        """Open or create the file; None keeps everything in memory until the end.

        :raises QAError: the file is broken, or a newer version of this program wrote it.
        """
        self._path = path
        self._lock = threading.RLock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._told():
            self._database = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            # Consistent after any crash; a power cut may lose the last second, no more.
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._create()

    @property
    def where(self) -> str:
        """Return what errors call the file."""
        return f"the file of conversations {str(self._path)!r}"

    def rows(self, sql: str, *values: object) -> list[Any]:
        """Return the rows that a query finds."""
        with self._lock, self._told():
            return self._database.execute(sql, values).fetchall()

    def run(self, sql: str, *values: object) -> None:
        """Do one change and commit it."""
        with self.writing() as database:
            database.execute(sql, values)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Commit everything that is done inside, or on any error nothing."""
        with self._lock, self._told():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; calling it twice is fine."""
        with self._lock:
            self._database.close()

    def _create(self) -> None:
        with self.writing() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise QAError(
                    f"{self.where} was written by a newer version of this program (format"
                    f" {version}, this one reads {_VERSION}); update it, or move the file away"
                )
            if version < _VERSION:
                for statement in _SCHEMA.split(";\n"):
                    database.execute(statement)
                database.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn SQLite's errors into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise QAError(
                f"{self.where} cannot be used: {error}; if it is broken, move it away and start"
                " again: the documents and their index are not in it"
            ) from error
