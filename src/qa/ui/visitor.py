"""Whose list of conversations a page shows.

Who signed in has a list of their own. Without passwords, everybody at the machine itself shares
one, whatever the browser; a browser elsewhere has its own, known by a cookie that holds a random
name (docs/decisions/0015). It knows nothing of conversations.

Example: ``app.add_middleware(Visitors)``, then ``owner(request)`` in what the page calls.
"""

from __future__ import annotations

import ipaddress
import re
import secrets

import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_COOKIE = "qa-browser"
_NAME = re.compile(r"[\w-]{22}", re.ASCII)
_YEAR_S = 365 * 24 * 3600


class Visitors:
    """Note which browser a request comes from, and give each one its name; plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or _is_here(scope):
            await self._app(scope, receive, send)
            return
        known = cookie_parser(Headers(scope=scope).get("cookie", "")).get(_COOKIE, "")
        name = known if _NAME.fullmatch(known) else secrets.token_urlsafe(16)
        scope.setdefault("state", {})["browser"] = name

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Set-Cookie", _cookie(name, scope))
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def owner(request: gr.Request) -> str:
    """Return whose conversations a request may list: "" for whoever sits at the machine."""
    state = request.state
    if user := getattr(state, "user", ""):
        return str(user)
    browser = getattr(state, "browser", "")
    return f"browser:{browser}" if browser else ""  # no name of a person holds a colon


def _is_here(scope: Scope) -> bool:
    """Tell whether a program on this machine asks, for itself and not as a proxy."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return False
    # A server that listens on "::" sees 127.0.0.1 as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _cookie(name: str, scope: Scope) -> str:
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    path = scope.get("root_path") or "/"
    return f"{_COOKIE}={name}; Path={path}; Max-Age={_YEAR_S}; HttpOnly; SameSite=Lax{secure}"
