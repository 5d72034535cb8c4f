"""A model's window: what cannot fit is refused, and what was sent must have been read.

Servers cut or drop what does not fit without a word, so their counts are compared with estimates.

Example: ``window.refuse(messages)`` before a call, ``window.verify(messages, read=788)`` after it.
"""

from __future__ import annotations

from collections.abc import Sequence

from qa.errors import PromptTooLong
from qa.llm import ollama_errors
from qa.llm.ollama_client import Overflow
from qa.llm.ollama_counts import TokenCounts
from qa.types import Message

_MOST_LETTERS_A_TOKEN = 40  # a text with fewer tokens than this says has nothing to answer from
# A reading that is too short is a cut one if the estimate comes near the window, else messages are
# dropped, whatever is sent.
_NEAR_THE_WINDOW = 0.8


class Window:
    """The window of the model ``name``, ``tokens`` long, and the counts that learn its tokens."""

    def __init__(self, name: str, tokens: int) -> None:
        self.tokens = tokens
        self.counts = TokenCounts()
        self._name = name

    def refuse(self, messages: Sequence[Message]) -> None:
        """Refuse what can only fail, before the server reads for minutes.

        :raises PromptTooLong: the messages cannot fit.
        """
        letters = sum(len(message.content) for message in messages)
        hopeless = letters > _MOST_LETTERS_A_TOKEN * self.tokens
        if hopeless or self.counts.least(messages) >= self.tokens:
            sent = self.counts.careful_sum(messages)
            raise ollama_errors.too_long(self._name, sent, self.tokens)

    def verify(self, messages: Sequence[Message], read: int) -> None:
        """Check that the server read what was sent.

        :param messages: what was sent.
        :param read: the tokens that the server counted.
        :raises PromptTooLong: it cut the messages.
        :raises ModelUnavailable: its template drops some of them.
        """
        sent, least = self.counts.careful_sum(messages), self.counts.least(messages)
        if read >= self.tokens or (read < least and sent >= _NEAR_THE_WINDOW * self.tokens):
            raise ollama_errors.read_cut(self._name, read, max(sent, read), self.tokens)
        if read < least:
            raise ollama_errors.messages_dropped(self._name, read, least)

    def too_long(self, messages: Sequence[Message], overflow: Overflow) -> PromptTooLong:
        """Return the error for an overflow, with estimates where the server told no numbers."""
        sent = overflow.sent or self.counts.careful_sum(messages)
        return ollama_errors.too_long(self._name, sent, overflow.window or self.tokens)
