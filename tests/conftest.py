"""What every test gets: no network beyond loopback, and no ``QA_*`` settings from outside."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_sendto = socket.socket.sendto
_real_getaddrinfo = socket.getaddrinfo


def _is_local(host: object) -> bool:
    if host is None or isinstance(host, bytes | bytearray):
        host = host.decode() if host else "localhost"  # type: ignore[union-attr]
    if host in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(str(host).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _refuse(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise OSError(f"tests may not reach the network: {address!r}")


def _connect(sock: socket.socket, address: Any) -> None:
    _refuse(sock, address)
    _real_connect(sock, address)


def _connect_ex(sock: socket.socket, address: Any) -> int:
    _refuse(sock, address)
    return _real_connect_ex(sock, address)


def _sendto(sock: socket.socket, payload: Any, *rest: Any) -> int:
    _refuse(sock, rest[-1])
    return _real_sendto(sock, payload, *rest)


def _getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if not _is_local(host):
        raise socket.gaierror(socket.EAI_FAIL, f"tests may not look up {host!r}")
    return _real_getaddrinfo(host, *args, **kwargs)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _connect)
        patch.setattr(socket.socket, "connect_ex", _connect_ex)
        patch.setattr(socket.socket, "sendto", _sendto)
        patch.setattr(socket, "getaddrinfo", _getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # The model cache stays: unpacking the models anew would cost minutes and a gigabyte.
    for name in list(os.environ):
        if name.startswith("QA_") and name != "QA_CACHE":
            monkeypatch.delenv(name)
