"""The child process that parses untrusted files, with little memory, little time and no writing.

It reads one request a line from its standard input and answers each: a line of JSON, then as many
bytes as that line says. It ends when its input does, or after minutes without a request.

Example: ``python -m qa.documents.worker '{"file_bytes": 1000000, …}'``, as `parser` starts it.
"""

from __future__ import annotations

import hashlib
import json
import select
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from qa.documents.files import read_bytes
from qa.documents.formats import read_format
from qa.documents.limits import Limits
from qa.documents.packed import members, open_zip, read_member
from qa.documents.pdf import Layout, read_layout, render_page
from qa.errors import InputError

if sys.platform != "win32":
    import resource

_IDLE_S = 300
_KEPT = 2  # layouts of PDFs, for the boxes of the next citation

_Request = Mapping[str, Any]


class _Files:
    """Answers requests on files; keeps the last archive open and the last PDFs laid out."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._archive: tuple[object, zipfile.ZipFile] | None = None
        self._layouts: dict[object, Layout] = {}

    def members(self, request: _Request) -> bytes:
        """Return the names in an archive, as JSON."""
        packed = self._opened(Path(request["path"]))
        return json.dumps([asdict(one) for one in members(packed)]).encode()

    def digest(self, request: _Request) -> bytes:
        """Return the SHA-256 of a file's bytes, in hexadecimal."""
        return hashlib.sha256(self._bytes(request)).hexdigest().encode()

    def read(self, request: _Request) -> bytes:
        """Return a file's `Reading`, as JSON."""
        name = _name(request)
        reading = read_format(Path(name).suffix.lower(), self._bytes(request), name, self._limits)
        return json.dumps(asdict(reading)).encode()

    def boxes(self, request: _Request) -> bytes:
        """Return the rectangles of a span of a PDF's text, as JSON."""
        layout = self._layout(request)
        if hashlib.sha256(layout.text.encode()).hexdigest() != request["text_sha256"]:
            raise InputError(f"{_name(request)!r} has changed since it was indexed; run: qa index")
        found = layout.boxes(request["start"], request["end"])
        return json.dumps([asdict(one) for one in found]).encode()

    def page(self, request: _Request) -> bytes:
        """Return a page of a PDF as a PNG picture."""
        data = self._bytes(request)
        return render_page(data, _name(request), request["page"], request["width"])

    def _opened(self, path: Path) -> zipfile.ZipFile:
        key = _stamp(path)
        if self._archive is None or self._archive[0] != key:
            packed = open_zip(read_bytes(path, self._limits), str(path), self._limits)
            self._archive = key, packed
        return self._archive[1]

    def _bytes(self, request: _Request) -> bytes:
        path, member = Path(request["path"]), request["member"]
        if not member:
            return read_bytes(path, self._limits)
        data = read_member(self._opened(path), member, _name(request), self._limits)
        if not data:
            raise InputError(f"{_name(request)!r} is empty; put text in it or leave it out")
        return data

    def _layout(self, request: _Request) -> Layout:
        key = (_stamp(Path(request["path"])), request["member"])
        if key not in self._layouts:
            if len(self._layouts) >= _KEPT:
                del self._layouts[next(iter(self._layouts))]
            data = self._bytes(request)
            self._layouts[key] = read_layout(data, _name(request), self._limits)[0]
        return self._layouts[key]


def _stamp(path: Path) -> tuple[Path, int, int]:
    """Return what tells whether a file is the one that was read before."""
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"there is no file {str(path)!r} that can be read; check it") from error
    return path, stat.st_size, stat.st_mtime_ns


def _name(request: _Request) -> str:
    return "/".join(filter(None, (request["path"], request["member"])))


def main() -> None:
    """Answer requests until there are none."""
    limits = Limits(**json.loads(sys.argv[1]))
    _restrict(limits)
    files = _Files(limits)
    answers: Mapping[str, Callable[[_Request], bytes]] = {
        "members": files.members,
        "digest": files.digest,
        "read": files.read,
        "boxes": files.boxes,
        "page": files.page,
    }
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    while select.select([requests], [], [], _IDLE_S)[0] and (line := requests.readline()):
        request = json.loads(line)
        _allow_time(limits)
        try:
            _reply(replies, "ok", answers[request["do"]](request))
        except InputError as error:
            _reply(replies, "refused", str(error).encode("utf-8", errors="replace"))
        except MemoryError:
            files = None  # type: ignore[assignment]  # what it keeps makes room for the reply
            _reply(replies, "memory", b"")
            return
        except Exception as error:  # the border of the process: a bug must not end the batch
            said = f"{type(error).__name__}: {error}"
            _reply(replies, "failed", said.encode("utf-8", errors="replace"))


def _reply(replies: BinaryIO, status: str, body: bytes) -> None:
    replies.write(json.dumps({"status": status, "size": len(body)}).encode() + b"\n")
    replies.write(body)
    replies.flush()


def _restrict(limits: Limits) -> None:
    """Give up the right to memory beyond the limit, to write files and to leave core dumps."""
    if sys.platform == "win32":
        return  # it has no such limits: there the time limit alone holds
    for kind, most in (
        (resource.RLIMIT_AS, limits.parse_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def _allow_time(limits: Limits) -> None:
    """Let the kernel end this process when a request computes too long and nobody watches."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + limits.parse_seconds + 5
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


if __name__ == "__main__":
    main()
