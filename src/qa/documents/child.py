"""The child process as its parent sees it: started when needed, watched, started anew when it dies.

Example: ``Child(Limits()).ask({"do": "read", "path": "/docs/a.pdf", "member": ""})``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal, cast

from qa.documents.limits import Limits

_ROOT = Path(__file__).parents[2]  # where `import qa` finds this package
_END_S = 2.0
_COMPUTED_TOO_LONG = -int(getattr(signal, "SIGXCPU", 24))

Status = Literal["ok", "refused", "memory", "failed", "late", "died"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request; ``body`` is its result, or what is to be said."""

    status: Status
    body: bytes = b""


class Child:
    """One process at a time, which answers one request at a time; safe to use from threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, request: Mapping[str, object]) -> Reply:
        """Send a request and return its reply; ``late`` and ``died`` tell of the process."""
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            idle = self._process is not None
            reply = self._once(line)
            if idle and reply.status == "died" and reply.body == b"0":
                reply = self._once(line)  # it had ended for want of work
            return reply

    def close(self) -> None:
        """End the process; the next request would start another."""
        with self._lock:
            self._end()

    def _once(self, line: bytes) -> Reply:
        process = self._started()
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._limits.parse_seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            reply = _talk(process, line)
        except BaseException:
            self._end()  # interrupted: this reply must not be taken for the next one's
            raise
        finally:
            timer.cancel()
        if reply is not None:
            return reply
        code = self._end()
        if late.is_set() or code == _COMPUTED_TOO_LONG:
            return Reply("late")
        return Reply("died", str(code).encode())

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            where = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "qa.documents.worker"),
                    json.dumps(asdict(self._limits)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": where},
                start_new_session=True,  # Ctrl-C reaches us, and through us the child
            )
        return self._process

    def _end(self) -> int:
        """End the process and return how it ended: 0 by itself, below 0 by a signal."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with suppress(OSError):
            cast("IO[bytes]", process.stdin).close()
        try:
            code = process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        cast("IO[bytes]", process.stdout).close()
        return code


def _talk(process: subprocess.Popen[bytes], line: bytes) -> Reply | None:
    """Return the reply to a request; None when the process ended before it was whole."""
    if process.stdin is None or process.stdout is None:
        return None
    try:
        process.stdin.write(line)
        process.stdin.flush()
        head = json.loads(process.stdout.readline() or b"null")
        if head is None:
            return None
        body = process.stdout.read(head["size"])
    except (BrokenPipeError, ValueError):
        return None
    return Reply(head["status"], body) if len(body) == head["size"] else None
