"""A chat model served by Ollama, through its native ``/api/chat``; it knows nothing of documents.

Every request of one model carries the same launch attributes (another ``num_ctx`` would load the
model anew and lose the cached prefix), and what the server says it read is checked against what was
sent. Which server and which model: :mod:`qa.llm.ollama_server`, whose names are offered here too.

Example: ``OllamaModel("127.0.0.1:11434", "ministral-3:3b").warm(prefix)``, then ``stream(prompt)``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import threading
import time
import weakref
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from qa.errors import ModelUnavailable, PromptTooLong, QAError
from qa.llm.base import Progress
from qa.llm.ollama_counts import TokenCounts, Verdict, recall, remember, unheard_of, verdict_file
from qa.llm.ollama_server import (
    ModelInfo,
    ServerInfo,
    best_model,
    find_model,
    is_loopback,
    probe_server,
    server_url,
    suggest_pull,
)
from qa.types import Message, Prompt, Token, TokenLogprob, Usage

if TYPE_CHECKING:
    import httpx
    import ollama
    from ollama._types import Logprob

__all__ = [
    "ModelInfo",
    "OllamaModel",
    "ServerInfo",
    "best_model",
    "find_model",
    "probe_server",
    "server_url",
    "suggest_pull",
]

_log = logging.getLogger(__name__)

_MAX_TOP_LOGPROBS = 20  # more is a 400
_LOGPROBS_SINCE = (0, 12, 11)
_KEEPS_PREFIXES_SINCE = (0, 30)  # llama.cpp's server inside; believed only until it is measured
_CONNECT_TIMEOUT_S = 5.0
_MOST_LETTERS_A_TOKEN = 40  # a text with fewer tokens than this says has nothing to answer from
_PROBE_TIMEOUT_S = 5.0


class OllamaModel:
    """One installed model of an Ollama server; safe to use from several threads.

    ``usage.computed_tokens`` is an estimate: Ollama tells how long it read, not how much of the
    prompt its cache served, so the time is divided by the cold reading speed measured by
    :meth:`warm`. It is exact when the whole prompt was read, too high by some ten tokens when
    nearly all of it was cached, and the whole prompt as long as nothing was measured.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        context_tokens: int = 4096,
        keep_alive: str = "30m",
        timeout_s: float = 300.0,
        seed: int = 1,
        memory: Path | None = None,
        retry_wait_s: float = 1.0,
    ) -> None:
        """Look the model up on its server; nothing is loaded yet.

        :param context_tokens: the whole window (``num_ctx``); cut to what the model can.
        :param timeout_s: the longest wait for the next token, the first one (prompt reading)
            included.
        :param memory: a folder that keeps what was measured about a server; None measures each
            time.
        :param retry_wait_s: the pause before the one retry when the server's queue is full.
        :raises ModelUnavailable: no server there, no such model, or one that runs elsewhere.
        """
        self._url = server_url(url)
        self._server, self._info = _look_up(self._url, model)
        self._keep_alive, self._seed, self._timeout_s = keep_alive, seed, timeout_s
        self._retry_wait_s = retry_wait_s
        self._lock = threading.Lock()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._cancels = 0
        self._closed = False
        self._client = self._connect()
        shown = self._show()
        self.problems = _template_problems(self._info.name, shown)
        self._context_tokens = min(context_tokens, _context_length(shown) or context_tokens)
        self._think: bool | None = False
        version = self._server.version_tuple
        self._has_logprobs = not version or version >= _LOGPROBS_SINCE
        self._believed_kept = version >= _KEEPS_PREFIXES_SINCE
        # A source build's version says nothing, so what was measured is not kept for the next one.
        folder = memory if version else None
        key = (self._url, self._server.version, self._info.digest, str(self._context_tokens))
        self._verdict_file = verdict_file(folder, *key)
        self._verdict = recall(self._verdict_file)
        self._counts = TokenCounts()

    @property
    def name(self) -> str:
        """Return the name shown to people."""
        return f"ollama · {self._info.name}"

    @property
    def identity(self) -> str:
        """Return the model's digest: two models of one name are not mixed up."""
        return f"ollama:{self._info.digest or self._info.name}"

    @property
    def version(self) -> str:
        """Return the server's version."""
        return self._server.version

    @property
    def context_tokens(self) -> int:
        """Return the window, output included."""
        return self._context_tokens

    @property
    def keeps_prefixes(self) -> bool:
        """Tell whether another prompt in between leaves the document cached; see :meth:`warm`."""
        return self._verdict.keeps_prefixes if self._verdict else self._believed_kept

    @property
    def has_logprobs(self) -> bool:
        """Tell whether the server offers log-probabilities: its version says, then its answers."""
        return self._has_logprobs

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield tokens as they come; the last one carries ``usage`` and ``finish``.

        Closing the generator closes the connection, which stops the generation; :meth:`cancel` does
        so from another thread while the first token is still awaited. What a model thinks is never
        yielded.

        :raises PromptTooLong: the prompt did not fit, or was read cut.
        :raises ModelUnavailable: the server is not there, failed, died in mid-stream, or gives the
            model less than was sent.
        """
        self._refuse(prompt.messages)
        thoughts = _Thoughts()
        last: ollama.ChatResponse | None = None
        with contextlib.closing(self._chat(prompt)) as chunks:
            for chunk in chunks:
                yield from self._tokens(chunk, thoughts, wants_top=prompt.top_logprobs > 0)
                if chunk.done:
                    last = chunk
                    break
        if last is None:
            raise ModelUnavailable(
                f"{self.name} stopped in mid-answer: the stream ended without its last line; ask "
                f"again, "
                "and if it happens again look at the server's log"
            )
        if thoughts.seen and not thoughts.answered:
            raise ModelUnavailable(
                f"{self.name} wrote {last.eval_count or 0} tokens of thoughts and no answer: it "
                f"cannot be "
                "told not to think; choose an instruct model with ollama_model"
            )
        usage = self._verified_usage(prompt, last)
        yield Token(
            thoughts.rest(),
            usage=usage,
            finish="length" if last.done_reason == "length" else "stop",
        )

    def warm(self, prefix: tuple[Message, ...], progress: Progress | None = None) -> Usage:
        """Make ``prefix`` cached and calibrate the token counts with it.

        The first time for a server and model it also measures, with two short prompts of its own,
        whether another prompt in between loses the cache, and how fast a prompt is read.

        :return: ``prompt_tokens`` is the prefix with the shortest possible question after it (a
            dozen tokens more than the prefix); ``computed_tokens`` is estimated from the time.
        :raises PromptTooLong: the prefix does not fit the window.
        :raises ModelUnavailable: as for :meth:`stream`.
        """
        say = progress or (lambda _line: None)
        asked = prefix and prefix[-1].role == "user"
        messages = prefix if asked else (*prefix, Message("user", "."))
        self._refuse(messages)
        if self._verdict is None:
            say(f"{self.name}: measuring how the server keeps prompts")
            self._verdict = self._measure()
            remember(self._verdict_file, self._verdict)
        say(f"{self.name}: reading the document")
        usage = Usage()
        for token in self.stream(Prompt(messages, max_tokens=1, slot="document")):
            usage = token.usage or usage
        self._counts.calibrate(prefix, usage.prompt_tokens)
        return usage

    def count_tokens(self, text: str) -> int:
        """Return a careful over-estimate of the tokens of ``text``, closer after :meth:`warm`."""
        return self._counts.careful(text)

    def cancel(self) -> None:
        """Close the connections of all running calls, which raise ModelUnavailable; thread-safe."""
        with self._lock:
            self._cancels += 1
            running = list(self._sockets)
        for connection in running:
            with contextlib.suppress(OSError):  # already closed
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop running calls; the server keeps the model loaded for ``keep_alive``."""
        self._closed = True
        self.cancel()
        self._client.close()  # type: ignore[no-untyped-call]

    def _connect(self) -> ollama.Client:
        import httpx
        import ollama

        return ollama.Client(
            self._url,
            timeout=httpx.Timeout(self._timeout_s, connect=_CONNECT_TIMEOUT_S),
            trust_env=not is_loopback(self._url),
            # One call a connection, so that every call's connection is seen when opened.
            limits=httpx.Limits(max_keepalive_connections=0),
            event_hooks={"request": [self._watch]},
        )

    def _watch(self, request: httpx.Request) -> None:
        request.extensions["trace"] = self._note_connection

    def _note_connection(self, event: str, facts: Mapping[str, object]) -> None:
        """Remember an opened connection, for :meth:`cancel`."""
        if event == "connection.connect_tcp.complete":
            stream = facts["return_value"]
            connection = stream.get_extra_info("socket")  # type: ignore[attr-defined]
            if isinstance(connection, socket.socket):
                with self._lock:
                    self._sockets.add(connection)

    def _show(self) -> ollama.ShowResponse:
        with self._translated("show"):
            return self._client.show(self._info.name)

    def _request(self, prompt: Prompt) -> dict[str, object]:
        """Return the chat request's arguments; ``num_ctx`` and samplers are the same in each."""
        options: dict[str, object] = {
            "num_ctx": self._context_tokens,
            "num_predict": prompt.max_tokens,
            "seed": self._seed,
            "temperature": 0,
            "repeat_penalty": 1.0,
            "presence_penalty": 0,
        }
        if prompt.stop:
            options["stop"] = list(prompt.stop)
        request: dict[str, object] = {
            "model": self._info.name,
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "options": options,
            "keep_alive": self._keep_alive,
            "stream": True,
        }
        if self._think is not None:
            request["think"] = self._think
        if prompt.schema is not None:
            request["format"] = dict(prompt.schema)
        if prompt.top_logprobs > 0 and self._has_logprobs:
            request["logprobs"] = True
            request["top_logprobs"] = min(prompt.top_logprobs, _MAX_TOP_LOGPROBS)
        return request

    def _chat(self, prompt: Prompt) -> Generator[ollama.ChatResponse, None, None]:
        """Yield an answer's lines; one retry for a full queue, one for a refused ``think``."""
        waited = False
        while True:
            try:
                with self._translated("chat", prompt):
                    chat = cast("_StreamingChat", self._client.chat)
                    yield from chat(**self._request(prompt))
                return
            except _Retry as retry:
                refused: ollama.ResponseError = retry.error
                if refused.status_code == 400 and self._think is not None:
                    self._think = None
                elif refused.status_code == 503 and not waited:
                    waited = True
                    time.sleep(self._retry_wait_s)
                else:
                    raise self._failure(refused, prompt) from refused

    @contextlib.contextmanager
    def _translated(
        self, call: Literal["show", "chat"], prompt: Prompt | None = None
    ) -> Iterator[None]:
        """Turn what the client raises into our errors, or :class:`_Retry`."""
        import httpx
        import ollama

        if self._closed:
            raise ModelUnavailable(f"{self.name} was closed; open the model again")
        cancels = self._cancels
        try:
            yield
        except ollama.ResponseError as error:
            refused_think = error.status_code == 400 and "think" in str(error.error)
            if call == "chat" and (refused_think or error.status_code == 503):
                raise _Retry(error) from error
            raise self._failure(error, prompt) from error
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if self._cancels != cancels:
                raise ModelUnavailable(f"{self.name} was stopped; ask again") from error
            raise self._lost(error) from error
        except (ValueError, TypeError, AttributeError) as error:  # not a line of the protocol
            raise ModelUnavailable(
                f"the server at {self._url!r} sent a line that is not Ollama's "
                f"({str(error)[:80]}); "
                "ask again, and if it happens again update Ollama or look at its log"
            ) from error

    def _lost(self, error: Exception) -> ModelUnavailable:
        """Say what a broken connection means."""
        import httpx

        if isinstance(error, httpx.ReadTimeout):
            return ModelUnavailable(
                f"no token from {self.name} within {self._timeout_s:g} s; raise ollama_timeout_s, "
                f"or "
                "choose a smaller model with ollama_model"
            )
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
            return ModelUnavailable(_nobody_there(self._url))
        return ModelUnavailable(
            f"the connection to {self.name} broke in mid-answer ({error}); ask again, and if it "
            f"happens "
            "again look at the server's log"
        )

    def _failure(self, error: ollama.ResponseError, prompt: Prompt | None) -> QAError:
        """Say what an error answer, or an error line in mid-stream, means and what to do."""
        text = _error_text(error.error)
        overflow = _overflow(text)
        if overflow is not None:
            messages = prompt.messages if prompt else ()
            sent, window = overflow
            return self._too_long(
                sent or self._counts.careful_sum(messages), window or self._context_tokens
            )
        if error.status_code == 404:
            return ModelUnavailable(_missing_model(self._info.name))
        if error.status_code == 503:
            return ModelUnavailable(
                f"the queue of the Ollama server at {self._url!r} is full ({text}); ask again in "
                f"a moment, "
                "or raise OLLAMA_MAX_QUEUE"
            )
        if error.status_code == -1:
            return ModelUnavailable(
                f"{self.name} failed in mid-answer: {text!r}; ask again (the next call loads the "
                f"model "
                "anew), and if it happens again choose a smaller model: its memory may not suffice"
            )
        return ModelUnavailable(
            f"{self.name} answered {error.status_code}: {text!r}; look at the server's log, or "
            f"choose "
            "another model with ollama_model"
        )

    def _tokens(
        self, chunk: ollama.ChatResponse, thoughts: _Thoughts, *, wants_top: bool
    ) -> Iterator[Token]:
        """Yield a line's text with its first token's alternatives; further ones have no text."""
        if chunk.message.thinking:
            thoughts.seen = True
        written = chunk.message.content or ""
        if not written:
            return
        tops = [_alternatives(entry) for entry in chunk.logprobs or ()]
        if wants_top and not tops:
            self._has_logprobs = False
        text = thoughts.without(written)
        if text or not thoughts.inside:
            yield Token(text, top=tops[0] if tops else ())
            yield from (Token("", top=top) for top in tops[1:])

    def _verified_usage(self, prompt: Prompt, last: ollama.ChatResponse) -> Usage:
        """Return the call's counts, after checking that the server read what was sent."""
        read, written = last.prompt_eval_count or 0, last.eval_count or 0
        window, sent = self._context_tokens, self._counts.careful_sum(prompt.messages)
        least = self._counts.least(prompt.messages)
        if read >= window or (read < least and sent >= 0.8 * window):
            raise PromptTooLong(
                f"{self.name} cut the prompt: it read {read} tokens of about {max(sent, read)}, "
                f"its "
                f"window is {window}; send less, or raise context_tokens",
                prompt_tokens=max(sent, read),
                context_tokens=window,
            )
        if read < least:
            raise ModelUnavailable(
                f"{self.name} read {read} tokens of at least {least} that were sent: its template "
                f"drops messages; {_TEMPLATE_REMEDY.format(name=self._info.name)}"
            )
        seconds = (last.prompt_eval_duration or 0) / 1e9
        computed = self._verdict.computed_tokens(read, seconds) if self._verdict else read
        slid = read + written > window  # while it wrote, the window moved on from the beginning
        return Usage(read, computed, written, truncated=slid)

    def _refuse(self, messages: Sequence[Message]) -> None:
        """Refuse what can only fail, before the server reads for minutes."""
        if self.problems:
            raise ModelUnavailable(self.problems[0])
        letters = sum(len(message.content) for message in messages)
        hopeless = letters > _MOST_LETTERS_A_TOKEN * self._context_tokens
        if hopeless or self._counts.least(messages) >= self._context_tokens:
            raise self._too_long(self._counts.careful_sum(messages), self._context_tokens)

    def _too_long(self, sent: int, window: int) -> PromptTooLong:
        return PromptTooLong(
            f"the prompt has {sent} tokens and {self.name} takes {window}: send less, or raise "
            "context_tokens",
            prompt_tokens=sent,
            context_tokens=window,
        )

    def _measure(self) -> Verdict:
        """Read one prompt, another, and the first again, to see if it is still cached.

        Both are new to the server and short, so that this costs seconds: where the server has one
        slot and nothing beside it, any other prompt replaces it, however long they are.
        """
        first, other = unheard_of(), unheard_of()
        verdict = Verdict.of(*(self._s_per_token(prompt) for prompt in (first, other, first)))
        _log.info("%s: %s", self.name, verdict)
        return verdict

    def _s_per_token(self, messages: tuple[Message, ...]) -> float:
        """Return the seconds of reading a token of ``messages``, as the server reports them."""
        with contextlib.closing(self._chat(Prompt(messages, max_tokens=1))) as chunks:
            for chunk in chunks:
                if chunk.done:
                    return (chunk.prompt_eval_duration or 0) / 1e9 / (chunk.prompt_eval_count or 1)
        raise ModelUnavailable(f"{self.name} stopped while it was being measured; try again")


