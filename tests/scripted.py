"""An assistant that says what a script tells it to, over real texts, and keeps what was asked."""

from __future__ import annotations

import functools
import struct
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from qa.errors import InputError, ModelUnavailable
from qa.types import Answer, Citation, Document, Event, Page, Sentence, Turn

Script = Callable[["ScriptedAssistant", str], Iterator[Event]]


@dataclass(frozen=True)
class Info:
    id: str
    title: str
    sentences: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Box:
    page: int
    left: float
    top: float
    right: float
    bottom: float


def picture(width: int = 60, height: int = 85, grey: int = 235) -> bytes:
    """Return a small grey PNG."""
    rows = (b"\0" + bytes([grey]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


@dataclass(frozen=True)
class Model:
    id: str
    name: str
    kind: Literal["ollama", "embedded", "extractive"]
    state: Literal["ready", "missing"] = "ready"
    detail: str = ""


MODELS = (
    Model("ollama:big", "ollama · big", "ollama", "ready", "7B, 4.4 GB, served by Ollama"),
    Model("ollama:gone", "ollama · gone", "ollama", "missing", "run `ollama pull gone`"),
    Model("embedded", "embedded · small", "embedded"),
    Model("broken", "broken", "ollama"),
)


@functools.lru_cache  # a long text is asked for again and again: what is timed is the page
def split(document: Document, headings: Collection[str] = ()) -> tuple[Sentence, ...]:
    """One sentence a line, or up to a full stop: enough for texts written for tests."""
    sentences: list[Sentence] = []
    at = 0
    for line in document.text.split("\n"):
        start = 0
        for part in line.replace(". ", ".\0").split("\0"):
            begin = at + start
            if part.strip():
                sentences.append(
                    Sentence(
                        document.id,
                        len(sentences),
                        begin,
                        begin + len(part),
                        part,
                        part in headings,
                    )
                )
            start += len(part) + 1
        at += len(line) + 1
    return tuple(sentences)


@dataclass
class ScriptedAssistant:
    """``script`` yields the events of an answer. ``closed`` is set once a stream's generator was
    closed before its end, ``asked`` holds the questions with their history, ``asked_of`` the
    documents that they were put to. In a PDF, a form feed begins a new page."""

    texts: dict[str, str]
    script: Script
    headings: Collection[str] = ()
    backend: str = "scripted · no model"
    notices: tuple[str, ...] = ()
    warm_lines: Sequence[str] = ()
    warm_go: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, tuple[Turn, ...]]] = field(default_factory=list)
    asked_of: list[Collection[str] | None] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    report: Report = Report()
    titles: dict[str, str] = field(default_factory=dict)

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        self.asked.append((question, tuple(history)))
        self.asked_of.append(documents)
        try:
            yield from self.script(self, question)
        except GeneratorExit:
            self.closed.set()
            raise

    def documents(self) -> tuple[Info, ...]:
        return tuple(
            Info(
                id,
                self.document(id).title,
                len(self.sentences(id)),
                self.remarks.get(id, ()),
            )
            for id in sorted(self.texts)
        )

    def document(self, id: str) -> Document:
        if id not in self.texts:
            raise InputError(f"no document {id!r} in the index")
        title = self.titles.get(id, id.rsplit(".", 1)[0])
        return Document(id=id, title=title, text=self.texts[id], pages=self._pages(id))

    def _pages(self, id: str) -> tuple[Page, ...]:
        text = self.texts[id]
        if not id.endswith(".pdf"):
            return ()
        starts = [0, *(place for place, char in enumerate(text) if char == "\f")]
        ends = [*starts[1:], len(text)]
        return tuple(
            Page(number, start, end)
            for number, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)
        )

    def sentences(self, id: str) -> tuple[Sentence, ...]:
        return split(self.document(id), self.headings)

    def add_file(self, path: Path) -> str:
        if path.name in self.refused:
            raise InputError(self.refused[path.name])
        data = path.read_bytes()
        if b"\0" in data:
            raise InputError(f"{path.name!r} is a binary file; give a text file")
        if not data.strip():
            raise InputError(f"{path.name!r} is empty; give a file with text")
        self.texts[path.name] = data.decode("utf-8")
        return path.name

    def remove(self, id: str) -> None:
        self.document(id)
        del self.texts[id]

    def reindex(self) -> Report:
        return self.report

    def page_image(self, id: str, page: int) -> bytes:
        if page > len(self._pages(id)):
            raise InputError(f"{id!r} has no page {page}")
        return picture(grey=255 - 10 * page)

    def boxes(self, id: str, start: int, end: int) -> tuple[Box, ...]:
        """Two lines on the page where the stretch starts."""
        page = self.document(id).page_at(start)
        if page is None:
            return ()
        return (Box(page, 0.1, 0.2, 0.9, 0.25), Box(page, 0.1, 0.25, 0.5, 0.3))

    def warm(self, progress: Callable[[str], None]) -> None:
        for line in self.warm_lines:
            progress(line)
        if self.warm_lines:
            self.warm_go.wait(30)

    def models(self) -> tuple[Model, ...]:
        return MODELS

    def use_model(self, id: str) -> None:
        if id == "broken":
            raise ModelUnavailable("the model 'broken' cannot be loaded; choose another")
        self.backend = next(model.name for model in MODELS if model.id == id)

    def cite(self, id: str, part: str) -> Citation:
        """Point at the sentence of a document that contains ``part``."""
        (found,) = [one for one in self.sentences(id) if part in one.text]
        document = self.document(id)
        page = document.page_at(found.start)
        return Citation(id, document.title, page, found.start, found.end, found.text, 1.0)

    def answer(self, question: str, text: str = "", **fields: object) -> Answer:
        """Return an answer with the fields given and plain values for the others."""
        given: dict[str, object] = {
            "text": text,
            "answered": True,
            "confidence": 0.9,
            "statements": (),
            "citations": (),
            "nearest": (),
            "question": question,
            "backend": self.backend,
        }
        return Answer(**{**given, **fields})  # type: ignore[arg-type]
