"""The embedded model: a GGUF file run by llama.cpp in this process.

Each kind of prompt has its own slot (cache), so a probe never costs the document's prefix, and a
prefix that was read once is saved and restored by any later process. With the adapters that were
trained on these weights (:mod:`qa.llm.adapters`), prompts of the slot ``read`` are answered through
the reader, what follows a document through the voter, and all others without. It knows nothing of
documents, sentences or citations.

Example: ``EmbeddedModel(Path("model.gguf"), context_tokens=4096, …).stream(prompt)``.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import psutil

from qa.errors import ModelUnavailable, PromptTooLong
from qa.llm.adapters import Adapters
from qa.llm.base import Progress
from qa.llm.gguf import label, read_general
from qa.llm.llamacpp import LlamaServer, ServerOptions
from qa.llm.prefixes import SavedPrefixes
from qa.llm.rendering import Renderer, Tokens
from qa.types import Message, Prompt, Token, TokenLogprob, Usage

log = logging.getLogger(__name__)

# One slot for probes (a model that reads is not probed): a probe's prompt fills the processor by
# itself (tokens read per second do not grow beyond 64 at a time, eval/LOG.md), so several at once
# would end no sooner.
_SLOTS = {"document": 0, "write": 1, "probe": 2, "read": 2}
# The slots whose prompts are answered through an adapter: the reader's and the voter's.
_ADAPTED = ("read", "document")
# Tokens that are computed where a prefix was restored: its last one, or those that call the voter.
_RECOMPUTED = 4
# Fewer messages than this (rules, question) hold no examples worth saving.
_FEWEST_WITH_EXAMPLES = 4
# Room for the probe's and the writer's prompts beside the document's, in the one shared cache.
_SMALL_PROMPT_TOKENS = 1024
# As fast as larger batches (eval/LOG.md); progress is told, and a stop heeded, once a batch.
_BATCH_TOKENS = 128
_MOST_LOGPROBS = 20
_CACHE_LAYOUT = "f16 unified"
_FINGERPRINT_SAMPLES = 64
_FINGERPRINT_SAMPLE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Loaded:
    server: LlamaServer
    renderer: Renderer


class EmbeddedModel:
    """A model in this process; implements ``ChatModel``. Loads at its first use."""

    keeps_prefixes = True
    has_logprobs = True

    def __init__(
        self,
        gguf: Path,
        *,
        context_tokens: int,
        threads: int | None,
        seed: int,
        prefixes: Path | None,
        prefix_cache_bytes: int,
        adapters: Adapters | None = None,
    ) -> None:
        """Remember how to load the model; nothing is loaded yet.

        :param gguf: the model's file.
        :param context_tokens: the window of one prompt, output included.
        :param threads: that compute; None takes the physical cores.
        :param seed: of the sampler, which is greedy.
        :param prefixes: the folder of saved prefixes; None saves none.
        :param prefix_cache_bytes: what the saved prefixes may take together.
        :param adapters: those trained on these weights.
        """
        self._gguf = gguf
        self._adapters = adapters
        self._context_tokens = context_tokens
        self._threads = threads or psutil.cpu_count(logical=False) or 1
        self._seed = seed
        self._saved = SavedPrefixes.open(prefixes, prefix_cache_bytes) if prefixes else None
        self._loading = threading.RLock()
        self._warming = threading.Lock()
        self._loaded: _Loaded | None = None
        self._closed = False
        self._held: dict[str, Tokens] = {}  # what each slot is known to have read

    @property
    def name(self) -> str:
        """Return what people are shown."""
        return f"embedded · {self._gguf.stem}"

    @cached_property
    def identity(self) -> str:
        """Return what tells this model's weights, its adapters' included, from others'."""
        adapters = (f"+{_fingerprint(path)}" for path in self._adapter_files)
        return f"embedded:{_fingerprint(self._gguf)}{''.join(adapters)}"

    @property
    def _adapter_files(self) -> tuple[Path, ...]:
        """Return the adapters' files, in the order of the slots in ``_ADAPTED``."""
        adapters = self._adapters
        return (adapters.reader, adapters.voter) if adapters is not None else ()

    @property
    def label(self) -> str:
        """Return what the weights call themselves."""
        return label(read_general(self._gguf))

    @property
    def reads(self) -> bool:
        """Tell whether there are adapters."""
        return self._adapters is not None

    @property
    def context_tokens(self) -> int:
        """Return the window of one prompt, output included."""
        return self._context_tokens

    @property
    def address(self) -> str:
        """Return the server's URL on this machine; every request there needs its key."""
        return self._load().server.address

    def load(self) -> None:
        """Load the model now instead of at its first use.

        :raises ModelUnavailable: the package or the file is missing or unusable.
        """
        self._load()

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield tokens as they come; the last one carries ``usage`` and ``finish``."""
        loaded = self._load()
        tokens = loaded.renderer.render(prompt.messages)
        if prompt.begun:
            tokens = (*tokens, *loaded.renderer.tokens_of(prompt.begun))
        self._check_fits(len(tokens), prompt.max_tokens)
        request = self._request(tokens, prompt.slot, prompt.max_tokens)
        request["stop"] = list(prompt.stop)
        if prompt.schema is not None:
            request["json_schema"] = prompt.schema
        if prompt.grammar:
            request["grammar"] = prompt.grammar
        if prompt.top_logprobs > 0:
            request["n_probs"] = min(prompt.top_logprobs, _MOST_LOGPROBS)
        before = self._ready(prompt)
        self._held.pop(prompt.slot, None)
        with closing(loaded.server.events(request)) as events:
            for event in events:
                # An event means that the prompt was read to its end.
                self._held[prompt.slot] = tokens
                token = _token(event)
                if token.usage is not None:
                    token = replace(token, usage=token.usage + before)
                yield token

    def has_prefix(self, prefix: tuple[Message, ...]) -> bool:
        """Tell whether the document slot begins with ``prefix``, or it is saved for this model."""
        tokens = self._load().renderer.shared(prefix)
        if self._holds("document", tokens):
            return True
        return self._saved is not None and self._saved.find(self._prefix_key(tokens))

    def warm(
        self,
        prefix: tuple[Message, ...],
        progress: Progress | None = None,
        *,
        owner: str = "",
    ) -> Usage:
        """Make ``prefix`` what the document slot begins with: kept, restored, or read and saved."""
        tokens = self._load().renderer.shared(prefix)
        self._check_fits(len(tokens), 1)
        with self._warming:
            if self._holds("document", tokens):
                return Usage(prompt_tokens=len(tokens))
            return self._fill("document", tokens, progress, owner)

    def count_tokens(self, text: str) -> int:
        """Return the exact number of tokens of ``text``, read as plain text."""
        return len(self._load().renderer.tokens_of(text))

    def close(self) -> None:
        """Stop what runs and release the model; calling it twice is fine."""
        with self._loading:
            self._closed = True
            loaded, self._loaded = self._loaded, None
            self._held = {}
        if loaded is not None:
            loaded.server.close()

    def _load(self) -> _Loaded:
        with self._loading:
            if self._closed:
                raise ModelUnavailable(f"the model {self.name!r} was closed; open it again")
            if self._loaded is None:
                slots = max(_SLOTS.values()) + 1
                room = (slots - 1) * _SMALL_PROMPT_TOKENS
                options = ServerOptions(
                    slots=slots,
                    cache_tokens=self._context_tokens + room,
                    batch_tokens=_BATCH_TOKENS,
                    threads=self._threads,
                    saved_caches=self._saved.folder if self._saved else None,
                    adapters=self._adapter_files,
                )
                server = LlamaServer(self._gguf, options)
                self._loaded = _Loaded(server, Renderer(server.post))
            return self._loaded

    def _request(self, tokens: Tokens, slot: str, max_tokens: int) -> dict[str, object]:
        return {
            "prompt": tokens,
            "id_slot": _SLOTS[slot],
            "lora": [
                {"id": number, "scale": float(slot == _ADAPTED[number])}
                for number in range(len(self._adapter_files))
            ],
            "n_predict": max_tokens,
            "cache_prompt": True,
            "temperature": 0.0,
            "top_k": 1,
            "repeat_penalty": 1.0,
            "seed": self._seed,
        }

    def _check_fits(self, prompt_tokens: int, max_tokens: int) -> None:
        if prompt_tokens + max_tokens > self._context_tokens:
            raise PromptTooLong(
                f"a prompt of {prompt_tokens} tokens and {max_tokens} of output do not fit the "
                f"window of {self._context_tokens}; shorten it, or raise context_tokens",
                prompt_tokens=prompt_tokens,
                context_tokens=self._context_tokens,
            )

    def _holds(self, slot: str, tokens: Tokens) -> bool:
        return self._held.get(slot, ())[: len(tokens)] == tokens

    def _ready(self, prompt: Prompt) -> Usage:
        """Make the slot begin with the prompt's rules and examples; they are read once, ever, too.

        :return: what had to be computed for that now.
        """
        few = len(prompt.messages) < _FEWEST_WITH_EXAMPLES and prompt.slot != "read"
        if prompt.slot == "document" or few:
            return Usage()
        tokens = self._load().renderer.shared(prompt.messages[:-1])
        with self._warming:
            if self._holds(prompt.slot, tokens):
                return Usage()
            return replace(self._fill(prompt.slot, tokens, None), prompt_tokens=0)

    def _fill(self, slot: str, tokens: Tokens, progress: Progress | None, owner: str = "") -> Usage:
        """Restore or read ``tokens``; what the server says it restored is never believed.

        Some builds of llama.cpp restore nothing while saying so (llama.cpp issue 26676). The
        reading that follows tells: it computes a few tokens when the slot was restored, else all.
        """
        key = self._prefix_key(tokens, slot)
        restored = self._saved is not None and self._saved.find(key) and self._restore(slot, key)
        self._held.pop(slot, None)
        usage = self._read(slot, tokens, progress)
        self._held[slot] = tokens
        if self._saved is not None and not (restored and usage.computed_tokens <= _RECOMPUTED):
            self._save(self._saved, slot, key, owner)
        return usage

    def _read(self, slot: str, tokens: Tokens, progress: Progress | None) -> Usage:
        request = self._request(tokens, slot, 0)
        usage = Usage()
        for event in self._load().server.events({**request, "return_progress": True}):
            state = event.get("prompt_progress")
            if progress and state and state["processed"] - state["cache"] > _RECOMPUTED:
                progress(f"reading the document: {state['processed']} of {state['total']} tokens")
            if event.get("stop"):
                usage = replace(_usage(event["timings"]), generated_tokens=0)
        return usage

    def _restore(self, slot: str, key: str) -> bool:
        file_name = SavedPrefixes.file_name(key)
        path = f"/slots/{_SLOTS[slot]}?action=restore"
        try:
            self._load().server.post(path, {"filename": file_name})
        except ModelUnavailable as error:
            log.warning("the saved prefix %s cannot be restored (%s): read anew", file_name, error)
            return False
        return True

    def _save(self, saved: SavedPrefixes, slot: str, key: str, owner: str) -> None:
        def write(file_name: str) -> int:
            path = f"/slots/{_SLOTS[slot]}?action=save"
            return int(self._load().server.post(path, {"filename": file_name})["n_written"])

        try:
            saved.save(key, write, owner)
        except (ModelUnavailable, OSError) as error:
            log.warning(
                "what the model has read could not be saved in %s (%s): the next process "
                "reads it again; free some space there or make it writable",
                saved.folder,
                error,
            )

    def _prefix_key(self, tokens: Tokens, slot: str = "document") -> str:
        """Return a name for everything that a saved prefix's bytes depend on."""
        base, *adapters = self.identity.split("+")
        through = (adapters[_ADAPTED.index(slot)],) if adapters and slot in _ADAPTED else ()
        parts = (base, *through, metadata.version("xllamacpp"), _CACHE_LAYOUT)
        digest = hashlib.sha256("\0".join(parts).encode())
        digest.update(b"".join(token.to_bytes(4, "little") for token in tokens))
        return digest.hexdigest()[:32]