class _Retry(Exception):
    """An answer that may be tried again."""

    def __init__(self, error: ollama.ResponseError) -> None:
        super().__init__(str(error))
        self.error = error


class _Thoughts:
    """Keeps a model's thoughts out of its answer.

    Ollama hands them over in a field of their own; a model whose template it does not know writes
    ``<think>…</think>`` before the answer.
    """

    def __init__(self) -> None:
        self.seen = False
        self.answered = False
        self.inside = False
        self._held = ""  # what may be the beginning of <think> or </think>

    def without(self, text: str) -> str:
        """Return what of ``text`` belongs to the answer."""
        if self.answered:
            return text
        self._held += text
        if self.inside:
            before, end, after = self._held.partition("</think>")
            self._held = after if end else before
            self.inside = not end
        begun = self._held.lstrip()
        if not self.inside and begun.startswith("<think>"):
            self.inside = self.seen = True
        if self.inside or not begun or "<think>".startswith(begun):
            return ""
        self.answered = True
        return self.rest()

    def rest(self) -> str:
        """Return what was held back and is no thought after all."""
        held, self._held = self._held, ""
        return "" if self.inside else held


class _StreamingChat(Protocol):
    """``ollama.Client.chat`` with ``stream=True``: a generator, so that it can be closed."""

    def __call__(self, **request: object) -> Generator[ollama.ChatResponse, None, None]: ...


