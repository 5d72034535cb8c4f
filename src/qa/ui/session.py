"""What the server keeps for each open page: its conversation and the answer under way."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from qa.ui.exchange import Exchange
from qa.ui.protocol import DocumentInfo
from qa.ui.stream import Run


@dataclass(slots=True)
class Session:
    """One open page: its conversation, oldest first, and the documents it was last shown.

    ``left_out`` are the ids of documents that the person does not want asked.
    """

    documents: tuple[DocumentInfo, ...] = ()
    left_out: frozenset[str] = frozenset()
    exchanges: list[Exchange] = field(default_factory=list)
    run: Run | None = None

    @property
    def latest(self) -> Exchange | None:
        """Return the latest exchange, if there is one."""
        return self.exchanges[-1] if self.exchanges else None


class Sessions:
    """The open pages by the random key that each page draws for itself."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Session:
        """Return the page's session, a new one the first time."""
        with self._lock:
            return self._sessions.setdefault(key, Session())

    def stop(self, key: str) -> None:
        """Stop the answer that the page is waiting for, if there is one."""
        with self._lock:
            session = self._sessions.get(key)
        if session is not None and session.run is not None:
            session.run.stop()

    def drop(self, key: str) -> None:
        """Forget a page that was closed, and stop its answer."""
        self.stop(key)
        with self._lock:
            self._sessions.pop(key, None)

    def drop_all(self) -> None:
        """Forget every page and stop every answer."""
        for key in list(self._sessions):
            self.drop(key)
