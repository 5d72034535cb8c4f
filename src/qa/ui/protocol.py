"""What the chat page needs from an assistant, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from qa.api.protocol import Answering, Listed
from qa.types import Document, ModelInfo, Sentence


class DocumentInfo(Listed, Protocol):
    """One line of the list of documents, with what its reader should know."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what a person should know of how the file was read."""
        ...


class IndexReport(Protocol):
    """What bringing the documents in step with their files did, by id; ``failed`` has messages."""

    @property
    def added(self) -> tuple[str, ...]:
        """Return the new documents."""
        ...

    @property
    def updated(self) -> tuple[str, ...]:
        """Return the documents whose files have changed."""
        ...

    @property
    def removed(self) -> tuple[str, ...]:
        """Return the documents whose files are gone."""
        ...

    @property
    def failed(self) -> tuple[tuple[str, str], ...]:
        """Return (path, message) of each file that could not be read."""
        ...


class Box(Protocol):
    """A rectangle on a page; the edges are shares (0–1) of the page, from its top left corner."""

    @property
    def page(self) -> int:
        """Return the page's number, from 1."""
        ...

    @property
    def left(self) -> float:
        """Return the left edge."""
        ...

    @property
    def top(self) -> float:
        """Return the upper edge."""
        ...

    @property
    def right(self) -> float:
        """Return the right edge."""
        ...

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        ...


class ChatAssistant(Answering, Protocol):
    """An assistant that several people may ask at once; failures it foresees are ``QAError``."""

    @property
    def backend(self) -> str:
        """Return the model in use, as people read it."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Return what the user should know about the model in use."""
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

    def remove(self, id: str, /) -> None:
        """Forget a document; its file is kept elsewhere."""
        ...

    def reindex(self) -> IndexReport:
        """Bring the documents in step with their files."""
        ...

    def page_image(self, id: str, page: int, /) -> bytes:
        """Return the picture of a PDF's page, counted from 1, as PNG."""
        ...

    def boxes(self, id: str, start: int, end: int, /) -> Sequence[Box]:
        """Return where a stretch of a PDF's text is on its pages."""
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
