"""What an Ollama server is and holds; it sends no chat request.

Example: ``info = probe_server("127.0.0.1:11434")``, then ``find_model(info, "ministral-3:3b")``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from qa.errors import InputError

_DEFAULT_PORT = 11434
_CONNECT_TIMEOUT_S = 1.0
_READ_TIMEOUT_S = 5.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """An installed model. Empty ``capabilities`` and None mean that the server does not tell.

    ``remote``: it runs on somebody else's computer, so it is never used.
    """

    name: str
    digest: str = ""
    size_bytes: int = 0
    family: str = ""
    parameter_size: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int | None = None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server that answered: its version ("0.0.0" for source builds) and installed models."""

    url: str
    version: str
    models: tuple[ModelInfo, ...]

    @property
    def version_tuple(self) -> tuple[int, ...]:
        """Return the version's numbers, for comparisons; () when it is not a released version."""
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return numbers if any(numbers) else ()


def server_url(setting: str) -> str:
    """Return the URL that ``setting`` means, read as Ollama reads ``OLLAMA_HOST``.

    «Listen everywhere» addresses mean this machine: ``0.0.0.0`` is ``http://127.0.0.1:11434``.

    :param setting: a host, ``host:port``, or a URL.
    :return: scheme, host, port and path, without a slash at the end.
    :raises InputError: it is not a host, a host and port, or a http(s) URL.
    """
    text = setting.strip().strip("\"'").rstrip("/")
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", text)
    if _is_ipv6(rest):
        rest = f"[{rest}]"
    try:
        split = urlsplit(f"{scheme}://{rest}")
        host, port = split.hostname or "127.0.0.1", split.port
    except ValueError:
        host, port = "", None
    if "@" in rest.partition("/")[0]:
        raise InputError(
            "ollama_url holds a user name or a password, and neither is ever sent; leave them out"
        )
    if scheme not in {"http", "https"} or not host or re.search(r"\s", rest):
        raise InputError(
            f"ollama_url {setting!r} is not a server address; write for example "
            "'http://127.0.0.1:11434' or 'host:port'"
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if port is None:
        port = {"http": 80, "https": 443}[scheme] if separator else _DEFAULT_PORT
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{split.path.rstrip('/')}"


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def is_loopback(url: str) -> bool:
    """Tell whether ``url`` is this machine, which no proxy of the environment may stand before."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def probe_server(url: str) -> ServerInfo | None:
    """Return what the server at ``url`` is and holds, or None when no Ollama answers in time.

    Nobody there costs a second at most for each address of the host; a server that takes the
    connection gets five for each answer, since it may be busy.
    """
    import httpx

    address = server_url(url)
    timeout = httpx.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(
            base_url=address, timeout=timeout, trust_env=not is_loopback(address)
        ) as client:
            version = client.get("/api/version").raise_for_status().json()["version"]
            listed = client.get("/api/tags").raise_for_status().json()["models"] or []
            return ServerInfo(address, str(version), tuple(_model_info(model) for model in listed))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return None  # nothing there, or something else than Ollama


def _model_info(listed: Mapping[str, object]) -> ModelInfo:
    """Read one entry of ``/api/tags``; older servers leave capabilities and context length out."""
    details = listed.get("details")
    details = details if isinstance(details, Mapping) else {}
    capabilities = listed.get("capabilities")
    length, size = details.get("context_length"), listed.get("size")
    name = str(listed.get("name") or listed.get("model"))
    return ModelInfo(
        name=name,
        digest=str(listed.get("digest") or ""),
        size_bytes=size if isinstance(size, int) else 0,
        family=str(details.get("family") or ""),
        parameter_size=str(details.get("parameter_size") or ""),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
        context_length=length if isinstance(length, int) and length > 0 else None,
        remote=bool(listed.get("remote_host") or listed.get("remote_model"))
        or bool(re.search(r"[-:]cloud$", name)),
    )


def find_model(info: ServerInfo, name: str) -> ModelInfo | None:
    """Return the installed model of that name, ``:latest`` understood, or None."""
    wanted = _full_name(name)
    return next((model for model in info.models if _full_name(model.name) == wanted), None)


def _full_name(name: str) -> str:
    name = name.strip().casefold()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
