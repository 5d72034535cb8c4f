"""The assistant opens store, encoder and model, keeps documents in step, and answers.

The story of one question is in :mod:`qa.pipeline`; this module holds the resources it runs on.

Example::

    with Assistant.open(["index/documents"]) as assistant:
        answer = assistant.ask("Combien de soldats américains sont en Irak ?")
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from qa.documents import SUFFIXES
from qa.embed import Encoder, load_encoder
from qa.errors import IndexMissing, InputError, QAError
from qa.ingest import Report, sync
from qa.llm.base import ChatModel
from qa.llm.choose import Choice, ModelOptions, choose_model
from qa.pipeline import Resources, answer_events
from qa.prompt import NumberedDocument, number_document
from qa.settings import Settings, load_settings
from qa.store import DocumentInfo, Store
from qa.types import Answer, Document, Event, Sentence, Turn
from qa.words import language

if TYPE_CHECKING:
    from llama_index.core.base.base_query_engine import BaseQueryEngine

Progress = Callable[[str], None]

# Of the context window: the question, the vote and the chat template's own tokens.
_RESERVED_TOKENS = 640
# Text has fewer characters a token than this, so a longer document cannot fit.
_MOST_CHARS_A_TOKEN = 8


class Assistant:
    """Answers questions on the documents of one store. Safe to use from several threads.

    ``report`` says what the last synchronisation of the documents did.
    """

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
        self._choice = choice
        self._settings = settings
        self._roots = roots
        self._numbered: dict[str, NumberedDocument | None] = {}
        self.report: Report | None = None

    @classmethod
    def open(
        cls,
        paths: Iterable[str | Path] | None = None,
        settings: Settings | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Bring the index in step with ``paths``, load the models, and return the assistant.

        :param paths: files and folders to answer from; None answers from everything in the store,
            after the settings' document folders that exist were brought in step.
        :raises InputError: a path is missing or cannot be read.
        :raises IndexMismatch: the store was made with another encoder or format.
        :raises ModelUnavailable: a model that was asked for by name is not there.
        """
        settings = settings or load_settings()
        given = None if paths is None else [Path(path) for path in paths]
        encoder = load_encoder(
            settings.encoder, settings.cache, settings.threads, progress=progress
        )
        store = Store.open(settings.store, encoder.id, encoder.dim)
        try:
            choice = choose_model(model_options(settings), progress)
            _load_meanwhile(choice)
            assistant = cls(store, encoder, choice, settings, given)
            found = [p for p in settings.documents if p.exists()] if given is None else given
            if given is None and store.read_only:
                found = []  # what is there can be asked
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
        return self._choice.backend

    @property
    def settings(self) -> Settings:
        """What this assistant was opened with."""
        return self._settings

    @property
    def notices(self) -> tuple[str, ...]:
        """What the person should know of the model that was chosen."""
        return self._choice.notices

    def index(self, paths: Iterable[str | Path], progress: Progress | None = None) -> Report:
        """Bring the store in step with ``paths`` and return what was done."""
        self.report = sync(
            [Path(path) for path in paths],
            self._store,
            self._encoder,
            max_bytes=self._settings.max_file_mb << 20,
            progress=progress,
        )
        self._numbered.clear()
        return self.report

    def warm(self, progress: Progress | None = None) -> int:
        """Let the model read every document that fits, once; a saved reading is restored.

        :return: how many documents the model now holds.
        """
        model, held = self._choice.model, 0
        for info in self.documents():
            numbered = self._number(info.id)
            if model is not None and numbered is not None:
                if progress and not model.has_prefix(numbered.prefix):
                    progress(f"the model reads {info.title!r}, once")
                model.warm(numbered.prefix, progress)
                held += 1
        return held

    def ask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        """Answer ``question``, or abstain honestly.

        :param history: the conversation so far, oldest first.
        :param documents: ids to answer from; None is all that this assistant was opened on.
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
        return answer_events(question, history, self.resources(), self._scope(documents))

    async def aask(
        self,
        question: str,
        history: Sequence[Turn] = (),
        documents: Collection[str] | None = None,
    ) -> Answer:
        """Answer without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, history, documents)

    def documents(self) -> tuple[DocumentInfo, ...]:
        """Return the documents that this assistant answers from."""
        infos = self._store.documents()
        if self._roots is None:
            return infos
        given = {root.resolve() for root in self._roots}
        return tuple(info for info in infos if given & {Path(info.path), *Path(info.path).parents})

    def document(self, document_id: str) -> Document:
        """Return a document; its ``text`` is the canonical text that offsets refer to."""
        return self._store.document(document_id)

    def sentences(self, document_id: str) -> tuple[Sentence, ...]:
        """Return a document's sentences in order."""
        return self._store.sentences(document_id)

    def add_file(self, path: str | Path, progress: Progress | None = None) -> str:
        """Copy a file into the documents folder, index it, and return its document id.

        :raises InputError: the file cannot be read, is of an unknown type, or its name is taken.
        """
        source = Path(path)
        if source.suffix.lower() not in SUFFIXES:
            known = ", ".join(sorted(SUFFIXES))
            raise InputError(f"{source.name!r} is not of a type that is read ({known})")
        roots = self._roots or self._settings.documents
        folder = next((root for root in roots if not root.is_file()), self._settings.documents[0])
        folder.mkdir(parents=True, exist_ok=True)
        target = _free_name(folder, source)
        if not target.exists():
            shutil.copyfile(source, target)
        report = self.index([folder], progress)
        for failed, message in report.failed:
            if Path(failed).resolve() == target.resolve():
                target.unlink(missing_ok=True)
                raise InputError(message)
        return target.relative_to(folder).as_posix()

    def as_query_engine(self) -> BaseQueryEngine:
        """Return a LlamaIndex query engine whose source nodes are our citations, with offsets."""
        from qa.engine import CitationEngine

        return CitationEngine(assistant=self)

    def close(self) -> None:
        """Release the model and the store; calling it twice is fine."""
        if self._choice.model is not None:
            self._choice.model.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resources(self) -> Resources:
        """Return what answering runs on, for the evaluation, which measures single steps."""
        return Resources(
            self._store,
            self._encoder,
            self._choice.model,
            self._choice.backend,
            self._hold,
            self._choice.notices,
        )

    def replace_model(self, model: ChatModel | None) -> None:
        """Answer with another model from now on; the one before stays open and is the caller's."""
        self._choice = replace(self._choice, model=model)
        self._numbered.clear()

    def _scope(self, documents: Collection[str] | None) -> Collection[str] | None:
        if not self._store.documents():
            folders = ", ".join(repr(str(folder)) for folder in self._settings.documents)
            raise IndexMissing(
                f"no document is indexed: put files into {folders}, or run `qa index PATH`"
            )
        if documents is not None:
            for document_id in documents:
                self._store.document(document_id)  # an unknown id is an error that names it
            return documents
        return None if self._roots is None else [info.id for info in self.documents()]

    def _hold(self, document_id: str) -> NumberedDocument | None:
        """Return the numbered document if its prefix is held or can be restored, else None."""
        numbered = self._number(document_id)
        model = self._choice.model
        if numbered is None or model is None or not model.has_prefix(numbered.prefix):
            return None
        model.warm(numbered.prefix)
        return numbered

    def _number(self, document_id: str) -> NumberedDocument | None:
        """Return the document as the model would read it whole; None if it does not fit."""
        model = self._choice.model
        if model is None:
            return None
        if document_id not in self._numbered:
            self._numbered[document_id] = self._numbered_if_fits(document_id, model)
        return self._numbered[document_id]

    def _numbered_if_fits(self, document_id: str, model: ChatModel) -> NumberedDocument | None:
        document = self._store.document(document_id)
        if len(document.text) > _MOST_CHARS_A_TOKEN * model.context_tokens:
            return None  # no need to count
        sentences = self._store.sentences(document_id)
        numbered = number_document(document, sentences, language(document.text))
        size = sum(model.count_tokens(message.content) for message in numbered.prefix)
        fits = size + _RESERVED_TOKENS <= model.context_tokens and bool(numbered.sentences)
        return numbered if fits else None


