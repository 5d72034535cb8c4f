"""Connections to the store's SQLite file: one a thread, explicit transactions, our errors.

It knows nothing of what the tables mean.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from qa.errors import QAError
from qa.store.faults import translated

_Value = TypeVar("_Value")

DATABASE: Final = "store.sqlite"
# A vector is .8 or 1.5 KB: pages of 4 KB would leave a quarter of themselves empty.
PAGE_BYTES: Final = 16384
_ROWS_AT_A_TIME: Final = 32
# A connection's own copies of pages: what is read often is in the system's cache anyway.
_CACHE_KB: Final = 1024
_NESTED: Final = nullcontext()


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly: it goes when its thread goes.

    ``in_use`` is held while SQLite works: closing it then would take the process down.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self.in_use = threading.RLock()


class _Thread(threading.local):
    """What a thread has of its own."""

    connection: _Connection | None = None
    # What the file was like when it was connected to (:meth:`Database._look`).
    seen_file: tuple[int, ...] = ()
    # What was read since a :meth:`Database.reading` began.
    seen: dict[str, Any] | None = None
    is_writing = False


class Database:
    """The SQLite file of an index folder. Safe to use from several threads."""

    def __init__(self, folder: Path, wait_s: float) -> None:
        self._folder = folder
        self._path = (folder / DATABASE).absolute()  # a program may change its working directory
        with translated(folder):
            self.read_only = _is_read_only(folder)
        # Device and number of the file that was there first.
        self._file: tuple[int, int] | None = None
        self._wait_s = wait_s
        self._local = _Thread()
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._closed = False

    @contextmanager
    def _using(self) -> Iterator[_Connection]:
        """Hold this thread's connection for a statement, which :meth:`close` waits for."""
        connection = self._connection()
        with connection.in_use:
            self._check_open()
            with translated(self._folder):
                yield connection

    def _check_open(self) -> None:
        if self._closed:
            raise QAError(f"the index in {str(self._folder)!r} is closed; open it again")

    @property
    def _in_transaction(self) -> bool:
        with self._using() as connection:
            return connection.in_transaction

    def _connection(self) -> _Connection:
        """Return the connection of this thread; transactions are begun by hand."""
        self._check_open()
        connection = self._local.connection
        if connection is not None:
            with connection.in_use:
                self._check_open()
                if connection.in_transaction:
                    return connection
        seen = self._look()
        if connection is None or seen != self._local.seen_file:
            connection = self._local.connection = self._connect()
            self._local.seen_file = seen
        return connection

    def _look(self) -> tuple[int, ...]:
        """Return what a connection is good for: SQLite does not see an immutable file change.

        :raises QAError: there is another file than at first, or none: changes of that one would be
            lost, and what is known of it does not hold for another.
        """
        file: tuple[int, int] | None = None
        seen: tuple[int, ...] = ()
        with translated(self._folder), suppress(FileNotFoundError):
            found = self._path.stat()
            file = (found.st_dev, found.st_ino)
            if self.read_only and _is_unused(self._path):
                seen = (found.st_mtime_ns, found.st_size)
        self._file = self._file or file
        if self._file != file:
            raise QAError(
                f"the index in {str(self._folder)!r} was replaced or removed by another program; "
                f"start this one again"
            )
        return seen

    def _connect(self) -> _Connection:
        with translated(self._folder):
            connection = sqlite3.connect(
                self._address(),
                timeout=self._wait_s,
                isolation_level=None,
                check_same_thread=False,  # `close` may come from another thread
                factory=_Connection,
                uri=True,
            )
            if not self.read_only:
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        with self._lock:
            self._connections.add(connection)
        return connection

    def _address(self) -> str:
        uri = self._path.as_uri()
        if not self.read_only:
            return f"{uri}?mode=rwc"
        return f"{uri}?mode=ro{'&immutable=1' if _is_unused(self._path) else ''}"

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Execute one statement and return all of its rows."""
        with self._using() as connection:
            return connection.execute(sql, values).fetchall()

    def stream(self, sql: str, *values: object) -> Iterator[list[tuple[Any, ...]]]:
        """Execute one statement and yield its rows some at a time."""
        with self._using() as connection:
            cursor = connection.execute(sql, values)
            rows = cursor.fetchmany(_ROWS_AT_A_TIME)
        while rows:
            yield rows
            with connection.in_use, translated(self._folder):
                self._check_open()
                rows = cursor.fetchmany(_ROWS_AT_A_TIME)

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> int:
        """Execute one statement for each row of values and return how many rows it changed."""
        with self._using() as connection:
            return connection.executemany(sql, rows).rowcount

    def reading(self) -> AbstractContextManager[None]:
        """Let all that this thread reads inside come from one commit."""
        return _NESTED if self._in_transaction else self._reading()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self.run("BEGIN")
        self._local.seen = {}
        try:
            yield
        finally:
            self._local.seen = None
            if self._in_transaction:
                self.run("ROLLBACK")  # nothing was written

    def once(self, key: str, read: Callable[[], _Value]) -> _Value:
        """Return what ``read`` returns; inside :meth:`reading` it is called once for a key."""
        seen: dict[str, _Value] | None = self._local.seen
        if seen is None:
            return read()
        if key not in seen:
            seen[key] = read()
        return seen[key]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Commit all changes made inside, or on any error none."""
        if self.read_only:
            raise QAError(
                f"the index in {str(self._folder)!r} is read-only: questions can be asked, but "
                f"nothing can be changed; make the folder writable, or choose another with --store"
            )
        self.run("BEGIN IMMEDIATE")
        self._local.is_writing = True
        try:
            yield
            self._look()
            self.run("COMMIT")
        finally:
            self._local.is_writing = False
            # An interrupt may come after the commit went through: then nothing is left to undo.
            if self._in_transaction:
                self.run("ROLLBACK")

    @property
    def is_writing(self) -> bool:
        """Whether this thread has a commit under way."""
        return self._local.is_writing

    @contextmanager
    def writing_at_once(self) -> Iterator[bool]:
        """Like :meth:`writing`, but yield False when another is writing, or nobody can."""
        if self.read_only:
            yield False
            return
        self.run("PRAGMA busy_timeout = 0")
        try:
            connection = self._connection()
            with connection.in_use:
                connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            yield False
            return
        finally:
            self.run(f"PRAGMA busy_timeout = {int(self._wait_s * 1000)}")
        try:
            yield True
            self.run("COMMIT")
        finally:
            if self._in_transaction:
                self.run("ROLLBACK")

    def close(self) -> None:
        """Close the connections of all threads, each after its statement; twice is fine."""
        self._closed = True
        with self._lock:
            connections = list(self._connections)
            self._connections.clear()
        busy = [one for one in connections if not _close(one, wait=False)]
        for connection in busy:  # one of them may wait for what another has just given up
            _close(connection, wait=True)


def _close(connection: _Connection, *, wait: bool) -> bool:
    """Close a connection after its statement; return False if that is not waited for."""
    if not connection.in_use.acquire(blocking=wait):
        return False
    try:
        connection.close()
    finally:
        connection.in_use.release()
    return True


def _is_unused(path: Path) -> bool:
    """Return whether a database has no log: nobody writes, and it needs no files beside it."""
    return not path.with_name(DATABASE + "-wal").exists()


def _is_read_only(folder: Path) -> bool:
    """Return whether there is an index that this process may not change."""
    path = folder / DATABASE
    return path.exists() and not (os.access(folder, os.W_OK) and os.access(path, os.W_OK))
