"""Chat messages → token ids, so that only the chat template can write control tokens.

The template's own text is tokenised with control tokens, every message as plain characters: a
``<|im_end|>`` in a document is some ordinary tokens. Where a model's pieces do not add up to the
whole rendering (a tokenizer that joins across them), the whole is tokenised instead, and keeping
control tokens out of the messages is the prompt module's work alone.

Example: ``Renderer(server.post).render((Message("user", "Bonjour"),))``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any, Literal

from qa.types import Message

Tokens = tuple[int, ...]
Post = Callable[[str, Mapping[str, object]], dict[str, Any]]

_KEPT_TEXTS = 256  # tokenised messages that are remembered: static rules, documents, counted texts


@dataclass(frozen=True, slots=True)
class _Frame:
    """The template's tokens before, between and after the messages of one sequence of roles."""

    literals: tuple[Tokens, ...]

    def around(self, contents: list[Tokens]) -> Tokens:
        tokens = list(self.literals[0])
        for content, literal in zip(contents, self.literals[1:], strict=True):
            tokens += content
            tokens += literal
        return tuple(tokens)


class Renderer:
    """Renders for one loaded model, whose server ``post`` asks."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._frames: dict[tuple[str, ...], _Frame | None] = {}
        self.tokens_of = lru_cache(maxsize=_KEPT_TEXTS)(self._plain)

    def render(self, messages: tuple[Message, ...]) -> Tokens:
        """Return the prompt's tokens, ready for the model's answer."""
        roles = tuple(message.role for message in messages)
        if roles not in self._frames:
            self._frames[roles] = self._frame(messages)
        frame = self._frames[roles]
        if frame is None:
            return self._whole(self._apply_template(messages))
        return frame.around([self.tokens_of(message.content) for message in messages])

    def shared(self, prefix: tuple[Message, ...]) -> Tokens:
        """Return the tokens that all prompts share whose first messages are ``prefix``."""
        asked = bool(prefix) and prefix[-1].role == "user"
        role: Literal["user", "assistant"] = "assistant" if asked else "user"
        one = self.render((*prefix, Message(role, "Ab")))
        other = self.render((*prefix, Message(role, "9.")))
        pairs = zip(one, other, strict=False)
        return tuple(left for left, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _frame(self, messages: tuple[Message, ...]) -> _Frame | None:
        """Return the template's literals, or None if the pieces do not add up to the whole."""
        marks = [f"Zq{number}qZ" for number in range(len(messages))]
        marked = tuple(
            Message(message.role, mark) for message, mark in zip(messages, marks, strict=True)
        )
        rendered = self._apply_template(marked)
        literals = _around(rendered, marks)
        if literals is None:
            return None
        first, *others = literals
        frame = _Frame((self._whole(first), *(self._special(literal) for literal in others)))
        pieces = frame.around([self._plain(mark) for mark in marks])
        return frame if pieces == self._whole(rendered) else None

    def _apply_template(self, messages: tuple[Message, ...]) -> str:
        body = [{"role": message.role, "content": message.content} for message in messages]
        return str(self._post("/apply-template", {"messages": body})["prompt"])

    def _whole(self, text: str) -> Tokens:
        return self._tokenize(text, parse_special=True, add_special=True)

    def _special(self, text: str) -> Tokens:
        return self._tokenize(text, parse_special=True, add_special=False)

    def _plain(self, text: str) -> Tokens:
        return self._tokenize(text, parse_special=False, add_special=False)

    def _tokenize(self, text: str, *, parse_special: bool, add_special: bool) -> Tokens:
        request = {"content": text, "parse_special": parse_special, "add_special": add_special}
        return tuple(self._post("/tokenize", request)["tokens"])


def _around(rendered: str, marks: list[str]) -> list[str] | None:
    """Return the text around the marks, or None unless each occurs exactly once and in order."""
    literals = []
    for mark in marks:
        before, found, rendered = rendered.partition(mark)
        if not found or mark in rendered:
            return None
        literals.append(before)
    return [*literals, rendered]
