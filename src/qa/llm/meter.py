"""Counts what one question costs: tokens and seconds over all of its model calls.

It knows nothing of what is asked. One meter serves one question, in one thread.

Example: ``meter = Meter(model); text, top = meter.complete(prompt); meter.usage.computed_tokens``.
"""

from __future__ import annotations

import time
from collections.abc import Generator

from qa.llm.base import ChatModel
from qa.types import Prompt, Token, TokenLogprob, Usage


class Meter:
    """A model as one question sees it; ``usage`` and ``model_s`` are sums over its calls."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self.usage = Usage()
        self.model_s = 0.0
        self.calls = 0

    def stream(self, prompt: Prompt) -> Generator[Token, None, None]:
        """Yield the model's tokens, counting; closing this closes the model's stream."""
        self.calls += 1
        tokens = self.model.stream(prompt)
        started = time.perf_counter()
        try:
            for token in tokens:
                if token.usage is not None:
                    self.usage += token.usage
                self.model_s += time.perf_counter() - started
                yield token
                started = time.perf_counter()
            self.model_s += time.perf_counter() - started
        finally:
            close = getattr(tokens, "close", None)
            if close is not None:
                close()

    def complete(self, prompt: Prompt) -> tuple[str, tuple[TokenLogprob, ...]]:
        """Run the call to its end.

        :return: the whole text, and the first generated token's alternatives (empty without
            logprobs).
        """
        text = ""
        top: tuple[TokenLogprob, ...] = ()
        for token in self.stream(prompt):
            top = top or token.top
            text += token.text
        return text, top