def _fingerprint(gguf: Path) -> str:
    """Return a digest of the file's size and of samples from all over it: quick, and telling."""
    try:
        size = gguf.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with gguf.open("rb") as file:
            for number in range(_FINGERPRINT_SAMPLES):
                file.seek(size * number // _FINGERPRINT_SAMPLES)
                digest.update(file.read(_FINGERPRINT_SAMPLE_BYTES))
    except OSError as error:
        raise ModelUnavailable(
            f"cannot read the model file {str(gguf)!r} ({error}); run `qa doctor`"
        ) from error
    return digest.hexdigest()[:16]


def _token(event: Mapping[str, Any]) -> Token:
    top = tuple(
        TokenLogprob(entry["token"], float(entry["logprob"]))
        for position in event.get("completion_probabilities", ())[:1]
        for entry in position["top_logprobs"]
    )
    if not event.get("stop"):
        return Token(str(event["content"]), top)
    finish: Literal["stop", "length"] = "length" if event["stop_type"] == "limit" else "stop"
    return Token(str(event["content"]), (), _usage(event["timings"]), finish)


def _usage(timings: Mapping[str, Any]) -> Usage:
    cached, computed = int(timings["cache_n"]), int(timings["prompt_n"])
    return Usage(cached + computed, computed, int(timings["predicted_n"]))
