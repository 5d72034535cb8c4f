"""Names and passwords: the file that holds them hashed, and the check of every request.

The file has a line ``name:scrypt$n$r$p$salt$key`` for each person, salt and key in Base64; lines
that begin with ``#`` are skipped. Requests carry HTTP Basic credentials, which browsers, curl and
MCP clients know. It does not encrypt: beyond this machine, put a proxy with TLS before the server.

Example: ``Passwords.read(Path("users")).accepts("marie", "…")``.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from qa.api.guard import drain, refusal
from qa.errors import InputError

# OWASP's Password Storage Cheat Sheet: 16 MiB, about 0.2 s.
_N, _R, _P = 1 << 14, 8, 5
_MOST_BYTES = 256 << 20
_FEWEST_CHARS: Final = 8
_CHECKS_AT_ONCE = 2  # each takes memory and a core


@dataclass(frozen=True, slots=True)
class Hash:
    """A password's scrypt hash with what it was made with."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: str) -> Hash:
        """Hash a password with a new salt."""
        salt = secrets.token_bytes(16)
        return cls(_N, _R, _P, salt, _derive(password, _N, _R, _P, salt))

    @classmethod
    def parse(cls, text: str) -> Hash:
        """Read the hash of a line; anything else is a ValueError."""
        scheme, n, r, p, salt, key = text.split("$")
        made = cls(int(n), int(r), int(p), _decoded(salt), _decoded(key))
        sound = made.n > 1 and made.n & (made.n - 1) == 0 and made.r > 0 and 0 < made.p <= 64
        if scheme != "scrypt" or not sound or 128 * made.n * made.r > _MOST_BYTES or not made.key:
            raise ValueError(text)
        return made

    def __str__(self) -> str:
        salt, key = (base64.b64encode(part).decode() for part in (self.salt, self.key))
        return f"scrypt${self.n}${self.r}${self.p}${salt}${key}"

    def fits(self, password: str) -> bool:
        """Tell whether this is the password's hash; takes a fifth of a second."""
        return hmac.compare_digest(_derive(password, self.n, self.r, self.p, self.salt), self.key)


class Passwords:
    """Who may ask. Safe to use from several threads."""

    def __init__(self, hashes: Mapping[str, Hash]) -> None:
        self._hashes = dict(hashes)
        self._nobody = Hash(_N, _R, _P, secrets.token_bytes(16), secrets.token_bytes(64))
        # A browser sends the password with each request: once checked, a fast hash under a key that
        # only this process has is compared.
        self._secret = secrets.token_bytes(32)
        self._checked: dict[str, bytes] = {}

    @classmethod
    def read(cls, path: Path) -> Passwords:
        """Read an auth file.

        :raises InputError: it is not there, others may read it, or a line is wrong.
        """
        hashes = _parsed(_lines(path), path)
        if not hashes:
            raise InputError(f"the auth file {str(path)!r} holds no user; {_how_to_add(path)}")
        return cls(hashes)

    def is_checked(self, name: str, password: str) -> bool:
        """Tell whether these were accepted before; fast, and False proves nothing."""
        known = self._checked.get(name)
        return known is not None and hmac.compare_digest(known, self._quick(password))

    def accepts(self, name: str, password: str) -> bool:
        """Check a name and a password; as slow for a name that nobody has."""
        if self.is_checked(name, password):
            return True
        accepted = self._hashes.get(name, self._nobody).fits(password) and name in self._hashes
        if accepted:
            self._checked[name] = self._quick(password)
        return accepted

    def _quick(self, password: str) -> bytes:
        return hmac.digest(self._secret, password.encode("utf-8", "surrogatepass"), "sha256")


class Access:
    """Let only requests with a known name and password pass, and note the name in their state.

    Plain ASGI, for every route.
    """

    def __init__(self, app: ASGIApp, *, passwords: Passwords) -> None:
        self._app = app
        self._passwords = passwords
        self._checks = asyncio.Semaphore(_CHECKS_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = _credentials(Headers(scope=scope).get("authorization", ""))
        if given is None or not await self._may_pass(*given):
            response = refusal(401, "a name and a password are needed; check them and try again")
            response.headers["WWW-Authenticate"] = 'Basic realm="qa", charset="UTF-8"'
            await drain(scope, receive)
            await response(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = given[0]
        await self._app(scope, receive, send)

    async def _may_pass(self, name: str, password: str) -> bool:
        if self._passwords.is_checked(name, password):
            return True
        async with self._checks:
            return await asyncio.to_thread(self._passwords.accepts, name, password)


def add_user(path: Path, name: str, password: str) -> None:
    """Add a person to an auth file, made if it is not there, or give them a new password.

    The other lines stay as they are, and so does who may read the file.

    :raises InputError: a name or a password that cannot be used, or a file that is not one of ours.
    """
    if not name or ":" in name or name.startswith("#") or not name.isprintable() or " " in name:
        raise InputError(f"the name {name!r} cannot be used; take one without spaces and colons")
    if len(password) < _FEWEST_CHARS:
        raise InputError(f"the password is too short; take at least {_FEWEST_CHARS} characters")
    lines = _lines(path) if path.exists() else []
    _parsed(lines, path)
    new = f"{name}:{Hash.of(password)}"
    lines = [new if line.partition(":")[0] == name else line for line in lines]
    if new not in lines:
        lines.append(new)
    try:
        _write(path, lines)
    except OSError as error:
        raise InputError(
            f"the auth file {str(path)!r} cannot be written ({error.strerror}); check the folder"
        ) from error


def _write(path: Path, lines: Sequence[str]) -> None:
    # Readable by its owner alone from the start, and whole or not there.
    handle, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        if os.name == "posix" and path.exists():
            _give_to_the_owner_of(path, written)
            shutil.copymode(path, written)
        Path(written).replace(path)
    except (OSError, InputError):
        Path(written).unlink()
        raise


def _give_to_the_owner_of(path: Path, written: str) -> None:
    found = path.stat()
    try:
        os.chown(written, found.st_uid, found.st_gid)
    except PermissionError as error:
        owner = str(found.st_uid)
        with suppress(KeyError):  # a number without a name
            owner = path.owner()
        raise InputError(
            f"the auth file {str(path)!r} belongs to user {owner} and group {found.st_gid}, which "
            f"a change by you could not leave so; run the command as that user or as root"
        ) from error


def _lines(path: Path) -> list[str]:
    try:
        open_to_all = os.name == "posix" and path.stat().st_mode & 0o007
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"there is no auth file {str(path)!r}; {_how_to_add(path)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the auth file {str(path)!r} cannot be read: {error}") from error
    if open_to_all:
        raise InputError(
            f"every user of this machine may use the auth file {str(path)!r}; "
            f"run `chmod 600 {path}`"
        )
    return text.splitlines()


def _parsed(lines: Sequence[str], path: Path) -> dict[str, Hash]:
    hashes = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            try:
                hashes[name] = Hash.parse(rest.strip())
            except ValueError as error:
                raise InputError(
                    f"line {number} of the auth file {str(path)!r} is not name:hash; "
                    f"{_how_to_add(path)}"
                ) from error
    return hashes


def _how_to_add(path: Path) -> str:
    return f"make it with `qa serve --auth-file {path} --add-user NAME`"


def _credentials(header: str) -> tuple[str, str] | None:
    """Return the name and the password of an Authorization header."""
    scheme, _, encoded = header.partition(" ")
    if scheme.casefold() != "basic":
        return None
    try:
        name, colon, password = _decoded(encoded.strip()).decode("utf-8").partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error


def _derive(password: str, n: int, r: int, p: int, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r
    )
