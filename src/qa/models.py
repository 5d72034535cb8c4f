"""The model that answers, what it has read, and the change to another one.

An answer keeps the model that it began with: a model that another one replaced is closed when its
last answer has ended. It knows nothing of questions.

Example: ``with models.using() as reading: reading.held("irak.txt")``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from qa.errors import PromptTooLong, QAError
from qa.llm.base import ChatModel
from qa.llm.choose import Choice
from qa.prompt import NumberedDocument, number_document
from qa.store import DocumentInfo, Store, prefix_owner
from qa.words import language

Progress = Callable[[str], None]

# Of the context window: the question, the vote and the chat template's own tokens.
_RESERVED_TOKENS = 640
# Text has fewer characters a token than this, so a longer document cannot fit.
_MOST_CHARS_A_TOKEN = 8


class Reading:
    """A chosen model and the documents that fit its window, numbered as it reads them."""

    def __init__(self, choice: Choice, store: Store) -> None:
        self.choice = choice
        self.answers = 0  # under way; counted by ModelInUse
        self._store = store
        self._numbered: dict[str, NumberedDocument | None] = {}

    def held(self, document_id: str) -> NumberedDocument | None:
        """Return the numbered document if its prefix is held or can be restored, else None."""
        numbered = self._number(document_id)
        model = self.choice.model
        if numbered is None or model is None or not model.has_prefix(numbered.prefix):
            return None
        model.warm(numbered.prefix, owner=self._owner(document_id))
        return numbered

    def warm(self, documents: Sequence[DocumentInfo], progress: Progress | None = None) -> int:
        """Let the model read the documents that fit, and return how many it now holds.

        One that was thought to fit, and does not, is not tried again until it changes.
        """
        model, held = self.choice.model, 0
        for info in documents:
            numbered = self._number(info.id)
            if model is not None and numbered is not None:
                if progress and not model.has_prefix(numbered.prefix):
                    progress(f"the model reads {info.title!r}, once")
                try:
                    model.warm(numbered.prefix, progress, owner=self._owner(info.id))
                    held += 1
                except PromptTooLong:
                    self._numbered[info.id] = None
        return held

    def forget(self) -> None:
        """Number the documents anew: some of them have changed."""
        self._numbered.clear()

    def close(self) -> None:
        """Release the model; calling it twice is fine."""
        if self.choice.model is not None:
            self.choice.model.close()

    def _owner(self, document_id: str) -> str:
        return prefix_owner(self._store.document(document_id))

    def _number(self, document_id: str) -> NumberedDocument | None:
        """Return the document as the model would read it whole; None if it does not fit."""
        model = self.choice.model
        if model is None:
            return None
        if document_id not in self._numbered:
            self._numbered[document_id] = self._numbered_if_fits(document_id, model)
        return self._numbered.get(document_id)

    def _numbered_if_fits(self, document_id: str, model: ChatModel) -> NumberedDocument | None:
        document = self._store.document(document_id)
        if len(document.text) > _MOST_CHARS_A_TOKEN * model.context_tokens:
            return None  # no need to count
        sentences = self._store.sentences(document_id)
        numbered = number_document(document, sentences, language(document.text))
        size = sum(model.count_tokens(message.content) for message in numbered.prefix)
        fits = size + _RESERVED_TOKENS <= model.context_tokens and bool(numbered.sentences)
        return numbered if fits else None


class ModelInUse:
    """The model that new answers get; safe to use from several threads."""

    def __init__(self, choice: Choice, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._current = Reading(choice, store)
        self._replaced: list[Reading] = []

    @property
    def current(self) -> Reading:
        """The model for the next answer."""
        return self._current

    @contextlib.contextmanager
    def using(self) -> Iterator[Reading]:
        """Give the current model, which stays open inside even if another one takes its place."""
        with self._lock:
            reading = self._current
            reading.answers += 1
        try:
            yield reading
        finally:
            with self._lock:
                reading.answers -= 1
                over = reading in self._replaced and reading.answers == 0
                if over:
                    self._replaced.remove(reading)
            if over:
                reading.close()

    def switch(self, choice: Choice) -> None:
        """Let new answers get another model; the one before is closed once it is idle."""
        load_meanwhile(choice)
        with self._lock:
            before, self._current = self._current, Reading(choice, self._store)
            if before.answers:
                self._replaced.append(before)
                return
        before.close()

    def replace(self, model: ChatModel | None) -> None:
        """Let new answers get a model of the caller's; the one before stays open."""
        with self._lock:
            self._current = Reading(replace(self._current.choice, model=model), self._store)

    def close(self) -> None:
        """Release every model at once, which ends the answers under way."""
        with self._lock:
            readings, self._replaced = [self._current, *self._replaced], []
        for reading in readings:
            reading.close()


def load_meanwhile(choice: Choice) -> None:
    """Load the language model in a thread: the encoder, which loads too, does not wait for it."""

    def load() -> None:
        # A model that cannot be loaded is named when the first question asks it.
        with contextlib.suppress(QAError):
            if choice.model is not None:
                choice.model.load()

    threading.Thread(target=load, name="load the language model", daemon=True).start()
