"""Our values in the words of Ollama's protocol: a prompt as a request, a line as tokens.

It sends nothing.

Example: ``list(tokens(line, Thoughts()))`` for a line of an answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.llm.thoughts import Thoughts
from qa.types import Prompt, Token, TokenLogprob

if TYPE_CHECKING:
    import ollama
    from ollama._types import Logprob

_MAX_TOP_LOGPROBS = 20  # more is a 400


@dataclass(frozen=True, slots=True)
class Launch:
    """What is the same in every request: another window would load the model anew."""

    context_tokens: int
    seed: int
    keep_alive: str

    def request(self, prompt: Prompt, *, has_logprobs: bool) -> dict[str, object]:
        """Return the fields of ``/api/chat`` but for model, stream and think."""
        options: dict[str, object] = {
            "num_ctx": self.context_tokens,
            "num_predict": prompt.max_tokens,
            "seed": self.seed,
            "temperature": 0,
            "repeat_penalty": 1.0,
            "presence_penalty": 0,
        }
        if prompt.stop:
            options["stop"] = list(prompt.stop)
        request: dict[str, object] = {
            "messages": [{"role": m.role, "content": m.content} for m in prompt.messages],
            "options": options,
            "keep_alive": self.keep_alive,
        }
        if prompt.schema is not None:
            request["format"] = dict(prompt.schema)
        if prompt.top_logprobs > 0 and has_logprobs:
            request["logprobs"] = True
            request["top_logprobs"] = min(prompt.top_logprobs, _MAX_TOP_LOGPROBS)
        return request


def tokens(line: ollama.ChatResponse, thoughts: Thoughts) -> Iterator[Token]:
    """Yield a line's text with its first token's alternatives; further ones have no text.

    :param line: what the server sent.
    :param thoughts: of this answer; they are kept out of the text.
    :yield: nothing where the line has no text.
    """
    if line.message.thinking:
        thoughts.seen = True
    written = line.message.content or ""
    if not written:
        return
    tops = [_alternatives(entry) for entry in line.logprobs or ()]
    text = thoughts.without(written)
    if text or not thoughts.inside:
        yield Token(text, top=tops[0] if tops else ())
        yield from (Token("", top=top) for top in tops[1:])


def lacks_logprobs(line: ollama.ChatResponse) -> bool:
    """Tell whether a line has text and no log-probabilities of it."""
    return bool(line.message.content) and not line.logprobs


def context_length(shown: ollama.ShowResponse) -> int | None:
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
