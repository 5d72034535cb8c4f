"""What the server keeps for each open page: what it shows, and the answers that it waits for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from qa.stream import Run
from qa.ui.exchange import Exchange
from qa.ui.protocol import DocumentInfo

# Seconds between two views at least; a float of today's time tells less apart than this.
_TICK_S = 1e-6


@dataclass(slots=True)
class Live:
    """An answer under way and what has come of it so far."""

    run: Run
    exchange: Exchange


@dataclass(slots=True)
class Session:
    """One open page: the conversation that it shows, and the documents it was last shown.

    ``conversation`` is the id of the one on show: empty before the first question, None when the
    page is older than the server, which has yet to learn it. ``exchanges`` are that one's, oldest
    first, and ``opened`` the time at which it came on show: what was sent before may arrive later.
    ``answering`` holds the page's answers under way by conversation: a person may look at
    another conversation meanwhile. ``trouble`` is an error to tell, ``gone`` that the conversation
    which was asked for does not exist. ``sent`` is when the last view was made for the page: the
    browser shows none that was made before the one on show.
    """

    documents: tuple[DocumentInfo, ...] = ()
    conversation: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    answering: dict[str, Live] = field(default_factory=dict)
    opened: float = 0.0
    trouble: str = ""
    gone: bool = False
    sent: float = 0.0

    def stamp(self) -> float:
        """Return the time, later than all that was returned before, whatever the clock does."""
        self.sent = max(time.time(), self.sent + _TICK_S)
        return self.sent


class Sessions:
    """The open pages by the random key that each page draws for itself."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> Session:
        """Return the page's session, a new one the first time."""
        with self._lock:
            return self._sessions.setdefault(key, Session())

    def answering(self, conversation: str) -> Live | None:
        """Return the answer under way in a conversation, whichever page asked."""
        with self._lock:
            lives = [one.answering.get(conversation) for one in self._sessions.values()]
        return next((live for live in lives if live is not None), None)

    def stop(self, conversation: str) -> None:
        """Stop the answer under way in a conversation, if there is one."""
        live = self.answering(conversation)
        if live is not None:
            live.run.stop()

    def drop(self, key: str) -> None:
        """Forget a page that was closed, and stop its answers."""
        with self._lock:
            session = self._sessions.pop(key, None)
        for live in list(session.answering.values()) if session else ():
            live.run.stop()

    def drop_all(self) -> None:
        """Forget every page and stop every answer."""
        for key in list(self._sessions):
            self.drop(key)
