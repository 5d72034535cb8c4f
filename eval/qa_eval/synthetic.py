"""Synthetic documents, vectors and questions for measuring the store; nothing is encoded.

Words follow Zipf's law without its fifty commonest words, which no search uses; vectors lie around
some thousand centres in a space of 96 dimensions, with a part in common, like those of encoders.

Example: ``Synthetic().document(0).text``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qa.store import Vectors

DIM = 384
SENTENCES_A_DOCUMENT = 100
_LATENT = 96
_WORDS = 30_000


@dataclass(frozen=True, slots=True)
class Text:
    """A synthetic document and the vectors of its sentences, (n, dim) float32 of length 1."""

    id: str
    text: str
    vectors: Vectors


class Synthetic:
    """The same documents and questions for every store, drawn anew from their numbers."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        syllables = [a + b for a in "bcdfglmnprstv" for b in ("a", "e", "i", "o", "u", "ou", "an")]
        draw = random.Random(1)
        self.words = np.array(
            ["".join(draw.choices(syllables, k=draw.choice((2, 3, 4)))) for _ in range(_WORDS)]
        )
        weights = 1 / np.arange(50, _WORDS + 50)
        self.cumulated = np.cumsum(weights / weights.sum())
        self.plane = (
            rng.standard_normal((_LATENT, DIM)) / np.sqrt(np.arange(1, _LATENT + 1))[:, None]
        )
        common = rng.standard_normal(DIM)
        self.common = 4 * common / np.linalg.norm(common)
        self.centres = rng.standard_normal((3000, _LATENT))

    def document(self, number: int) -> Text:
        """Return a document of 100 sentences of 8 to 24 words."""
        rng = np.random.default_rng((2, number))
        lines = []
        for length in rng.integers(8, 25, SENTENCES_A_DOCUMENT):
            words = self.words[np.searchsorted(self.cumulated, rng.random(length))]
            lines.append(" ".join(words).capitalize() + ".")
        return Text(f"d{number:06}.txt", " ".join(lines), self._vectors(rng, len(lines)))

    def question(self, number: int) -> tuple[str, Vectors]:
        """Return five words, of which some are rare, and a vector near a document's sentence."""
        rng = np.random.default_rng((3, number))
        words = self.words[np.searchsorted(self.cumulated, rng.random(5))]
        near = self.document(number).vectors[number % SENTENCES_A_DOCUMENT]
        return " ".join(words), _unit(near + 0.7 * self._vectors(rng, 1)[0])

    def _vectors(self, rng: np.random.Generator, count: int) -> Vectors:
        latent = 0.7 * self.centres[rng.integers(0, len(self.centres), count)]
        latent = latent + 0.7 * rng.standard_normal((count, _LATENT))
        noise = 0.03 * rng.standard_normal((count, DIM))
        return _unit(latent @ self.plane / 6 + noise + self.common)


class Prepared:
    """An encoder that gives a vector made before."""

    id = "synthetic"
    dim = DIM

    def __init__(self) -> None:
        self.vector: Vectors = np.zeros(DIM, dtype=np.float32)

    def encode(self, texts: Sequence[str], **_: object) -> Vectors:
        """Return the vector for every text."""
        return np.repeat(self.vector[None], len(texts), axis=0)


def _unit(vectors: np.ndarray) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)
