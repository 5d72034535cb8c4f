"""Token counts for a server that offers no tokenizer; it knows texts and counts, nothing of HTTP.

Example: ``counts.calibrate(messages, read=788)``, then ``counts.careful(text)``.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence

from qa.types import Message

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


def _weigh(text: str) -> tuple[int, int, int]:
    """Return the numbers of Latin letters (signs and spaces too), digits, and bytes of the rest."""
    digits = len(_DIGIT.findall(text))
    wide = _WIDE.findall(text)
    letters = len(text) - digits - sum(map(len, wide))
    return max(0, letters), digits, len("".join(wide).encode(errors="surrogatepass"))