def _load_meanwhile(choice: Choice) -> None:
    """Load the language model in a thread: the encoder, which loads too, does not wait for it."""

    def load() -> None:
        # A model that cannot be loaded is named when the first question asks it.
        with contextlib.suppress(QAError):
            if choice.model is not None:
                choice.model.load()

    threading.Thread(target=load, name="load the language model", daemon=True).start()


def _free_name(folder: Path, source: Path) -> Path:
    """Return where the file goes; its name is numbered when other content has that name."""
    content = source.read_bytes()
    for number in range(1, 1000):
        name = source.name if number == 1 else f"{source.stem}-{number}{source.suffix}"
        target = folder / name
        if not target.exists() or target.read_bytes() == content:
            return target
    raise InputError(f"{source.name!r}: a thousand files have this name; rename it")


def model_options(settings: Settings) -> ModelOptions:
    """Return what the choice of a model needs of the settings."""
    return ModelOptions(
        cache=settings.cache,
        backend=settings.backend,
        gguf=settings.gguf,
        ollama_url=settings.ollama_url,
        ollama_model=settings.ollama_model,
        keep_alive=settings.ollama_keep_alive,
        timeout_s=settings.ollama_timeout_s,
        context_tokens=settings.context_tokens,
        threads=settings.threads,
        seed=settings.seed,
        prefixes=settings.store / "prefixes",
        prefix_cache_bytes=settings.prefix_cache_mb << 20,
    )
