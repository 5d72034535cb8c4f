"""Texts → unit vectors by a sentence-transformers model; it knows nothing of documents or stores.

Example: ``load_encoder("bundled", cache).encode(["Où est Bagdad ?"], query=True)``, (1, dim).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from qa.embed.loading import (
    BUNDLED,
    ENCODER,
    fingerprint,
    hub_folder,
    load_library_model,
    local_folder,
    torch_threads,
)
from qa.embed.quick import QuickEncoder
from qa.pace import Pace
from qa.weights import find_encoder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Progress = Callable[[str], None]

# Texts of one model call. Longer texts make smaller batches: 32 of 512 tokens would need 1 GB.
_BATCH_TEXTS = 32
_BATCH_CHARS = 24_000
# The model reads 512 tokens. No real text packs them into more characters than this, and tokenizing
# a line of 5 MB to throw it away costs seconds.
_MAX_CHARS = 20_000
# About that many are 512 tokens: a longer text costs no more.
_READ_CHARS = 4 * 512
# A question of 16 tokens takes 22-26 ms on one thread and 24 on two idle cores, but .1-.7 s on two
# busy ones, where each layer waits for the slower thread. 50 sentences: 680 ms on one, 430 on two.
_ONE_THREAD_CHARS = 400
# Up to that many characters together, the bundled model is run by NumPy as long as the library is
# not loaded: 500 tokens take .8 s of processor time, loading the library 5 to 9 (eval/LOG.md).
_QUICK_CHARS = 2000
_PROGRESS_TEXTS = 10 * _BATCH_TEXTS
# So many passages are encoded in bfloat16, where the processor multiplies it natively: 2.6 times as
# fast, at cosines of .99998 to float32 (eval/LOG.md). Fewer are not worth the trial before.
_HALVED_TEXTS = 64
_TRIED_TEXTS, _TRIED_CHARS = 8, 200
_SAME_COSINE = 0.999

# multilingual-e5's model card: every text begins with one of these, whatever the task.
_E5_QUERY, _E5_PASSAGE = "query: ", "passage: "
_E5_NAME = re.compile(r"(?:^|[^a-z0-9])e5(?:[^a-z0-9]|$)")
_PASSAGE_PROMPTS = ("document", "passage", "corpus")


class Encoder(Protocol):
    """Texts → vectors."""

    @property
    def id(self) -> str:
        """Tell apart encoders whose vectors must not be mixed in one index."""
        ...

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        ...

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> np.ndarray:
        """Return one row for each text.

        :param texts: sentences, passages or questions; none gives an array of no rows.
        :param query: the texts are questions, not passages.
        :param progress: is told how far it is, when there are many texts.
        :return: (len(texts), dim) float32, rows of length 1, in the order of the texts.
        """
        ...


class SentenceEncoder:
    """A SentenceTransformer, loaded on first use; safe to use from several threads.

    Texts longer than the model's limit (512 tokens for the default one) are represented by their
    beginning.
    """

    def __init__(
        self,
        name: str,
        folder: Path | None,
        threads: int | None = None,
        quick: QuickEncoder | None = None,
    ) -> None:
        """Name the model; nothing is loaded.

        :param name: shown and written into indexes; a hub name where ``folder`` is None.
        :param folder: the model's folder.
        :param threads: how many threads torch may use for more than a question; None: its default.
        :param quick: the same model, for short texts until the library is loaded.
        """
        self._name = name
        self._folder = folder
        self._threads = threads
        self._quick = quick
        self._model: SentenceTransformer | None = None
        self._id: str | None = None
        self._dim = 0
        self._asked: tuple[str, np.ndarray] | None = None  # the last question, and its row
        self._halves: bool | None = None  # whether bfloat16 gives the same vectors; None: not tried
        # Loading, and the tokenizer, which keeps padding and truncation as shared state.
        self._lock = threading.RLock()

    @property
    def id(self) -> str:
        """Return the name and 8 hex digits of a digest over the weights and the tokenizer."""
        with self._lock:
            if self._id is None:
                self._id = f"{self._name}+{fingerprint(self._files())[:8]}"
            return self._id

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        with self._lock:
            if self._quick is not None:
                return self._quick.dim
            self._loaded()
            return self._dim

    def encode(
        self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None
    ) -> np.ndarray:
        """Return one row for each text.

        :param texts: sentences, passages or questions; none gives an array of no rows.
        :param query: the texts are questions, not passages.
        :param progress: is told how far it is, when there are many texts.
        :return: (len(texts), dim) float32, rows of length 1, in the order of the texts.
        """
        if query and len(texts) == 1:
            return self._question(texts[0])
        return self._encoded(texts, query, progress)

    def _question(self, text: str) -> np.ndarray:
        """Encode a question; of the one before, which several steps need, the row is kept."""
        asked = self._asked
        if asked is None or asked[0] != text:
            self._asked = asked = text, self._encoded([text], query=True)
        return asked[1].copy()

    def _encoded(
        self, texts: Sequence[str], query: bool, progress: Progress | None = None
    ) -> np.ndarray:
        with self._lock:
            if self._quick is not None and sum(map(len, texts)) <= _QUICK_CHARS:
                prompt = self._prompt(query)
                return self._quick.encode([f"{prompt}{_encodable(text)}" for text in texts])
            model = self._loaded()
        rows = np.zeros((len(texts), self._dim), np.float32)
        done = told = read = 0
        chars, pace = sum(map(_work, texts)), Pace()
        half = not query and len(texts) >= _HALVED_TEXTS and self._may_halve(texts)
        for batch in _batches(texts):
            some = [texts[i] for i in batch]
            with self._lock, torch_threads(_threads_for(some, self._threads)):
                rows[batch] = _encode(model, some, self._prompt(query), half=half)
            done += len(batch)
            read += sum(map(_work, some))
            if progress and done - told >= _PROGRESS_TEXTS:
                told = done
                pace_told = pace.told(done, read / chars, "texts")
                progress(f"reading sentences: {done} of {len(texts)} texts, {pace_told}")
        return rows

    def _may_halve(self, texts: Sequence[str]) -> bool:
        """Return whether bfloat16 is quick here and gives this model's vectors; tried once."""
        with self._lock, torch_threads(self._threads):
            if self._halves is None:
                some = [text[:_TRIED_CHARS] for text in texts[:: len(texts) // _TRIED_TEXTS]]
                self._halves = _has_bfloat16() and _halves_well(
                    self._loaded(), some, self._prompt(query=False)
                )
            return self._halves

    def _prompt(self, query: bool) -> str:
        prompts: dict[str, str] = (self._quick or self._loaded()).prompts
        names = ("query",) if query else _PASSAGE_PROMPTS
        if given := next((prompts[name] for name in names if prompts.get(name)), ""):
            return given
        if _E5_NAME.search(self._name.lower()):
            return _E5_QUERY if query else _E5_PASSAGE
        return ""

    def _files(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = hub_folder(self._name, ENCODER)
            return self._folder

    def _loaded(self) -> SentenceTransformer:
        with self._lock:
            if self._model is None:
                self._model = load_library_model(self._files())
                self._quick = None
                # The first call also prepares torch's kernels: the first question is as fast.
                self._dim = int(_encode(self._model, ["a"], "").shape[1])
            return self._model


def load_encoder(
    name: str, cache: Path, threads: int | None = None, *, progress: Progress | None = None
) -> SentenceEncoder:
    """Return the encoder that a setting names; its model is loaded on first use.

    :param name: "bundled", a SentenceTransformer folder, or a hub name (the only one for which the
        network is used; without it, what is in the hub's cache).
    :param cache: where the bundled model is unpacked.
    :param threads: how many threads torch may use for more than a question; None: its default.
    :param progress: is told when the bundled model is unpacked, which takes seconds, once.
    :return: the encoder; its vectors are of length 1.
    :raises ModelUnavailable: the bundled model's package or the folder is missing.
    """
    if name == BUNDLED:
        folder = find_encoder(cache, progress)
        return SentenceEncoder(folder.name, folder, threads, QuickEncoder(folder))
    if (own := local_folder(name, ENCODER)) is not None:
        return SentenceEncoder(own.name, own, threads)
    return SentenceEncoder(name, None, threads)


def _threads_for(texts: list[str], threads: int | None) -> int | None:
    return 1 if sum(map(len, texts)) <= _ONE_THREAD_CHARS else threads


def _batches(texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield positions of texts of like length: little padding; longest first: peak memory first."""
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    at = 0
    while at < len(order):
        longest = min(max(len(texts[order[at]]), 1), _READ_CHARS)
        size = max(1, min(_BATCH_TEXTS, _BATCH_CHARS // longest))
        yield order[at : at + size]
        at += size


def _has_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively; torch asks it."""
    import torch

    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)


def _halves_well(model: SentenceTransformer, texts: list[str], prompt: str) -> bool:
    whole, half = (_encode(model, texts, prompt, half=one) for one in (False, True))
    return float(np.einsum("nd,nd->n", whole, half).min()) >= _SAME_COSINE


def _encode(
    model: SentenceTransformer, texts: list[str], prompt: str, *, half: bool = False
) -> np.ndarray:
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        found: Any = model.encode(
            [_encodable(text) for text in texts],
            prompt=prompt,
            batch_size=len(texts),
            show_progress_bar=False,
            normalize_embeddings=True,
            convert_to_numpy=True,
        )
    rows: np.ndarray = np.asarray(found, np.float32)
    if half:  # a sum of 16-bit numbers may be some thousandths off its length
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows


def _work(text: str) -> int:
    """Return what a text costs beside others: the longest come first, so texts are not alike."""
    return min(len(text), _READ_CHARS) + 1


def _encodable(text: str) -> str:
    """Cut what the model cannot read anyway, and replace unpaired surrogates."""
    return text[:_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
