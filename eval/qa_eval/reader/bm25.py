"""BM25 over the sentences of one document: what looks most like a question's answer.

Example: ``Bm25([stems(text) for text in texts]).best(stems(question))[0]``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

# The usual constants (Robertson and Zaragoza 2009).
_K1, _B = 1.2, 0.75


class Bm25:
    """Ranks the sentences of one document by a question's words."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        self._counts = [Counter(text) for text in texts]
        self._lengths = [len(text) for text in texts]
        self._mean = max(1.0, sum(self._lengths) / max(1, len(texts)))
        held = Counter(stem for count in self._counts for stem in count)
        size = len(texts)
        self._rarity = {s: math.log(1 + (size - n + 0.5) / (n + 0.5)) for s, n in held.items()}

    def best(self, question: Sequence[str]) -> list[int]:
        """Return all sentences, best first."""
        scores = [self._score(set(question), place) for place in range(len(self._counts))]
        return sorted(range(len(scores)), key=lambda place: (-scores[place], place))

    def _score(self, question: set[str], place: int) -> float:
        count, length = self._counts[place], self._lengths[place] / self._mean
        damping = _K1 * (1 - _B + _B * length)
        return sum(
            self._rarity[stem] * count[stem] * (_K1 + 1) / (count[stem] + damping)
            for stem in question
            if stem in count
        )
