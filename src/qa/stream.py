"""Run a blocking stream of events in its own thread and hand the events to an event loop.

A thread of its own, because a model may take seconds between two events and must not hold up the
server's other visitors; and because stopping must show at once, while the generator itself can only
be closed between two events.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator

from qa.errors import QAError
from qa.types import Event

_log = logging.getLogger(__name__)


class Run:
    """One answer under way. :meth:`stop` may be called from any thread, and twice.

    The iterator is closed in the thread that reads it as soon as it gives control back.
    """

    def __init__(self, events: Callable[[], Iterator[Event]]) -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Event | Exception | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, name="qa-answer", daemon=True)

    @property
    def stopped(self) -> bool:
        """Return whether the run was stopped before its end."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the run: whoever reads it gets no more events."""
        self._stopped.set()
        self._put(None)

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield the events that have come since the last batch, at least one.

        :raises QAError: the assistant's own error, after the events that came before it.
        """
        self._thread.start()
        try:
            while not self.stopped:
                batch, end = _events(await _waiting(self._queue))
                if batch and not self.stopped:
                    yield batch
                if isinstance(end, Exception):
                    raise end
                if end is _END:
                    return
        finally:
            self._stopped.set()

    def _read(self) -> None:
        end: Exception | None = None
        try:
            events = self._events()
            with (
                contextlib.closing(events)
                if isinstance(events, Generator)
                else contextlib.nullcontext()
            ):
                for event in events:
                    if self.stopped:
                        break
                    self._put(event)
        except QAError as error:
            end = error
        except Exception as error:
            # The thread's border: whatever it is, the page must say that the answer failed.
            _log.exception("an answer failed")
            end = error
        if end is not None:
            self._put(end)
        self._put(None)

    def _put(self, item: Event | Exception | None) -> None:
        # The loop is closed when the server has ended before the answer.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, item)


_END = object()


async def _waiting(
    queue: asyncio.Queue[Event | Exception | None],
) -> list[Event | Exception | None]:
    """Return everything in the queue, after waiting for the first item."""
    items = [await queue.get()]
    while not queue.empty():
        items.append(queue.get_nowait())
    return items


def _events(items: list[Event | Exception | None]) -> tuple[list[Event], object]:
    """Return the events before the first end mark, and that mark: an error, ``_END``, or None."""
    events: list[Event] = []
    for item in items:
        if item is None:
            return events, _END
        if isinstance(item, Exception):
            return events, item
        events.append(item)
    return events, None
