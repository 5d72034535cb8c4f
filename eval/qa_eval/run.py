"""Asks a question set and keeps each prediction as it is made, so that a run can be interrupted.

It measures what people get: the same ``Assistant.stream`` as the chat. What the predictions are
worth is decided in :mod:`qa_eval.score`.

Example: ``run_items(assistant, items, Path("eval/results/dev"))``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from qa.conversation import leans_on_history
from qa.errors import ModelUnavailable
from qa.types import Answer, Citation, Document, Event, Evidence, Piece, Statement, Turn
from qa_eval.data import Item
from qa_eval.predictions import (
    Pointer,
    Pointers,
    Prediction,
    Said,
    open_log,
    read_predictions,
    write_line,
)
from qa_eval.recorder import Recorder

# Question, the question before it or None, the documents or None → the best sentences.
Search = Callable[[str, str | None, Collection[str] | None], tuple[Pointer, ...]]
Progress = Callable[[Prediction], None]


class Asked(Protocol):
    """What a run needs of whatever answers."""

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Answer as events, the last one the ``Answer``."""
        ...

    def document(self, document_id: str) -> Document:
        """Return a document."""
        ...


@runtime_checkable
class CountsPointers(Protocol):
    """A system that knows how many of the pointers that its model wrote led somewhere."""

    def pointers(self) -> Pointers:
        """Return the count of the last question."""
        ...


@dataclass(slots=True)
class _Heard:
    """What came out of one stream, and when."""

    started: float = field(default_factory=time.perf_counter)
    first_s: float = 0.0
    total_s: float = 0.0
    draft: str = ""
    chosen: tuple[Citation, ...] = ()
    answer: Answer | None = None

    def take(self, event: Event) -> None:
        now = time.perf_counter() - self.started
        if isinstance(event, (Piece, Statement)) and not self.first_s:
            self.first_s = now
        if isinstance(event, Piece):
            self.draft += event.text
        elif isinstance(event, Evidence) and event.chosen:
            self.chosen = event.citations
        elif isinstance(event, Answer):
            self.answer, self.total_s = event, now


def run_items(
    asked: Asked,
    items: Sequence[Item],
    out: Path,
    *,
    single: bool = True,
    watch: Recorder | None = None,
    search: Search | None = None,
    progress: Progress | None = None,
) -> list[Prediction]:
    """Ask every question that ``out`` does not hold yet; return all predictions.

    :param single: ask each question on its own document only.
    :param watch: the recorder around the model that answers, if there is one.
    :param search: tells how well the right sentences are found.
    :raises ModelUnavailable: the model was not there twice in a row; what is done is kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = read_predictions(out)
    with open_log(out) as file:
        for item in items:
            if item.id in done:
                continue
            try:
                prediction = predict(asked, item, single=single, watch=watch, search=search)
            except ModelUnavailable:  # servers restart a dead runner at the next call
                prediction = predict(asked, item, single=single, watch=watch, search=search)
            write_line(file, prediction)
            done[item.id] = prediction
            if progress:
                progress(prediction)
    return [done[item.id] for item in items]


def predict(
    asked: Asked,
    item: Item,
    *,
    single: bool = True,
    watch: Recorder | None = None,
    search: Search | None = None,
) -> Prediction:
    """Ask one question.

    :raises ModelUnavailable: the model failed on the way, so what came is not this system's answer.
    """
    scope = [item.document] if single else None
    if watch is not None:
        watch.clear()
    heard = _Heard()
    for event in asked.stream(item.question, item.history, scope):
        heard.take(event)
    if watch is not None and watch.failure is not None:
        raise watch.failure
    answer = heard.answer
    if answer is None:
        raise RuntimeError(f"{item.id}: the stream ended without an answer")
    before = Pointers(0, 0)
    if isinstance(asked, CountsPointers):
        before = asked.pointers()
    elif watch is not None:
        before = watch.ids()
    leans = bool(item.history) and leans_on_history(item.question)
    previous = item.history[-1].question if leans else None
    return Prediction(
        id=item.id,
        question=item.question,
        answered=answer.answered,
        text=answer.text,
        citations=_pointers(answer.citations),
        confidence=answer.confidence,
        latency_s=round(heard.total_s, 3),
        first_token_s=round(heard.first_s, 3),
        prompt_tokens=answer.usage.prompt_tokens,
        computed_tokens=answer.usage.computed_tokens,
        generated_tokens=answer.usage.generated_tokens,
        calls=len(watch.prompts) if watch is not None else 0,
        statements=tuple(
            Said(s.text, s.support, _pointers(s.citations)) for s in answer.statements
        ),
        standalone=answer.question,
        before=before,
        after=_checked(asked, answer),
        chosen=_pointers(heard.chosen),
        draft=heard.draft,
        retrieved=search(answer.question, previous, scope) if search else (),
        retrieved_raw=search(item.question, None, scope) if search else (),
        notices=answer.notices,
        answerable=answer.answerable,
    )


def _checked(asked: Asked, answer: Answer) -> Pointers:
    """Count the pointers that are shown, and those whose offsets give their text."""
    shown = [*answer.citations, *answer.nearest, *answer.considered]
    shown += [citation for statement in answer.statements for citation in statement.citations]
    texts = {name: asked.document(name).text for name in {c.document for c in shown}}
    valid = sum(bool(c.text) and texts[c.document][c.start : c.end] == c.text for c in shown)
    return Pointers(valid, len(shown))


def _pointers(citations: Sequence[Citation]) -> tuple[Pointer, ...]:
    return tuple(Pointer(c.document, c.start, c.end) for c in citations)
