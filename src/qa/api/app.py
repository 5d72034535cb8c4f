"""The web application: the endpoints for programs, behind the checks that every request passes.

The chat page mounts itself on it. It imports no user interface.

Example: ``uvicorn.run(application(assistant, Serving(host="127.0.0.1")))``.
"""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI

from qa.api.access import Access
from qa.api.guard import BodyLimit, Policy, SameSite, UnderPath
from qa.api.mcp import add_tools
from qa.api.protocol import Answering
from qa.api.reference import reference
from qa.api.routes import explain_errors, nothing_else, router
from qa.api.serving import Serving

_MAX_BODY_BYTES = 1 << 20


def application(assistant: Answering, serving: Serving) -> FastAPI:
    """Return the application with the endpoints; the page may be mounted on it.

    :raises InputError: the MCP package is not installed, and ``serving`` wants it.
    """
    app = FastAPI(
        title="Ask your documents",
        version=version("qa-sentence-citations"),
        description="Every statement of an answer points at the exact sentences that prove it.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.runs = set()
    app.include_router(router(assistant))
    reference(app)
    explain_errors(app)
    if serving.mcp:
        add_tools(app, assistant)
    nothing_else(app)
    # The last one added is the first that a request meets.
    app.add_middleware(BodyLimit, max_bytes=_MAX_BODY_BYTES)
    if serving.passwords is not None:
        app.add_middleware(Access, passwords=serving.passwords)
    app.add_middleware(
        SameSite, loopback=serving.is_loopback, any_host=serving.passwords is not None
    )
    if serving.root_path:
        app.add_middleware(UnderPath, root_path=serving.root_path)
    app.add_middleware(Policy)
    return app
