"""Who may call the server: not another web page that a person visits, and not with a huge body.

A page elsewhere can send requests to this machine, also under a host name of its own that resolves
to it (DNS rebinding). Such requests carry a foreign ``Origin`` or ``Host``. Plain ASGI, so that
streams pass untouched. It knows nothing of passwords.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from contextlib import suppress
from functools import cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Gradio compiles templates in the browser, hence 'unsafe-eval'; nothing comes from another host.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:;"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_LOOPBACK = frozenset(["127.0.0.1", "localhost", "::1"])
_MOST_LEFT_BYTES, _DRAIN_S = 8 << 20, 5
_PROGRAMS = re.compile(r"/(?:api|mcp)(?:/|$)")


class Policy:
    """Add to every response what the browser may load and tell others."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = _POLICY
                headers["Referrer-Policy"] = "no-referrer"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        await self._app(scope, receive, send_with_policy)


class SameSite:
    """Refuse requests that a web page of another site sends, by their Host and Origin."""

    def __init__(self, app: ASGIApp, *, loopback: bool, any_host: bool) -> None:
        """Take what decides.

        :param app: gets the requests that pass.
        :param loopback: only this machine reaches the server.
        :param any_host: for servers with passwords: a browser does not send them to a host name
            that it got no password for, so the name need not be checked.
        """
        self._app = app
        self._loopback = loopback
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 400 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        response = None
        if not self._any_host and not self._is_ours(_name(host)):
            response = refusal(
                400,
                f"the host name {_name(host)!r} is not this server's; call it by the address that "
                "it was started on",
            )
        elif _is_foreign(headers.get("origin"), {host, headers.get("x-forwarded-host", host)}):
            response = refusal(403, "requests from web pages of other sites are refused")
        if response is None:
            await self._app(scope, receive, send)
            return
        await drain(scope, receive)
        await response(scope, receive, send)

    def _is_ours(self, name: str) -> bool:
        """Tell whether nobody else can have given this server the name ``name``."""
        if name in _LOOPBACK:
            return True
        if self._loopback:
            return False
        # A local network's own names have no dot or end in .local: no site of the web has these.
        local = "." not in name or name.endswith(".local")
        return bool(name) and (local or _is_address(name) or name == _own_name())


class BodyLimit:
    """Refuse bodies of programs' requests that are too large; uploads have a limit of their own."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on, or answer 413."""
        path = str(scope.get("path", "")).removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not _PROGRAMS.match(path):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more and len(body) <= self._max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if len(body) > self._max_bytes:
            if more:
                await drain(scope, receive)
            response = refusal(413, f"the request's body is larger than {self._max_bytes} bytes")
            await response(scope, receive, send)
            return
        read = False

        async def replay() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)


class UnderPath:
    """Serve under a path of a proxy's, whether the proxy passes that path on or cuts it off."""

    def __init__(self, app: ASGIApp, *, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the whole path."""
        if scope["type"] == "http":
            path = scope["path"]
            if not f"{path}/".startswith(f"{self._root_path}/"):
                path = self._root_path + path
            scope = {**scope, "path": path, "root_path": self._root_path}
        await self._app(scope, receive, send)


def refusal(status: int, message: str) -> JSONResponse:
    """Return a response that says why, in the form of all errors of the server."""
    return JSONResponse({"error": message}, status)


async def drain(scope: Scope, receive: Receive) -> None:
    """Read what is left of a body that nobody wants before the refusal is sent.

    A connection that is closed with bytes unread is reset, and the caller may not see why. Five
    seconds and 8 MiB at most; none where the caller waits for a sign (``Expect: 100-continue``).
    """
    left = 0 if "expect" in Headers(scope=scope) else _MOST_LEFT_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _name(host: str) -> str:
    """Return the name of a Host header without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@cache
def _own_name() -> str:
    """Return this machine's full name; finding it may ask a name server, so it is asked once."""
    return socket.getfqdn().casefold()


def _is_foreign(origin: str | None, hosts: set[str]) -> bool:
    """Tell whether a browser sent the request for a page of another origin."""
    try:
        return origin is not None and urlsplit(origin).netloc not in hosts
    except ValueError:
        return True
