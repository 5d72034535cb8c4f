"""A chat model served by Ollama, through its native ``/api/chat``; it knows nothing of documents.

Every request of one model carries the same launch attributes (another ``num_ctx`` would load the
model anew and lose the cached prefix), and what the server says it read is checked against what was
sent. Which server: :mod:`qa.llm.ollama_server`; which model: :mod:`qa.llm.ollama_models`.

Example: ``OllamaModel("127.0.0.1:11434", "ministral-3:3b").warm(prefix)``, then ``stream(prompt)``.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import ModelUnavailable
from qa.llm import ollama_errors
from qa.llm.base import Progress
from qa.llm.gguf import label
from qa.llm.ollama_client import ChatClient, Overflow
from qa.llm.ollama_measure import measure, recall, remember, verdict_file
from qa.llm.ollama_models import named_model
from qa.llm.ollama_protocol import Launch, context_length, keep_alive_s, tokens
from qa.llm.ollama_server import server_url
from qa.llm.ollama_window import Window
from qa.llm.thoughts import Thoughts
from qa.types import Message, Prompt, Token, Usage

if TYPE_CHECKING:
    import ollama

_log = logging.getLogger(__name__)

_LOGPROBS_SINCE = (0, 12, 11)
_KEEPS_PREFIXES_SINCE = (0, 30)  # llama.cpp's server inside; believed only until it is measured
# So long after a call a prefix is believed to be there: at most, and of the time that a model stays
# loaded.
_BELIEVED_S = 1500.0
_BELIEVED_SHARE = 5 / 6


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

        :param url: the server's address, as in ``OLLAMA_HOST``.
        :param model: the name of an installed model.
        :param context_tokens: the whole window (``num_ctx``); cut to what the model can.
        :param keep_alive: how long the server keeps the model loaded after a call.
        :param timeout_s: the longest wait for the next token, prompt reading included.
        :param seed: the sampler's seed.
        :param memory: a folder that keeps what was measured about a server (None: nothing is kept).
        :param retry_wait_s: the pause before the one retry when the server's queue is full.
        :raises ModelUnavailable: no server there, or no such model that can be used.
        """
        address = server_url(url)
        server, self._info = named_model(address, model)
        self._client = ChatClient(
            address, self._info.name, timeout_s=timeout_s, retry_wait_s=retry_wait_s
        )
        shown = self._client.show()
        self.problems = ollama_errors.template_problems(self._info.name, shown)
        self._label = label(dict(shown.modelinfo or {}))
        window = min(context_tokens, context_length(shown) or context_tokens)
        self._launch = Launch(window, seed, keep_alive)
        self._window = Window(self._info.name, window)
        version = server.version_tuple
        self._has_logprobs = not version or version >= _LOGPROBS_SINCE
        self._believed_kept = version >= _KEEPS_PREFIXES_SINCE
        # A source build's version says nothing, so what was measured is not kept for the next one.
        folder = memory if version else None
        key = (address, server.version, self._info.digest, str(window))
        self._verdict_file = verdict_file(folder, *key)
        self._verdict = recall(self._verdict_file)
        kept_s = keep_alive_s(keep_alive)
        self._believed_s = _BELIEVED_S if kept_s < 0 else min(_BELIEVED_S, _BELIEVED_SHARE * kept_s)
        self._warmed: dict[tuple[Message, ...], tuple[float, Usage]] = {}
        self._warmed_lock = threading.Lock()

    @property
    def name(self) -> str:
        """Return the name shown to people."""
        return f"ollama · {self._info.name}"

    @property
    def identity(self) -> str:
        """Return the model's digest: two models of one name are not mixed up."""
        return f"ollama:{self._info.digest or self._info.name}"

    @property
    def label(self) -> str:
        """Return what the weights call themselves, from the server's copy of their metadata."""
        return self._label

    @property
    def context_tokens(self) -> int:
        """Return the window, output included."""
        return self._window.tokens

    @property
    def keeps_prefixes(self) -> bool:
        """Tell whether another prompt in between leaves the document cached; see :meth:`warm`."""
        return self._verdict.keeps_prefixes if self._verdict else self._believed_kept

    @property
    def reads(self) -> bool:
        """Return False: a server's models come as they are."""
        return False

    @property
    def has_logprobs(self) -> bool:
        """Tell whether the server offers log-probabilities: its version says, then its answers."""
        return self._has_logprobs

    def load(self) -> None:
        """Do nothing: the server loads the model at the first call and keeps it."""

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield tokens as they come; the last one carries ``usage`` and ``finish``.

        Closing the generator closes the connection, which stops the generation; :meth:`cancel` does
        so from another thread while the first token is still awaited. Thoughts are never yielded.

        :param prompt: what to ask.
        :yield: the answer's tokens.
        :raises PromptTooLong: the prompt did not fit, or was read cut.
        :raises ModelUnavailable: the server is not there, failed, died in mid-stream, or gives the
            model less than was sent.
        """
        self._refuse(prompt.messages)
        thoughts = Thoughts()
        last: ollama.ChatResponse | None = None
        has_text = has_logprobs = False
        with contextlib.closing(self._chat(prompt)) as lines:
            for line in lines:
                has_text = has_text or bool(line.message.content)
                has_logprobs = has_logprobs or bool(line.logprobs)
                yield from tokens(line, thoughts)
                if line.done:
                    last = line
                    break
        if last is None:
            raise ModelUnavailable(
                f"{self.name} stopped in mid-answer: the stream ended without its last line; ask "
                "again, and if it happens again look at the server's log"
            )
        # One line may have none: text that was held back until the end.
        if prompt.top_logprobs > 0 and has_text and not has_logprobs:
            self._has_logprobs = False
        rest = thoughts.rest()
        if thoughts.seen and not thoughts.answered and not rest.strip():
            raise ModelUnavailable(
                f"{self.name} wrote {last.eval_count or 0} tokens of thoughts and no answer: it "
                "cannot be told not to think; choose an instruct model with ollama_model"
            )
        usage = self._verified_usage(prompt, last)
        yield Token(rest, usage=usage, finish="length" if last.done_reason == "length" else "stop")

    def has_prefix(self, prefix: tuple[Message, ...]) -> bool:
        """Tell whether this object warmed ``prefix`` and the server should still have it cached.

        A server that keeps one prompt only has the last one warmed; any server forgets when it
        unloads the model, so a prefix counts for a while after its last use, shorter than
        ``keep_alive``.
        """
        with self._warmed_lock:
            return self._still_cached(prefix) is not None

    def _still_cached(self, prefix: tuple[Message, ...]) -> Usage | None:
        """Return what reading ``prefix`` cost, if the server should still have it."""
        if prefix not in self._warmed:
            return None
        used, read = self._warmed[prefix]
        is_last = next(reversed(self._warmed)) == prefix
        fresh = time.monotonic() - used < self._believed_s
        return read if fresh and (is_last or self.keeps_prefixes) else None

    def _note_use(self, prefix: tuple[Message, ...], read: Usage) -> None:
        """Put ``prefix`` last, used now."""
        self._warmed.pop(prefix, None)
        self._warmed[prefix] = (time.monotonic(), read)

    def warm(
        self,
        prefix: tuple[Message, ...],
        progress: Progress | None = None,
        *,
        owner: str = "",
    ) -> Usage:
        """Make ``prefix`` cached and calibrate the token counts with it; nothing if it is held.

        The first time for a server and model it also measures, with two short prompts of its own,
        whether another prompt in between loses the cache, and how fast a prompt is read.

        :param prefix: the messages that later prompts begin with.
        :param progress: is told what takes long.
        :param owner: plays no part.
        :return: ``prompt_tokens`` is the prefix with the shortest possible question after it (a
            dozen tokens more than the prefix); ``computed_tokens`` is estimated from the time.
        :raises PromptTooLong: the prefix does not fit the window.
        :raises ModelUnavailable: as for :meth:`stream`.
        """
        with self._warmed_lock:
            read = self._still_cached(prefix)
            if read is not None:
                self._note_use(prefix, read)
                return Usage(prompt_tokens=read.prompt_tokens)
        say = progress or (lambda _line: None)
        asked = prefix and prefix[-1].role == "user"
        messages = prefix if asked else (*prefix, Message("user", "."))
        self._refuse(messages)
        if self._verdict is None:
            say(f"{self.name}: measuring how the server keeps prompts")
            self._verdict = measure(self._s_per_token)
            _log.info("%s: %s", self.name, self._verdict)
            remember(self._verdict_file, self._verdict)
        say(f"{self.name}: reading the document")
        usage = Usage()
        for token in self.stream(Prompt(messages, max_tokens=1, slot="document")):
            usage = token.usage or usage
        self._window.counts.calibrate(prefix, usage.prompt_tokens)
        with self._warmed_lock:
            self._note_use(prefix, usage)
        return usage

    def count_tokens(self, text: str) -> int:
        """Return a careful over-estimate of the tokens of ``text``, closer after :meth:`warm`."""
        return self._window.counts.careful(text)

    def cancel(self) -> None:
        """Stop all running calls, which raise ModelUnavailable; from any thread."""
        self._client.stop()

    def close(self) -> None:
        """Stop running calls; the server keeps the model loaded for ``keep_alive``."""
        self._client.close()

    def _chat(self, prompt: Prompt) -> Generator[ollama.ChatResponse, None, None]:
        """Yield an answer's lines."""
        try:
            request = self._launch.request(prompt, has_logprobs=self._has_logprobs)
            yield from self._client.chat(request)
        except Overflow as overflow:
            raise self._window.too_long(prompt.messages, overflow) from overflow

    def _refuse(self, messages: tuple[Message, ...]) -> None:
        """Refuse what can only fail."""
        if self.problems:
            raise ModelUnavailable(self.problems[0])
        self._window.refuse(messages)

    def _verified_usage(self, prompt: Prompt, last: ollama.ChatResponse) -> Usage:
        """Return the call's counts, after checking that the server read what was sent."""
        read, written = last.prompt_eval_count or 0, last.eval_count or 0
        self._window.verify(prompt.messages, read)
        seconds = (last.prompt_eval_duration or 0) / 1e9
        computed = self._verdict.computed_tokens(read, seconds) if self._verdict else read
        # While it wrote, the window may have moved on from the beginning.
        slid = read + written > self._window.tokens
        return Usage(read, computed, written, truncated=slid)

    def _s_per_token(self, messages: tuple[Message, ...]) -> float:
        """Return the seconds of reading a token of ``messages``, as the server reports them."""
        with contextlib.closing(self._chat(Prompt(messages, max_tokens=1))) as chunks:
            for chunk in chunks:
                if chunk.done:
                    return (chunk.prompt_eval_duration or 0) / 1e9 / (chunk.prompt_eval_count or 1)
        raise ModelUnavailable(f"{self.name} stopped while it was being measured; try again")
