"""How the server is reached and by whom, checked before anything is opened.

Example: ``Serving.of("127.0.0.1", auth_file=Path("users"), root_path="/docs", mcp=True)``.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from qa.api.access import Passwords
from qa.api.mcp import require_mcp
from qa.errors import InputError


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the server listens, under which path, and what it asks for.

    ``passwords``: None lets everyone in. ``root_path``: the path that a proxy serves it under, ""
    for none. ``mcp``: also offer the tools at ``/mcp``.
    """

    host: str = "127.0.0.1"
    passwords: Passwords | None = None
    root_path: str = ""
    mcp: bool = False

    @classmethod
    def of(
        cls, host: str, *, auth_file: Path | None = None, root_path: str = "", mcp: bool = False
    ) -> Self:
        """Return it for the settings of the same names.

        :raises InputError: the auth file or the MCP package is missing or cannot be used, or the
            path does not begin with a slash.
        """
        if mcp:
            require_mcp()
        path = root_path.rstrip("/")
        if path and not path.startswith("/"):
            raise InputError(
                f"the root path {root_path!r} has to begin with a slash, as in '/docs'"
            )
        return cls(host, Passwords.read(auth_file) if auth_file else None, path, mcp)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the person who starts the server should know of its safety."""
        if self.is_loopback:
            return ()
        if self.passwords is None:
            return (
                f"Warning: whoever reaches this machine at {self.host} can read and change the "
                "documents; ask for passwords with --auth-file.",
            )
        return (
            "Warning: passwords and documents cross the network unencrypted; put a proxy with TLS "
            "before this server.",
        )
