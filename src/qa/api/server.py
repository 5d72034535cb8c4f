"""The HTTP server: it stops what is under way before it ends, and ends without a complaint.

Example: ``Server(app, stop=lambda: stop_answers(app)).run(sockets=[listener])``.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

# An open page holds a connection for as long as it is open: the end does not wait for it.
_GRACE_S = 1


class Server(uvicorn.Server):
    """Runs an application; calls ``stop`` in its event loop when it begins to end."""

    def __init__(self, app: FastAPI, *, stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE_S, ws="none")
        )
        self._stop = stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop what is under way, wait a moment, and cut off what is left."""
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._stop()
        await super().shutdown(sockets)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether a record says more than that a connection was cut off at the end."""
    error = record.exc_info[1] if record.exc_info else None
    cut_off = isinstance(error, asyncio.CancelledError) or str(record.msg).startswith("Cancel ")
    return not cut_off
