"""The embedded model: llama.cpp's server inside this process, behind a random key on loopback.

Each kind of prompt has its own slot (cache), so a probe never costs the document's prefix. A prompt is
sent as token ids: the chat template's own tokens are read as control tokens, every message as plain
text, so that a control token written in a document or a question is only characters. The server is
asked through HTTP, because closing the connection is what stops a generation.

It knows nothing of documents, sentences or citations.

Example: ``EmbeddedModel(Path("model.gguf"), context_tokens=4096, …).stream(prompt)``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx
import psutil

from qa.errors import ModelUnavailable, PromptTooLong
from qa.llm.prefixes import SavedPrefixes
from qa.types import Message, Prompt, Token, TokenLogprob, Usage

if TYPE_CHECKING:
    from qa.llm.base import Progress

log = logging.getLogger(__name__)

_SLOTS = {"document": 0, "write": 1, "probe": 2}
# Room for the probe's and the writer's prompts beside the document's, in the one shared KV cache.
_SMALL_PROMPT_TOKENS = 1024
_BATCH_TOKENS = 512
_CACHE_TYPE = "f16"
_IDENTITY_SAMPLES = 64
_IDENTITY_SAMPLE_BYTES = 65_536
_PROGRESS_STEP_TOKENS = 256


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """A chat template rendered for a sequence of roles: literal tokens around each message's text."""

    literals: tuple[tuple[int, ...], ...]


