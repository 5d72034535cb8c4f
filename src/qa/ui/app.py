"""The web application around the page: which hosts may ask, and what the browser may load.

A page that holds private documents must not be read by another site that the person visits (through
a host name that resolves to this machine), and must not load anything from elsewhere, whatever a
document or a model says.
"""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qa.ui.conversations import Conversations
from qa.ui.page import build, static, theme, translations
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Sessions
from qa.ui.warmup import Warmup

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

# Gradio compiles templates in the browser, hence 'unsafe-eval'; nothing comes from another host.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)

_STYLES = ("page", "log", "panel", "narrow")
# Run before anything is drawn.
_FIRST = ("preferences", "place")


class _Headers:
    """Add the content policy to every response; plain ASGI, so that streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        await self._app(scope, receive, send_with_policy)


def _joined(names: tuple[str, ...], suffix: str) -> str:
    return "".join(static(f"{name}.{suffix}") for name in names)


def application(
    assistant: ChatAssistant,
    conversations: Conversations,
    sessions: Sessions,
    warmup: Warmup,
    *,
    host: str,
    max_file_mb: int,
) -> FastAPI:
    """Return the application that serves the page at ``/``."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if host in ("127.0.0.1", "::1"):
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(_LOOPBACK))
    app.add_middleware(_Headers)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build(assistant, conversations, sessions, warmup, max_file_mb=max_file_mb),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=f"{max_file_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        i18n=translations(),
        theme=theme(),
        # Not as `css`: that is sent twice, once with every selector rewritten.
        head=f"<style>{_joined(_STYLES, 'css')}</style><script>{_joined(_FIRST, 'js')}</script>",
    )
    return mounted
