"""Short texts → vectors by NumPy alone, from the bundled encoder's folder (docs/decisions/0011).

Importing sentence-transformers and loading the model takes seconds and 0.8 GB, which one question
does not need. This reads what :mod:`qa.weights.e5_folder` writes: a BERT encoder (Devlin et al.
2019, arXiv:1810.04805) in float32, mean pooling, rows of length 1. Of the vocabulary's 0.4 GB it
reads the rows of the text at hand.

Example: ``QuickEncoder(folder).encode(["query: Où est Bagdad ?"])``, (1, dim).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qa.errors import ModelUnavailable

_WORDS = "embeddings.word_embeddings.weight"


class QuickEncoder:
    """The bundled encoder without its library; the files are read at the first text.

    One text at a time, so its caller has a lock: the number of BLAS's threads is the process's.
    """

    def __init__(self, folder: Path) -> None:
        """Remember a folder that :func:`qa.weights.find_encoder` returned."""
        self._folder = folder

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return int(self._config["hidden_size"])

    @cached_property
    def prompts(self) -> dict[str, str]:
        """Return what texts begin with, by task."""
        found: dict[str, str] = self._read("config_sentence_transformers.json")["prompts"]
        return found

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return one row for each text, which is cut where the model's window ends.

        :param texts: with their prompts before them.
        :return: (len(texts), dim) float32, rows of length 1.
        """
        files = self._files
        rows = np.zeros((len(texts), self.dim), np.float32)
        # Two threads that wait for each other take five times the processor time of one, on 2
        # cores that others use (eval/LOG.md, the cold start).
        with files.blas.limit(limits=1, user_api="blas"):
            for place, text in enumerate(texts):
                rows[place] = self._row(files.tokenizer.encode(text).ids)
        return rows

    @cached_property
    def _config(self) -> dict[str, Any]:
        return self._read("config.json")

    @cached_property
    def _files(self) -> _Files:
        try:
            return self._opened()
        # What tokenizers and safetensors raise has no narrower class in common.
        except Exception as error:
            raise self._unreadable(error) from error

    def _opened(self) -> _Files:
        from safetensors import safe_open
        from threadpoolctl import ThreadpoolController
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.enable_truncation(self._config["max_position_embeddings"])
        weights: Any = safe_open(self._folder / "model.safetensors", framework="numpy")
        names = [name for name in weights.keys() if name != _WORDS]  # noqa: SIM118 (no mapping)
        tensors = {name: weights.get_tensor(name) for name in names}
        return _Files(tokenizer, tensors, weights.get_slice(_WORDS), ThreadpoolController())

    def _read(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self._folder / name).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from error
        return found

    def _unreadable(self, error: Exception) -> ModelUnavailable:
        return ModelUnavailable(
            f"cannot read the encoder in {str(self._folder)!r} ({error}): delete that folder, and "
            "it is unpacked anew"
        )

    def _row(self, ids: Sequence[int]) -> np.ndarray:
        x = np.stack([self._files.words[piece] for piece in ids])
        x += self._tensor("embeddings.position_embeddings")[: len(ids)]
        x += self._tensor("embeddings.token_type_embeddings")[0]
        x = self._norm(x, "embeddings.LayerNorm")
        for number in range(self._config["num_hidden_layers"]):
            x = self._layer(x, f"encoder.layer.{number}")
        mean = x.mean(0)
        unit: np.ndarray = mean / np.linalg.norm(mean)
        return unit

    def _layer(self, x: np.ndarray, layer: str) -> np.ndarray:
        mixed = self._linear(self._attention(x, layer), f"{layer}.attention.output.dense")
        x = self._norm(x + mixed, f"{layer}.attention.output.LayerNorm")
        inner = _gelu(self._linear(x, f"{layer}.intermediate.dense"))
        return self._norm(
            x + self._linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm"
        )

    def _attention(self, x: np.ndarray, layer: str) -> np.ndarray:
        heads = self._config["num_attention_heads"]
        query, key, value = (
            self._linear(x, f"{layer}.attention.self.{part}")
            .reshape(len(x), heads, -1)
            .transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[2]))
        chances = np.exp(scores - scores.max(2, keepdims=True))
        chances /= chances.sum(2, keepdims=True)
        mixed: np.ndarray = (chances @ value).transpose(1, 0, 2).reshape(len(x), -1)
        return mixed

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        found: np.ndarray = x @ self._tensor(name).T + self._tensor(name, "bias")
        return found

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(1, keepdims=True)
        x /= np.sqrt((x * x).mean(1, keepdims=True) + np.float32(self._config["layer_norm_eps"]))
        scaled: np.ndarray = x * self._tensor(name) + self._tensor(name, "bias")
        return scaled

    def _tensor(self, name: str, kind: str = "weight") -> np.ndarray:
        return self._files.tensors[f"{name}.{kind}"]


@dataclass(frozen=True, slots=True)
class _Files:
    """What was read: ``words`` gives a row of the vocabulary's vectors by its id."""

    tokenizer: Any
    tensors: dict[str, np.ndarray]
    words: Any
    blas: Any


def _gelu(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = x * np.float32(0.5) * (1 + _erf(x * np.float32(np.sqrt(0.5))))
    return found


def _erf(x: np.ndarray) -> np.ndarray:
    """Return the error function, which NumPy lacks, to 5e-7: 1.5e-7 the formula, the rest float32.

    Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 7.1.26.
    """
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = np.zeros_like(x)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = (series + np.float32(factor)) * t
    found: np.ndarray = np.sign(x) * (1 - series * np.exp(-size * size))
    return found
