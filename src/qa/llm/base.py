"""The one seam to a language model; it knows nothing of documents, sentences or citations.

Example: ``"".join(token.text for token in model.stream(prompt))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from qa.types import Message, Prompt, Token, Usage

Progress = Callable[[str], None]


class ChatModel(Protocol):
    """A chat model that streams; safe to use from several threads.

    ``name`` is shown to people («embedded · Qwen2.5-Coder-1.5B-Instruct-Q4_K_M», «ollama ·
    ministral-3:3b»). ``identity`` tells two models apart whose calibration or saved prefixes must
    not be mixed. ``context_tokens`` is the whole window, output included.
    ``keeps_prefixes``: another prompt in between does not cost the document's cached prefix;
    measured by :meth:`warm` where it cannot be known.
    ``has_logprobs``: the server offers log-probabilities.
    ``reads``: it was trained to answer from a passage or to refuse, so that the first word after a
    passage tells whether the passage holds the answer; it takes prompts of the slot ``read``.
    And to vote: after a numbered document it names the sentences that answer; how likely 0 was
    tells that none does.
    """

    @property
    def name(self) -> str:
        """What people are shown."""
        ...

    @property
    def identity(self) -> str:
        """What tells these weights from others."""
        ...

    @property
    def label(self) -> str:
        """What the weights call themselves, the same on every server; "" if they do not say."""
        ...

    @property
    def context_tokens(self) -> int:
        """The whole window, output included."""
        ...

    @property
    def keeps_prefixes(self) -> bool:
        """Whether other prompts leave the document cached."""
        ...

    @property
    def has_logprobs(self) -> bool:
        """Whether log-probabilities are offered."""
        ...

    @property
    def reads(self) -> bool:
        """Whether it was trained to read a passage."""
        ...

    def load(self) -> None:
        """Get ready ahead of the first question, where that takes long; calling it twice is fine.

        :raises ModelUnavailable: the model cannot be loaded.
        """
        ...

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        """Yield tokens as they come; the last one carries ``usage`` and ``finish``.

        Closing the generator closes the connection, which stops the generation.

        :raises PromptTooLong: the prompt did not fit, or was read cut.
        :raises ModelUnavailable: the server is not there, failed, or died in mid-stream.
        """
        ...

    def has_prefix(self, prefix: tuple[Message, ...]) -> bool:
        """Tell whether :meth:`warm` would cost next to nothing: held already, or saved."""
        ...

    def warm(
        self,
        prefix: tuple[Message, ...],
        progress: Progress | None = None,
        *,
        owner: str = "",
    ) -> Usage:
        """Make ``prefix``, a static beginning, cached in the document slot; read it only if needed.

        :param prefix: the messages.
        :param progress: is told how far reading is.
        :param owner: goes with what is saved of it, so that it can be deleted with its owner.
        :return: ``prompt_tokens`` is the prefix's exact size, ``computed_tokens`` what had to be
            read now.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens of ``text``, exact or a careful over-estimate."""
        ...

    def close(self) -> None:
        """Release the model; calling it twice is fine."""
        ...
