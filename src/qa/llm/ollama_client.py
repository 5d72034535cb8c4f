"""One model's chat calls through the ``ollama`` client: retried where that helps, and stoppable.

What the client raises comes out as our errors. It knows nothing of prompts' sizes.

Example: ``with closing(client.chat(request)) as lines: …``.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from qa.errors import ModelUnavailable
from qa.llm import ollama_errors
from qa.llm.ollama_server import is_loopback

if TYPE_CHECKING:
    import httpx
    import ollama

_CONNECT_TIMEOUT_S = 5.0


class Overflow(Exception):
    """A prompt that did not fit; both numbers are 0 when the server does not tell them."""

    def __init__(self, sent: int, window: int) -> None:
        super().__init__(f"{sent} tokens, window {window}")
        self.sent = sent
        self.window = window


class ChatClient:
    """Chat calls to one model; safe to use from several threads."""

    def __init__(self, url: str, model: str, *, timeout_s: float, retry_wait_s: float) -> None:
        """Open the client; nothing is sent yet.

        :param url: the server, as :func:`qa.llm.ollama_server.server_url` returns it.
        :param model: the model's name.
        :param timeout_s: the longest wait for the next line.
        :param retry_wait_s: the pause before the one retry when the server's queue is full.
        """
        import httpx
        import ollama

        self._url, self._model = url, model
        self._timeout_s, self._retry_wait_s = timeout_s, retry_wait_s
        self._thinks = True
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._stops = 0
        self._closed = False
        self._client = ollama.Client(
            url,
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S),
            trust_env=not is_loopback(url),
            # One call a connection, so that every call's connection is seen when it is opened.
            limits=httpx.Limits(max_keepalive_connections=0),
            event_hooks={"request": [self._watch]},
        )

    def show(self) -> ollama.ShowResponse:
        """Return what the server tells about the model.

        :return: its template, Modelfile, capabilities and weights' facts.
        :raises ModelUnavailable: the server or the model is not there.
        """
        import ollama

        try:
            with self._translated():
                return self._client.show(self._model)
        except ollama.ResponseError as error:
            raise ollama_errors.refused(error, self._model) from error

    def chat(self, request: Mapping[str, object]) -> Generator[ollama.ChatResponse, None, None]:
        """Yield an answer's lines; closing the generator closes the connection.

        ``think: false`` is added until the server refuses it. A full queue is waited for once.

        :param request: the fields of ``/api/chat`` but for model, stream and think.
        :yield: the lines, the last one with the counts.
        :raises Overflow: the server says that the prompt did not fit.
        :raises ModelUnavailable: the server is not there, refused, or broke off.
        """
        import ollama

        chat = cast("_StreamingChat", self._client.chat)
        waited = False
        while True:
            think = {"think": False} if self._thinks else {}
            try:
                with self._translated():
                    yield from chat(model=self._model, stream=True, **request, **think)
                return
            except ollama.ResponseError as error:
                text = ollama_errors.error_text(error)
                if think and error.status_code == 400 and "think" in text:
                    self._thinks = False
                elif error.status_code == 503 and not waited:
                    waited = True
                    time.sleep(self._retry_wait_s)
                elif (overflow := ollama_errors.overflow_of(text)) is not None:
                    raise Overflow(*overflow) from error
                else:
                    raise ollama_errors.refused(error, self._model) from error

    def stop(self) -> None:
        """Close the connections of all running calls, which raise ModelUnavailable; thread-safe."""
        with self._lock:
            self._stops += 1
            running = list(self._connections)
        for connection in running:
            with contextlib.suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop running calls and refuse new ones."""
        self._closed = True
        self.stop()
        self._client.close()  # type: ignore[no-untyped-call]

    def _watch(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._note_connection

    def _note_connection(self, event: str, facts: Mapping[str, object]) -> None:
        """Remember an opened connection, so that another thread can close it."""
        if event == "connection.connect_tcp.complete":
            stream = facts["return_value"]
            connection = stream.get_extra_info("socket")  # type: ignore[attr-defined]
            if isinstance(connection, socket.socket):
                with self._lock:
                    self._connections.add(connection)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn broken connections and lines into our errors; the server's own errors pass."""
        import httpx

        if self._closed:
            raise ModelUnavailable(f"the Ollama model {self._model!r} was closed; open it again")
        stops = self._stops
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if self._stops != stops:
                raise ModelUnavailable(
                    f"the Ollama model {self._model!r} was stopped; ask again"
                ) from error
            raise ollama_errors.connection_lost(
                error, self._model, self._url, self._timeout_s
            ) from error
        except (ValueError, TypeError, AttributeError) as error:  # not JSON, or of another shape
            raise ollama_errors.not_the_protocol(error, self._url) from error


class _StreamingChat(Protocol):
    """``ollama.Client.chat`` with ``stream=True``: a generator, so that it can be closed."""

    def __call__(self, **request: object) -> Generator[ollama.ChatResponse, None, None]: ...
