"""Token counts for a server that offers no tokenizer, and what was measured about its speed.

It knows texts, counts and seconds; nothing of HTTP.

Example: ``counts.calibrate(messages, read=788)``, then ``counts.careful(text)``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from qa.types import Message

_log = logging.getLogger(__name__)

# Before a calibration: 2.5 Latin letters a token is below what current models need for French (3.4)
# or English (4.5), so the count is an over-estimate.
_CAREFUL_RATIO = 2.5
_RATIO_BOUNDS = (1.5, 6.0)
_RATIO_MARGIN = 0.95
# What a server that reads everything counts at least: .6 of the tokens at 4.5 letters each. The
# recorded servers counted 788 of 788 when all was well and 15 of 788 with a bare template.
_PLAUSIBLE_RATIO = 4.5
_READ_AT_LEAST = 0.6
_LEAST_CHECKED_TOKENS = 40
_TEMPLATE_TOKENS = 16  # a message's frame and the question «.», around a warmed prefix
_COLD_FROM = 0.8  # a prompt that took this much of its cold time was read whole
_CACHED_BELOW = 0.4  # and one that took less than this much of it was in the cache
_CALIBRATING_LETTERS = 200  # a shorter prompt is mostly template

_DIGIT = re.compile(r"\d")
_WIDE = re.compile("[^\x00-\u024f\u2000-\u206f\u20a0-\u20bf]+")
_REPEATED = re.compile(r"(.{1,4}?)\1{3,}", re.DOTALL)


class TokenCounts:
    """Estimates of token counts, calibrated by exact ones; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ratio: float | None = None
        self._prefixes: dict[tuple[Message, ...], int] = {}

    def careful(self, text: str) -> int:
        """Return an over-estimate of the tokens of ``text``.

        Latin letters by the calibrated ratio, digits one token each, other scripts half a token a
        byte.
        """
        ratio = self._ratio * _RATIO_MARGIN if self._ratio else _CAREFUL_RATIO
        letters, digits, wide_bytes = _weigh(text)
        return math.ceil(letters / ratio + digits + wide_bytes / 2)

    def careful_sum(self, messages: Sequence[Message]) -> int:
        """Return the over-estimate for all of ``messages``."""
        return sum(self.careful(message.content) for message in messages)

    def least(self, messages: Sequence[Message]) -> int:
        """Return the least that a server which reads all of ``messages`` can count.

        For a beginning that :meth:`calibrate` knows, its exact size; else from the text, in which
        runs of the same characters (one token each, at worst) are shortened first.
        """
        text = _REPEATED.sub(r"\1\1\1", "".join(message.content for message in messages))
        letters, digits, wide_bytes = _weigh(text)
        plausible = (
            letters / max(self._ratio or 0.0, _PLAUSIBLE_RATIO) + digits / 3 + wide_bytes / 6
        )
        least = int(_READ_AT_LEAST * plausible) if plausible >= _LEAST_CHECKED_TOKENS else 0
        with self._lock:
            known = [
                tokens - _TEMPLATE_TOKENS
                for prefix, tokens in self._prefixes.items()
                if tuple(messages[: len(prefix)]) == prefix
            ]
        return max(least, *known, 0)

    def calibrate(self, prefix: tuple[Message, ...], read: int) -> None:
        """Learn from ``prefix``, of which a server counted ``read`` tokens."""
        letters, digits, wide_bytes = _weigh("".join(message.content for message in prefix))
        rest = read - digits - wide_bytes / 2
        low, high = _RATIO_BOUNDS
        with self._lock:
            self._prefixes = {**self._prefixes, prefix: read} if prefix else self._prefixes
            if letters >= _CALIBRATING_LETTERS and rest > 0:
                self._ratio = min(high, max(low, letters / rest))


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


def unheard_of() -> tuple[Message, ...]:
    """Return a prompt of about 100 tokens that no server has in its cache."""
    words = [secrets.token_hex(3) for _ in range(8)]
    text = " ".join(
        f"The word {number} of this list is {word}." for number, word in enumerate(words)
    )
    return (Message("system", f"{words[0]}. {text}"), Message("user", "."))


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


def _weigh(text: str) -> tuple[int, int, int]:
    """Return the numbers of Latin letters (signs and spaces too), digits, and bytes of the rest."""
    digits = len(_DIGIT.findall(text))
    wide = _WIDE.findall(text)
    letters = len(text) - digits - sum(map(len, wide))
    return max(0, letters), digits, len("".join(wide).encode(errors="surrogatepass"))
