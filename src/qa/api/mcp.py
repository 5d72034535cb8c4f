"""The MCP server's start, and a clear error where its package is missing.

Example: ``run_stdio(lambda: Assistant.open())``.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import TYPE_CHECKING

from qa.api.protocol import Answering
from qa.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI


def require_mcp() -> None:
    """Raise an InputError that names the install command unless the extra is installed."""
    if find_spec("mcp") is None:
        raise InputError(
            "the MCP server's package 'mcp' is not installed; run "
            "pip install 'qa-sentence-citations[mcp]'"
        )


def run_stdio(open: Callable[[], Answering]) -> None:
    """Serve the tools over stdin and stdout until stdin ends.

    The server answers at once and opens the assistant meanwhile: clients wait for the first, not
    for models to load. What cannot be opened is an error of each tool call.

    :param open: opens the assistant; called once, in a thread.
    :raises InputError: the extra is not installed.
    """
    require_mcp()
    from qa.api.tools import tool_server

    with ThreadPoolExecutor(1, "qa-open") as pool:
        opening = pool.submit(open)
        tool_server(opening.result).run("stdio")


def add_tools(app: FastAPI, assistant: Answering) -> None:
    """Offer the tools over streamable HTTP at ``/mcp``.

    :raises InputError: the extra is not installed.
    """
    require_mcp()
    from mcp.server.transport_security import TransportSecuritySettings

    from qa.api.tools import tool_server

    server = tool_server(lambda: assistant)
    # The application checks every request's Host and Origin itself.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    inner = server.streamable_http_app(
        streamable_http_path="/mcp", stateless_http=True, transport_security=unchecked
    )
    app.router.routes.extend(inner.routes)
    before = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(started: FastAPI) -> AsyncIterator[None]:
        async with before(started), server.session_manager.run():
            yield

    app.router.lifespan_context = lifespan
