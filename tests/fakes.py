"""Hand-written fakes with memory: a word-hashing encoder and a scripted chat model."""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qa.entail import Verdict
from qa.errors import PromptTooLong
from qa.types import Message, Prompt, Token, TokenLogprob, Usage

_DIM = 64


def _folded_words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return re.findall(r"\w+", bare)


def _word_vector(word: str) -> npt.NDArray[np.float64]:
    digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_DIM).digest()
    return np.frombuffer(digest, dtype=np.uint8).astype(np.float64) - 127.5


class HashEncoder:
    """An encoder whose vectors sum one pseudo-random vector a word: shared words, similar texts.

    ``batches`` keeps every batch of texts that was encoded, ``texts`` is all of them in order.
    """

    def __init__(self, encoder_id: str = "hash-64") -> None:
        self.id = encoder_id
        self.dim = _DIM
        self.batches: list[tuple[tuple[str, ...], bool]] = []

    @property
    def texts(self) -> list[str]:
        return [text for batch, _ in self.batches for text in batch]

    def encode(
        self,
        texts: Sequence[str],
        *,
        query: bool = False,
        progress: Callable[..., Any] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return (n, 64) float32 rows of length 1; the same text always gives the same row."""
        self.batches.append((tuple(texts), query))
        rows = np.zeros((len(texts), _DIM), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for word in _folded_words(text):
                row += _word_vector(word)
            if not row.any():
                row[0] = 1.0
            row /= np.linalg.norm(row)
        return rows.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the scripted model says: ``top`` comes with the first token, ``error`` after all."""

    text: str
    top: tuple[TokenLogprob, ...] = ()
    error: Exception | None = None


Script = str | Reply | Exception


class ScriptedModel:
    """A chat model that gives queued replies word by word; a word is a token.

    It remembers every prompt (``prompts``), every warmed prefix (``warmed``) and whose it was
    (``owners``), how many streams were closed before their end (``stopped``) and whether it was
    closed. Each slot keeps the words of its last prompt, so that ``computed_tokens`` is what a real
    prefix cache would leave to read. When the queue is empty ``default`` is called with the
    prompt; without one an AssertionError names it.

    Example: ``ScriptedModel(["2500 soldats.", Reply("Oui", top=(TokenLogprob("Oui", -0.1),))])``.
    """

    def __init__(
        self,
        replies: Iterable[Script] = (),
        *,
        default: Callable[[Prompt], Script] | None = None,
        name: str = "scripted",
        context_tokens: int = 4096,
        keeps_prefixes: bool = True,
        has_logprobs: bool = True,
        reads: bool = False,
    ) -> None:
        self.replies: deque[Script] = deque(replies)
        self.default = default
        self.name = name
        self.identity = f"{name}-1"
        self.label = ""
        self.context_tokens = context_tokens
        self.keeps_prefixes = keeps_prefixes
        self.has_logprobs = has_logprobs
        self.reads = reads
        self.prompts: list[Prompt] = []
        self.warmed: list[tuple[Message, ...]] = []
        self.owners: list[str] = []
        self.stopped = 0
        self.closed = False
        self._cached: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Be loaded already."""

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield the next reply's words; the last token carries the usage."""
        with self._lock:
            self.prompts.append(prompt)
            script = self._next(prompt)
        usage = self._read(prompt)
        if isinstance(script, Exception):
            raise script
        reply = Reply(script) if isinstance(script, str) else script
        words = re.findall(r"\s*\S+|\s+$", reply.text)
        kept = words[: prompt.max_tokens]
        finished = False
        try:
            for place, word in enumerate(kept):
                yield Token(word, reply.top if place == 0 and prompt.top_logprobs else ())
            if reply.error is not None:
                raise reply.error
            finished = True
            usage += Usage(generated_tokens=len(kept))
            yield Token("", usage=usage, finish="stop" if len(kept) == len(words) else "length")
        except GeneratorExit:
            self.stopped += not finished
            raise

    def has_prefix(self, prefix: tuple[Message, ...]) -> bool:
        """Tell whether ``prefix`` was warmed and, for one that keeps a single one, is the last."""
        last = self.warmed[-1:] == [prefix]
        return last or (self.keeps_prefixes and prefix in self.warmed)

    def warm(
        self,
        prefix: tuple[Message, ...],
        progress: Callable[[str], None] | None = None,
        *,
        owner: str = "",
    ) -> Usage:
        """Remember ``prefix`` as the document slot's cached words."""
        self.warmed.append(prefix)
        self.owners.append(owner)
        words = _words(prefix)
        computed = len(words) - _common(words, self._cached.get("document", []))
        self._cached["document"] = words
        return Usage(prompt_tokens=len(words), computed_tokens=computed)

    def count_tokens(self, text: str) -> int:
        """Return the number of words."""
        return len(text.split())

    def close(self) -> None:
        """Note that the model was closed."""
        self.closed = True

    def _next(self, prompt: Prompt) -> Script:
        if self.replies:
            return self.replies.popleft()
        if self.default is None:
            raise AssertionError(f"no reply is queued for {prompt!r}")
        return self.default(prompt)

    def _read(self, prompt: Prompt) -> Usage:
        words = _words(prompt.messages)
        if len(words) + prompt.max_tokens > self.context_tokens:
            raise PromptTooLong(
                f"{len(words)} tokens do not fit {self.context_tokens}",
                prompt_tokens=len(words),
                context_tokens=self.context_tokens,
            )
        cached = self._cached.get(prompt.slot, [])
        self._cached[prompt.slot] = words
        # A server always computes the last token, even of a prompt that it has read before.
        computed = max(1, len(words) - _common(words, cached))
        return Usage(prompt_tokens=len(words), computed_tokens=computed)


def _words(messages: Sequence[Message]) -> list[str]:
    return [
        word for message in messages for word in (f"<{message.role}>", *message.content.split())
    ]


def _common(first: list[str], second: list[str]) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length


class ScriptedEntailment:
    """Judges statements as it was told; others are neutral. Keeps the pairs that it was asked."""

    def __init__(self, **verdicts: Verdict) -> None:
        self.verdicts = verdicts
        self.pairs: list[tuple[str, str]] = []

    def judge(self, pairs: Sequence[tuple[str, str]]) -> tuple[Verdict, ...]:
        """Find the verdict whose name is the statement's first word."""
        self.pairs.extend(pairs)
        firsts = [statement.split()[0] for _, statement in pairs]
        return tuple(self.verdicts.get(first, Verdict(0.1, 0.1)) for first in firsts)


class ScriptedReranker:
    """Prefers short texts. Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def scores(self, question: str, texts: Sequence[str]) -> tuple[float, ...]:
        """Return a score for each text: the shorter, the higher."""
        self.asked.append((question, tuple(texts)))
        return tuple(-float(len(text)) for text in texts)