_TEMPLATE_REMEDY = (
    "`ollama pull` the model from the library, or create it again with a TEMPLATE line that "
    "ranges over "
    "the messages (`ollama show --modelfile {name}` shows the present one)"
)


def _look_up(url: str, name: str) -> tuple[ServerInfo, ModelInfo]:
    """Return the server at ``url`` and its model ``name``."""
    server = probe_server(url, _PROBE_TIMEOUT_S)
    if server is None:
        raise ModelUnavailable(_nobody_there(url))
    info = find_model(server, name)
    if info is None:
        raise ModelUnavailable(_missing_model(name))
    if info.remote:
        raise ModelUnavailable(
            f"{name!r} runs on somebody else's computer, and documents never leave this machine; "
            f"choose an installed model, for example with `{suggest_pull()}`"
        )
    return server, info


def _nobody_there(url: str) -> str:
    return f"no Ollama server answers at {url!r}: start it with `ollama serve`, or set ollama_url"


def _missing_model(name: str) -> str:
    return f"Ollama has no model {name!r}: run `ollama pull {name}`, or set ollama_model"


def _template_problems(name: str, shown: ollama.ShowResponse) -> tuple[str, ...]:
    """Say so when the model's template leaves the messages out, as `ollama create` once wrote them.

    ``template`` is what the server uses; the Modelfile's TEMPLATE line may show less (0.32 reads it
    from the GGUF). A RENDERER line means that no template is used at all.
    """
    template, modelfile = shown.template or "", shown.modelfile or ""
    rendered = re.search(r"^RENDERER\s+\S", modelfile, re.MULTILINE)
    if not template or rendered or re.search(r"\bmessages\b|\.System\b", template, re.IGNORECASE):
        return ()
    return (
        f"the template of the Ollama model {name!r} ({template.strip()!r}) drops the system "
        f"message, so "
        f"it would answer without the document: {_TEMPLATE_REMEDY.format(name=name)}",
    )


