"""Our values in the words of Ollama's protocol: a prompt as a request, a line as tokens.

It sends nothing.

Example: ``list(tokens(line, Thoughts()))`` for a line of an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qa.llm.thoughts import Thoughts
from qa.types import Prompt, Token, TokenLogprob

if TYPE_CHECKING:
    import ollama
    from ollama._types import Logprob

_MAX_TOP_LOGPROBS = 20  # more is a 400
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}  # and smaller ones, which are nothing
_AMOUNT = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ms|h|m|s)")


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
            # As text, a number without a unit is a 400.
            "keep_alive": int(self.keep_alive) if _is_number(self.keep_alive) else self.keep_alive,
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


def keep_alive_s(setting: str) -> float:
    """Return the seconds of ``30m``, ``1h30m`` or ``3600``; what is below 0 is for ever."""
    if _is_number(setting):
        return float(setting)
    seconds = sum(float(n) * _UNITS_S[unit] for n, unit in _AMOUNT.findall(setting))
    return -seconds if setting.startswith("-") else seconds


def _is_number(setting: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+", setting) is not None


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
