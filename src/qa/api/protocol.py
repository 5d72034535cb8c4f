"""What programs ask an assistant for, and nothing more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from qa.types import Citation, Event, Turn


@dataclass(frozen=True, slots=True)
class DocumentSummary:
    """A document that can be asked."""

    id: str
    title: str
    sentences: int


@dataclass(frozen=True, slots=True)
class Found:
    """The sentences that a search found, best first."""

    citations: tuple[Citation, ...]


class Listed(Protocol):
    """One line of the list of documents."""

    @property
    def id(self) -> str:
        """Return the document's id."""
        ...

    @property
    def title(self) -> str:
        """Return the title shown to people."""
        ...

    @property
    def sentences(self) -> int:
        """Return the number of sentences."""
        ...


class Answering(Protocol):
    """An assistant that several programs may ask at once; failures it foresees are ``QAError``."""

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Iterator[Event]:
        """Yield the evidence, pieces of text, checked statements, and last the answer.

        Closing the iterator, where it is a generator, stops the generation.
        """
        ...

    def search(self, query: str, documents: Collection[str] | None = None) -> tuple[Citation, ...]:
        """Return the sentences nearest to a question or to words, best first, without a model."""
        ...

    def documents(self) -> Sequence[Listed]:
        """Return the documents that can be asked."""
        ...
