"""Start and end the chat page's server, with no request to any other host."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import InputError
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Sessions
from qa.ui.warmup import Warmup

if TYPE_CHECKING:
    from qa.api.serving import Serving

# How many ports after the wanted one are tried.
_PORTS = 100


class Page:
    """A chat page on a socket that listens already; ``url`` is its address."""

    def __init__(
        self,
        assistant: ChatAssistant,
        listener: socket.socket,
        url: str,
        serving: Serving,
        *,
        conversations: Path | None,
        max_file_mb: int,
    ) -> None:
        from qa.ui.conversations import Conversations

        self.url = url
        self._conversations = Conversations(conversations)
        self._listener = listener
        self._thread: threading.Thread | None = None
        self._temp = tempfile.mkdtemp(prefix="qa-uploads-")
        # Read by Gradio when it is imported and when components are built. Uploads go to a folder
        # of our own: the default one under /tmp is shared with every other user of the machine.
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=self._temp)
        from qa.api.routes import stop_answers
        from qa.api.server import Server
        from qa.ui.app import with_page

        self._sessions, warmup = Sessions(), Warmup(assistant)
        app = with_page(
            assistant,
            self._conversations,
            self._sessions,
            warmup,
            serving,
            max_file_mb=max_file_mb,
        )

        def stop() -> None:
            stop_answers(app)
            self._sessions.drop_all()

        self._server = Server(app, stop=stop)
        warmup.start()

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM, then return; call it in the main thread."""
        # The server handles the signal itself, and raises it again once it has ended: SIGTERM would
        # then kill the process before anything is cleaned up.
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._listener])
        finally:
            signal.signal(signal.SIGTERM, before)
            self._clean()

    def run_in_thread(self) -> None:
        """Serve in the background; returns when the page answers."""
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}, daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)

    def close(self) -> None:
        """Stop every answer and end the server; calling it twice is fine."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()
        self._clean()

    def _clean(self) -> None:
        self._sessions.drop_all()
        self._listener.close()
        self._conversations.close()
        shutil.rmtree(self._temp, ignore_errors=True)


def serve(
    assistant: ChatAssistant,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    conversations: Path | None = None,
    max_file_mb: int = 50,
    auth_file: Path | None = None,
    root_path: str = "",
    mcp: bool = False,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve the chat page, and the endpoints for programs, until Ctrl-C.

    :param assistant: what is asked.
    :param host: the address to listen on; only this machine reaches the default.
    :param port: the first port tried; a taken one gives way to the next free one. 0 takes any.
    :param conversations: the file that keeps the conversations; None keeps them until the end.
    :param max_file_mb: the largest file that may be uploaded.
    :param auth_file: names and hashed passwords, one of which every request needs; None asks none.
    :param root_path: the path that a proxy serves this under, such as ``/docs``.
    :param mcp: also offer the MCP tools at ``/mcp``.
    :param announce: gets the lines for the person who started it; by default they go to stdout.
    :raises InputError: no port could be opened, or the auth file or the extra ``mcp`` is missing.
    """
    start(
        assistant,
        host=host,
        port=port,
        conversations=conversations,
        max_file_mb=max_file_mb,
        auth_file=auth_file,
        root_path=root_path,
        mcp=mcp,
        announce=announce,
    ).run()


def start(
    assistant: ChatAssistant,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    conversations: Path | None = None,
    max_file_mb: int = 50,
    auth_file: Path | None = None,
    root_path: str = "",
    mcp: bool = False,
    announce: Callable[[str], None] | None = None,
) -> Page:
    """Build the page, open its port and begin to warm the model: :func:`serve` without the wait.

    :raises QAError: the file of conversations cannot be used.
    """
    from qa.api.serving import Serving

    announce = announce or _say
    serving = Serving.of(host, auth_file=auth_file, root_path=root_path, mcp=mcp)
    if conversations is not None and not _may_write(conversations):
        announce(
            f"{str(conversations.parent)!r} cannot be written:"
            " conversations are kept until the end, no longer."
        )
        conversations = None
    listener = listen(host, port)
    taken = int(listener.getsockname()[1])
    if port not in (0, taken):
        announce(f"Port {port} is taken; using {taken} instead.")
    url = f"http://{_shown(host)}:{taken}"
    page = Page(
        assistant,
        listener,
        url,
        serving,
        conversations=conversations,
        max_file_mb=max_file_mb,
    )
    announce(f"The chat is at {page.url} (Ctrl-C ends it).")
    for warning in serving.warnings:
        announce(warning)
    return page


def _shown(host: str) -> str:
    """Return the host as it is written in an address that a browser on this machine can open."""
    if host in ("0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _may_write(file: Path) -> bool:
    """Return whether a file can be written, or made; SQLite makes others beside it."""
    return all(os.access(one, os.W_OK) for one in (file, file.parent) if one.exists())


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the first free port from ``port`` on, or raise InputError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [0] if port == 0 else range(port, min(port + _PORTS, 65536)):
        listener = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            # Lets a page that was just ended start again; elsewhere it would share a taken port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(128)
            return listener
        except OSError as error:
            listener.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise InputError(
                    f"cannot listen on {host!r}: {error}; set `host` to an address of this machine"
                ) from error
    raise InputError(
        f"no free port from {port} to {min(port + _PORTS, 65536) - 1} on {host!r};"
        " choose another with `port` or --port"
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