class EmbeddedModel:
    """A GGUF model run by llama.cpp in this process; implements ``ChatModel``."""

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
    ) -> None:
        """Remember how to load the model; nothing is loaded yet.

        :param gguf: the model's file.
        :param context_tokens: the window of one prompt, output included.
        :param threads: of computation; None takes the physical cores.
        :param seed: of the sampler, which is greedy.
        :param prefixes: the folder of saved prefixes; None saves nothing.
        :param prefix_cache_bytes: what the saved prefixes may take together.
        """
        self._gguf = gguf
        self._context_tokens = context_tokens
        self._threads = threads or psutil.cpu_count(logical=False) or 1
        self._seed = seed
        self._saved = SavedPrefixes.open(prefixes, prefix_cache_bytes) if prefixes else None
        self._lock = threading.RLock()
        self._document_lock = threading.Lock()
        self._held: tuple[int, ...] = ()  # the prompt that the document slot has read
        self._server: Any = None
        self._http: httpx.Client | None = None
        self._closed = False
        self._skeletons: dict[tuple[str, ...], _Skeleton | None] = {}
        self._tokens_of = lru_cache(maxsize=256)(self._tokenize_plain)

    @property
    def name(self) -> str:
        """Return what people are shown."""
        return f"embedded · {self._gguf.stem}"

    @property
    def identity(self) -> str:
        """Return what tells this model's weights from others'."""
        return f"embedded:{_fingerprint(self._gguf)}"

    @property
    def context_tokens(self) -> int:
        """Return the window of one prompt, output included."""
        return self._context_tokens

    def load(self) -> None:
        """Load the model now instead of at its first use.

        :raises ModelUnavailable: the package or the file is missing or unusable.
        """
        self._client()

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield tokens as they come; the last one carries ``usage`` and ``finish``."""
        tokens = self._render(prompt.messages)
        self._check_fits(len(tokens), prompt.max_tokens)
        request: dict[str, object] = {
            **self._request(tokens, _SLOTS[prompt.slot], prompt.max_tokens),
            "stop": list(prompt.stop),
        }
        if prompt.schema is not None:
            request["json_schema"] = prompt.schema
        if prompt.top_logprobs:
            request["n_probs"] = min(prompt.top_logprobs, 20)
        if prompt.slot == "document":
            self._held = ()
        for event in self._events(request):
            if prompt.slot == "document" and not self._held:
                self._held = tokens
            yield _token(event)

    def warm(self, prefix: tuple[Message, ...], progress: Progress | None = None) -> Usage:
        """Make ``prefix`` the beginning that the document slot holds: kept, restored or read."""
        tokens = self._prefix_tokens(prefix)
        self._check_fits(len(tokens), 1)
        with self._document_lock:
            if self._held[: len(tokens)] == tokens:
                return Usage(len(tokens), 0, 0)
            return self._fill_document_slot(tokens, progress)

    def prefill(self, prefix: tuple[Message, ...], progress: Progress | None = None) -> Usage:
        """Read and save ``prefix`` ahead of any question; the same as :meth:`warm`."""
        return self.warm(prefix, progress)

    def count_tokens(self, text: str) -> int:
        """Return the exact number of tokens of ``text`` read as plain text."""
        return len(self._tokens_of(text))

    def close(self) -> None:
        """Release the model; calling it twice is fine."""
        with self._lock:
            self._closed = True
            http, self._http = self._http, None
            server, self._server = self._server, None
            self._held = ()
        if http is not None:
            http.close()
        del server  # the last reference: its destructor ends the server's threads

    def __enter__(self) -> EmbeddedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Loading

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._closed:
                raise ModelUnavailable(f"model {self.name!r} was closed; open a new one")
            if self._http is None:
                key = secrets.token_urlsafe(32)
                self._server = _start(self._gguf, self._parameters(key))
                self._http = httpx.Client(
                    base_url=self._server.listening_address,
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=httpx.Timeout(5.0, read=None),  # reading a long prompt takes its time
                    trust_env=False,
                )
            return self._http

    def _parameters(self, key: str) -> Mapping[str, object]:
        parameters: dict[str, object] = {
            "n_parallel": len(_SLOTS),
            "n_ctx": self._context_tokens + (len(_SLOTS) - 1) * _SMALL_PROMPT_TOKENS,
            "n_batch": _BATCH_TOKENS,
            "n_ubatch": _BATCH_TOKENS,
            "threads": self._threads,
            "api_keys": [key],
        }
        if self._saved is not None:
            parameters["slot_save_path"] = f"{self._saved.folder}{os.sep}"
        return parameters

    # Rendering

    def _render(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """Return the prompt's tokens: control tokens from the template alone, where it allows that."""
        skeleton = self._skeleton(tuple(message.role for message in messages))
        if skeleton is None:
            return self._tokenize(self._apply_template(messages), special=True)
        tokens = list(skeleton.literals[0])
        for message, literal in zip(messages, skeleton.literals[1:], strict=True):
            tokens += self._tokens_of(message.content)
            tokens += literal
        return tuple(tokens)

    def _skeleton(self, roles: tuple[str, ...]) -> _Skeleton | None:
        if roles not in self._skeletons:
            self._skeletons[roles] = self._read_skeleton(roles)
        return self._skeletons[roles]

    def _read_skeleton(self, roles: tuple[str, ...]) -> _Skeleton | None:
        """Return the template's literals, or None if pieces do not add up to the whole rendering."""
        marks = [f"Zq{number}qZ" for number in range(len(roles))]
        rendered = self._apply_template(_messages(roles, marks))
        literals = _split_at(rendered, marks)
        if literals is None:
            return None
        skeleton = _Skeleton(
            tuple(self._tokenize(text, special=True) if text else () for text in literals)
        )
        whole = self._tokenize(rendered, special=True)
        pieces = [*skeleton.literals[0]]
        for mark, literal in zip(marks, skeleton.literals[1:], strict=True):
            pieces += [*self._tokenize(mark, special=False), *literal]
        return skeleton if tuple(pieces) == whole else None

    def _prefix_tokens(self, prefix: tuple[Message, ...]) -> tuple[int, ...]:
        """Return the tokens that every prompt beginning with ``prefix`` shares."""
        role: Literal["user", "assistant"] = (
            "assistant" if prefix and prefix[-1].role == "user" else "user"
        )
        one = self._render((*prefix, Message(role, "Ab")))
        two = self._render((*prefix, Message(role, "9.")))
        return one[: _shared(one, two)]

    def _apply_template(self, messages: tuple[Message, ...]) -> str:
        body = [{"role": message.role, "content": message.content} for message in messages]
        return str(self._post("/apply-template", {"messages": body})["prompt"])

    def _tokenize_plain(self, text: str) -> tuple[int, ...]:
        return self._tokenize(text, special=False)

    def _tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        request = {"content": text, "parse_special": special, "add_special": False}
        return tuple(self._post("/tokenize", request)["tokens"])

    # Requests

    def _request(self, tokens: tuple[int, ...], slot: int, max_tokens: int) -> dict[str, object]:
        return {
            "prompt": list(tokens),
            "id_slot": slot,
            "n_predict": max_tokens,
            "cache_prompt": True,
            "temperature": 0.0,
            "top_k": 1,
            "repeat_penalty": 1.0,
            "seed": self._seed,
            "stream": True,
        }

    def _events(self, request: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """Yield the server's events of one completion; closing this closes the connection."""
        ended = False
        try:
            with self._client().stream("POST", "/completion", json=request) as response:
                if response.status_code != httpx.codes.OK:
                    response.read()
                    raise _refusal(response, self._context_tokens)
                for line in response.iter_lines():
                    if line.startswith("data: {"):
                        event = json.loads(line[6:])
                        if "error" in event:
                            raise _refusal_of(event["error"], self._context_tokens)
                        ended = bool(event.get("stop"))
                        yield event
        except (httpx.HTTPError, RuntimeError) as error:
            raise ModelUnavailable(
                f"the embedded model stopped answering ({error!r}); ask again, or run `qa doctor`"
            ) from error
        if not ended:
            raise ModelUnavailable("the embedded model ended in mid-answer; ask again")

    def _post(self, path: str, request: Mapping[str, object]) -> dict[str, Any]:
        try:
            response = self._client().post(path, json=request)
        except httpx.HTTPError as error:
            raise ModelUnavailable(
                f"the embedded model does not answer on {path!r} ({error!r}); run `qa doctor`"
            ) from error
        if response.status_code != httpx.codes.OK:
            raise _refusal(response, self._context_tokens)
        answer: dict[str, Any] = response.json()
        return answer

    def _check_fits(self, prompt_tokens: int, max_tokens: int) -> None:
        if prompt_tokens + max_tokens > self._context_tokens:
            raise PromptTooLong(
                f"a prompt of {prompt_tokens} tokens and {max_tokens} of output do not fit the "
                f"window of {self._context_tokens}; shorten the question or raise `context_tokens`",
                prompt_tokens=prompt_tokens,
                context_tokens=self._context_tokens,
            )

    # The document slot

    def _fill_document_slot(self, tokens: tuple[int, ...], progress: Progress | None) -> Usage:
        """Restore or read ``tokens``; what the server says it restored is never believed.

        Some builds of llama.cpp restore nothing while saying so (llama.cpp issue 26676), so the read
        that follows is what counts: it computes one token when the slot was restored, else all.
        """
        key = self._prefix_key(tokens)
        self._client()
        found = self._saved is not None and self._saved.find(key) and self._restore(key)
        self._held = ()
        usage = self._read(tokens, progress)
        self._held = tokens
        if self._saved is not None and not (found and usage.computed_tokens < len(tokens) // 2):
            self._save(self._saved, key)
        return usage

    def _read(self, tokens: tuple[int, ...], progress: Progress | None) -> Usage:
        request = {**self._request(tokens, _SLOTS["document"], 0), "return_progress": True}
        usage = Usage()
        for event in self._events(request):
            if progress and "prompt_progress" in event:
                _report(event["prompt_progress"], progress)
            if event.get("stop"):
                usage = replace(_usage(event["timings"]), generated_tokens=0)
        return usage

    def _restore(self, key: str) -> bool:
        assert self._saved is not None
        try:
            path = f"/slots/{_SLOTS['document']}?action=restore"
            self._post(path, {"filename": self._saved.file_name(key)})
        except ModelUnavailable as error:
            log.warning("a saved prefix could not be restored and is read again: %s", error)
            return False
        return True

    def _save(self, saved: SavedPrefixes, key: str) -> None:
        def write(file_name: str) -> int:
            path = f"/slots/{_SLOTS['document']}?action=save"
            return int(self._post(path, {"filename": file_name})["n_written"])

        try:
            saved.save(key, write)
        except (ModelUnavailable, OSError) as error:
            log.warning(
                "the document's prefix could not be saved in %s (%s); it will be read again by the "
                "next process",
                saved.folder,
                error,
            )

    def _prefix_key(self, tokens: tuple[int, ...]) -> str:
        parts = (self.identity, metadata.version("xllamacpp"), _CACHE_TYPE, "unified")
        digest = hashlib.sha256("\0".join(parts).encode())
        digest.update(b"".join(token.to_bytes(4, "little") for token in tokens))
        return digest.hexdigest()[:32]


def _start(gguf: Path, options: Mapping[str, Any]) -> Any:
    """Start llama.cpp's server in this process and return it.

    :raises ModelUnavailable: the package or the file is missing or unusable.
    """
    try:
        import xllamacpp
    except ImportError as error:
        raise ModelUnavailable(
            f"the embedded model needs the package 'xllamacpp' ({error}); install it with "
            "`pip install 'qa-sentence-citations[embedded]'`"
        ) from error
    if not gguf.is_file():
        raise ModelUnavailable(f"no model file {str(gguf)!r}; run `qa doctor`")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(gguf)
    threads = options["threads"]
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    fixed = {
        "verbosity": -1,  # llama.cpp logs to stderr, which belongs to the command line
        "kv_unified": True,
        "cache_ram_mib": 0,
        "cache_idle_slots": False,  # else an idle slot's cache is dropped at the next request
        "fit_params": False,
        "ui": False,
        "endpoint_slots": True,
    }
    for option, value in {**fixed, **options}.items():
        if option != "threads":
            setattr(parameters, option, value)
    try:
        return xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise ModelUnavailable(
            f"llama.cpp could not load {str(gguf)!r} ({error}); run `qa doctor --verify`"
        ) from error


def _fingerprint(gguf: Path) -> str:
    """Return a digest of the file's size and of samples spread over it: quick, and enough to tell models apart."""
    try:
        size = gguf.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with gguf.open("rb") as file:
            for number in range(_IDENTITY_SAMPLES):
                file.seek(size * number // _IDENTITY_SAMPLES)
                digest.update(file.read(_IDENTITY_SAMPLE_BYTES))
    except OSError as error:
        raise ModelUnavailable(f"no model file {str(gguf)!r} ({error}); run `qa doctor`") from error
    return digest.hexdigest()[:16]


def _messages(roles: tuple[str, ...], contents: list[str]) -> tuple[Message, ...]:
    return tuple(
        Message(role, content)  # type: ignore[arg-type]
        for role, content in zip(roles, contents, strict=True)
    )


def _split_at(rendered: str, marks: list[str]) -> list[str] | None:
    """Return the text around the marks, or None unless each occurs exactly once and in order."""
    literals = []
    for mark in marks:
        if rendered.count(mark) != 1:
            return None
        before, rendered = rendered.split(mark)
        literals.append(before)
    return [*literals, rendered]


def _shared(one: tuple[int, ...], two: tuple[int, ...]) -> int:
    length = 0
    for left, right in zip(one, two, strict=False):
        if left != right:
            break
        length += 1
    return length


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


def _report(state: Mapping[str, Any], progress: Callable[[str], None]) -> None:
    if state["processed"] - state["cache"] > 0:
        progress(f"reading the document: {state['processed']} of {state['total']} tokens")


def _refusal(response: httpx.Response, context_tokens: int) -> ModelUnavailable | PromptTooLong:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError):
        error = {"message": response.text[:200]}
    return _refusal_of({"code": response.status_code, **error}, context_tokens)


def _refusal_of(error: Mapping[str, Any], context_tokens: int) -> ModelUnavailable | PromptTooLong:
    if error.get("type") == "exceed_context_size_error":
        tokens = int(error.get("n_prompt_tokens", 0))
        return PromptTooLong(
            f"a prompt of {tokens} tokens does not fit the window of {context_tokens}; shorten it",
            prompt_tokens=tokens,
            context_tokens=context_tokens,
        )
    return ModelUnavailable(
        f"the embedded model refused ({error.get('code')}: {error.get('message')!r}); run `qa doctor`"
    )
