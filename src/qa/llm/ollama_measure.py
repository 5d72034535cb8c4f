"""Whether a server keeps prompts and how fast it reads: measured once, kept in a file.

It knows counts and seconds; nothing of HTTP.

Example: ``measure(s_per_token).keeps_prefixes``, where ``s_per_token`` lets the server read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from qa.types import Message

_log = logging.getLogger(__name__)

_COLD_FROM = 0.8  # a prompt that took this much of its cold time was read whole
_CACHED_BELOW = 0.4  # and one that took less than this much of it was in the cache


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one measurement found out about a server with a model."""

    keeps_prefixes: bool
    cold_s_per_token: float

    @classmethod
    def of(cls, first: float, other: float, again: float) -> Verdict:
        """Judge three readings, in seconds a token: a prompt, another one, and the first again.

        The faster of the two cold readings is the speed: the very first one may include the
        weights' way from the disk.
        """
        cold = min(first, other)
        return cls(again < _CACHED_BELOW * cold, cold)

    def computed_tokens(self, read: int, duration_s: float) -> int:
        """Estimate how many of the ``read`` tokens no cache served, from the time that it took."""
        if self.cold_s_per_token <= 0:
            return read
        computed = duration_s / self.cold_s_per_token
        return read if computed >= _COLD_FROM * read else max(1, round(computed))


def measure(s_per_token: Callable[[tuple[Message, ...]], float]) -> Verdict:
    """Read one prompt, another, and the first again, to see if it is still cached.

    Both are new to the server and short, so that this costs seconds: where the server has one
    slot and nothing beside it, any other prompt replaces it, however long they are.

    :param s_per_token: lets the server read messages and returns its seconds for each token.
    :return: the verdict.
    """
    first, other = _unheard_of(), _unheard_of()
    return Verdict.of(*(s_per_token(messages) for messages in (first, other, first)))


def verdict_file(folder: Path | None, *key: str) -> Path | None:
    """Return the file in ``folder`` that keeps the verdict on what ``key`` names."""
    if folder is None:
        return None
    digest = hashlib.sha256("\n".join(key).encode()).hexdigest()
    return folder / f"ollama-{digest[:16]}.json"


def recall(file: Path | None) -> Verdict | None:
    """Return the verdict kept in ``file``, or None, also when the file is damaged."""
    if file is None:
        return None
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Verdict(bool(kept["keeps_prefixes"]), float(kept["cold_s_per_token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("ignoring %s: %s", file, error)
        return None


def remember(file: Path | None, verdict: Verdict) -> None:
    """Keep ``verdict`` in ``file``; a folder that cannot be written only costs measuring again."""
    if file is None:
        return
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(verdict)), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        _log.warning("cannot keep what was measured in %s: %s", file, error)


def _unheard_of() -> tuple[Message, ...]:
    """Return a prompt of about 100 tokens that no server has in its cache."""
    words = [secrets.token_hex(3) for _ in range(8)]
    text = " ".join(
        f"The word {number} of this list is {word}." for number, word in enumerate(words)
    )
    return (Message("system", f"{words[0]}. {text}"), Message("user", "."))
