"""The assistant opens store, encoder and model, keeps documents in step, and answers.

The story of one question is in :mod:`qa.pipeline`; this module holds the resources it runs on.

Example::

    with Assistant.open(["index/documents"]) as assistant:
        answer = assistant.ask("Combien de soldats américains sont en Irak ?")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from qa.consider import Search, cite
from qa.documents import Box, Parser
from qa.embed import Encoder, load_encoder
from qa.errors import IndexMissing, InputError, QAError
from qa.evidence import CONSIDERED
from qa.exchange import Resources
from qa.ingest import Report
from qa.library import Library
from qa.llm.base import ChatModel
from qa.llm.choose import Choice, choose_model
from qa.llm.offers import choose_offered, offered_models
from qa.models import ModelInUse, Reading, load_meanwhile
from qa.options import cross_encoders, document_limits, model_options
from qa.pipeline import answer_events, valid_question
from qa.settings import Settings, load_settings
from qa.smalltalk import reply, without_small_talk
from qa.store import DocumentInfo, Store
from qa.types import Answer, Citation, Document, Event, ModelInfo, Sentence, Turn

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine

Progress = Callable[[str], None]


class Assistant:
    """Answers questions on the documents of one store. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        choice: Choice,
        settings: Settings,
        roots: Sequence[Path] | None = None,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._models = ModelInUse(choice, store)
        self._cross = cross_encoders(settings)
        self._settings = settings
        self._library = Library(
            store,
            encoder,
            settings.documents,
            roots,
            limits=document_limits(settings),
            changed=lambda: self._models.current.forget(),
        )
        self._parser = Parser(document_limits(settings))

    @classmethod
    def open(
        cls,
        paths: str | Path | Iterable[str | Path] | None = None,
        settings: Settings | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Bring the index in step with ``paths``, load the models, and return the assistant.

        :param paths: files and folders to answer from, or one; None answers from everything in the
            store, after the settings' document folders that exist were brought in step.
        :raises InputError: a path is missing or cannot be read.
        :raises IndexMismatch: the store was made with another encoder or format.
        :raises ModelUnavailable: a model that was asked for by name is not there.
        """
        settings = settings or load_settings()
        given = None if paths is None else _listed(paths)
        encoder = load_encoder(
            settings.encoder, settings.cache, settings.threads, progress=progress
        )
        store = Store.open(settings.store, encoder.id, encoder.dim)
        try:
            choice = choose_model(model_options(settings), progress)
            load_meanwhile(choice)
            assistant = cls(store, encoder, choice, settings, given)
            # What is in a folder that cannot be written can still be asked.
            found = [] if given is None and store.read_only else assistant._library.paths
            if found:
                report = assistant.index(found, progress)
                if report.failed and not assistant.documents():
                    raise InputError("; ".join(message for _, message in report.failed))
        except BaseException:
            store.close()
            raise
        return assistant

    @property
    def backend(self) -> str:
        """The model in use, as people read it."""
        return self._models.current.choice.backend

    @property
    def settings(self) -> Settings:
        """What this assistant was opened with."""
        return self._settings

    @property
    def notices(self) -> tuple[str, ...]:
        """What the person should know of the model that was chosen."""
        return self._models.current.choice.notices

    @property
    def report(self) -> Report | None:
        """What the last synchronisation of the documents did."""
        return self._library.report

    def index(
        self, paths: str | Path | Iterable[str | Path], progress: Progress | None = None
    ) -> Report:
        """Bring the store in step with ``paths``, or one, and return what was done."""
        return self._library.index(_listed(paths), progress)

    def reindex(self, progress: Progress | None = None) -> Report:
        """Bring what the assistant was opened on in step: files added, changed and deleted.

        A path that is gone is reported as failed, and its documents stay.
        """
        return self._library.reindex(progress)

    def warm(self, progress: Progress | None = None) -> int:
        """Let the model read every document that fits, once; a saved reading is restored.

        The encoder's files are read too: the first question does not wait for them.

        :return: how many documents the model now holds.
        """
        self._encoder.encode(["a"], query=True)
        with self._models.using() as reading:
            return reading.warm(self.documents(), progress)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models that :meth:`use_model` takes, those that are missing included.

        The one in use has :attr:`backend` as its name.
        """
        return offered_models(model_options(self._settings))

    def use_model(self, id: str) -> None:
        """Answer with another model from now on; answers under way end with the one before.

        :raises InputError: no model has this id.
        :raises ModelUnavailable: the model is not there; the message says what to do.
        """
        choice = choose_offered(id, model_options(self._settings))
        if choice.backend == self.backend:
            if choice.model is not None:
                choice.model.close()
            return
        self._models.switch(choice)

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        """Answer ``question``, or abstain honestly.

        :param history: the conversation so far, oldest first.
        :param documents: ids to answer from, or one; None is all that this assistant was opened on.
        :raises InputError: an empty or over-long question, or an unknown document.
        """
        *_, last = self.stream(question, history, documents)
        if not isinstance(last, Answer):  # the pipeline always ends with one
            raise QAError(
                f"the question {question!r} ended without an answer; report this as a bug"
            )
        return last

    def stream(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Iterator[Event]:
        """Yield the evidence, pieces of text, each checked statement, and last the ``Answer``.

        Closing the iterator stops the generation.
        """
        turns = without_small_talk(history)
        titles = [info.title for info in self.documents()]
        said = reply(question, titles, self.backend, goes_on=bool(turns))
        if said is not None:
            return (event for event in (said,))
        return self._events(question, turns, self._scope(documents))

    async def aask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        """Answer without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, history, documents)

    def search(self, query: str, documents: Collection[str] | None = None) -> tuple[Citation, ...]:
        """Return the sentences nearest to a question or to words, best first; no model is asked.

        :param documents: ids to search in, or one; None is all that this assistant was opened on.
        :raises InputError: an empty or over-long query, or an unknown document.
        """
        search = Search(self.resources(), self._scope(documents), None)
        return cite(search(valid_question(query))[:CONSIDERED], self._store)

    def documents(self) -> tuple[DocumentInfo, ...]:
        """Return the documents that this assistant answers from."""
        return self._library.documents()

    def document(self, document_id: str) -> Document:
        """Return a document; its ``text`` is the canonical text that offsets refer to."""
        return self._store.document(document_id)

    def sentences(self, document_id: str) -> tuple[Sentence, ...]:
        """Return a document's sentences in order."""
        return self._store.sentences(document_id)

    def page_image(self, document_id: str, page: int, width: int = 1000) -> bytes:
        """Return a page of a PDF as a PNG picture, ``width`` pixels wide.

        :raises InputError: the document is no PDF, has no such page, or its file is gone.
        """
        return self._parser.page_png(self._path(document_id), page, width)

    def boxes(self, document_id: str, start: int, end: int) -> tuple[Box, ...]:
        """Return where ``text[start:end]`` of a PDF stands on its pages; () for other formats.

        :raises InputError: no such span, or the file is gone or changed since it was indexed.
        """
        with self._store.reading():
            document, path = self._store.document(document_id), self._path(document_id)
        return self._parser.boxes(path, document, start, end)

    def add_file(self, path: str | Path, progress: Progress | None = None) -> str:
        """Copy a file into the documents folder, index it, and return its document id.

        :raises InputError: the file cannot be read, is of an unknown type, or its name is taken.
        """
        return self._library.add(Path(path), progress)

    def remove(self, document_id: str) -> None:
        """Forget a document; its file, if in a documents folder, moves to ``removed`` in the store.

        A file elsewhere stays where it is, and is indexed again when its path is given again.

        :raises InputError: no document has this id, or its file cannot be moved.
        """
        self._library.remove(document_id)

    def as_query_engine(self) -> BaseQueryEngine:
        """Return a LlamaIndex query engine whose source nodes are our citations, with offsets."""
        from qa.engine import CitationEngine

        return CitationEngine(assistant=self)

    def close(self) -> None:
        """Release the model and the store; calling it twice is fine."""
        self._models.close()
        self._parser.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resources(self) -> Resources:
        """Return what answering runs on, for the evaluation, which measures single steps."""
        return self._resources(self._models.current)

    def replace_model(self, model: ChatModel | None) -> None:
        """Answer with another model from now on; the one before stays open and is the caller's."""
        self._models.replace(model)

    def _resources(self, reading: Reading) -> Resources:
        choice = reading.choice
        return Resources(
            self._store,
            self._encoder,
            choice.model,
            choice.backend,
            reading.held,
            choice.notices,
            entailment=self._cross.entailment,
            reranker=self._cross.reranker,
        )

    def _events(
        self, question: str, history: Sequence[Turn], documents: Collection[str] | None
    ) -> Iterator[Event]:
        with self._models.using() as reading:
            yield from answer_events(question, history, self._resources(reading), documents)

    def _path(self, document_id: str) -> Path:
        """Return where a document was read from; an unknown id is an error that names it."""
        with self._store.reading():
            self._store.document(document_id)
            return next(Path(one.path) for one in self._store.documents() if one.id == document_id)

    def _scope(self, documents: Collection[str] | None) -> Collection[str] | None:
        if not self.documents():
            folders = ", ".join(repr(str(folder)) for folder in self._settings.documents)
            raise IndexMissing(
                f"no document is indexed: put files into {folders}, or run `qa index PATH`"
            )
        if isinstance(documents, str):
            documents = [documents]
        if documents is not None:
            for document_id in documents:
                self._store.document(document_id)  # an unknown id is an error that names it
            return documents
        return self._library.scope()


def _listed(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