def _context_length(shown: ollama.ShowResponse) -> int | None:
    """Return the longest window that the model was trained for, if it is told."""
    lengths = [
        value
        for key, value in (shown.modelinfo or {}).items()
        if key.endswith(".context_length") and isinstance(value, int) and value > 0
    ]
    return lengths[0] if lengths else None


def _alternatives(entry: Logprob) -> tuple[TokenLogprob, ...]:
    """Return a position's candidates, best first; the token itself when no others were sent."""
    return tuple(
        TokenLogprob(candidate.token, candidate.logprob)
        for candidate in entry.top_logprobs or (entry,)
    )


def _error_text(error: object) -> str:
    """Return what an error says: a text, a JSON text inside it, or an object."""
    if isinstance(error, Mapping):
        return json.dumps(error)
    return str(error).strip()


def _overflow(text: str) -> tuple[int, int] | None:
    """Return the prompt's size and the window (0: not told) if ``text`` tells of an overflow."""
    if "exceeds the context length" in text:  # own runner, before 0.30
        return 0, 0
    if "exceed_context_size" not in text and "exceeds the available context size" not in text:
        return None
    sent, window = (
        re.search(rf'"{key}\\*":\s*(\d+)', text) for key in ("n_prompt_tokens", "n_ctx")
    )
    return int(sent[1]) if sent else 0, int(window[1]) if window else 0
