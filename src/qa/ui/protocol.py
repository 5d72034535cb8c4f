"""What the chat page needs from an assistant, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from qa.types import Document, Event, Sentence, Turn


class DocumentInfo(Protocol):
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


class ModelInfo(Protocol):
    """A model that answers can be written with."""

    @property
    def id(self) -> str:
        """Return what :meth:`ChatAssistant.use_model` takes."""
        ...

    @property
    def name(self) -> str:
        """Return the name shown to people, the ``backend`` of an assistant that uses it."""
        ...

    @property
    def kind(self) -> Literal["ollama", "embedded", "extractive"]:
        """Return where the model runs; an extractive one only quotes."""
        ...

    @property
    def state(self) -> Literal["ready", "missing"]:
        """Return whether it can be used now."""
        ...

    @property
    def detail(self) -> str:
        """Return what a person should know of it: its size, or what to do when it is missing."""
        ...


class ChatAssistant(Protocol):
    """An assistant that several people may ask at once; failures it foresees are ``QAError``."""

    @property
    def backend(self) -> str:
        """Return the model in use, as people read it."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what the user should know about the model in use."""
        ...

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

    def documents(self) -> Sequence[DocumentInfo]:
        """Return the indexed documents."""
        ...

    def document(self, id: str, /) -> Document:
        """Return a document with its canonical text."""
        ...

    def sentences(self, id: str, /) -> Sequence[Sentence]:
        """Return a document's sentences in the order of the text."""
        ...

    def add_file(self, path: Path, /) -> str:
        """Copy a file into the documents folder, index it and return its id."""
        ...

    def warm(self, progress: Callable[[str], None], /) -> object:
        """Read the document into the model; ``progress`` gets a line to show."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """Return the models to choose between, those that are missing too."""
        ...

    def use_model(self, id: str, /) -> None:
        """Answer with another model from now on."""
        ...
