"""Our own pipeline with one step taken out or made perfect: what that step is worth.

``Unchecked`` shows what the model wrote as it wrote it, cited as one statement. ``Oracle``
writes from the gold sentences and never answers what has no answer: the most that better evidence
could bring.

Example: ``list(Oracle(assistant, items).stream(items[0].question))[-1].citations``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from qa import Assistant
from qa.check import Checked, Needed, clean
from qa.embed import Encoder
from qa.entail import Entailment
from qa.evidence import Selection
from qa.pipeline import answer_events
from qa.types import Citation, Document, Event, Hit, Statement, Turn
from qa_eval.data import Item


class Unchecked:
    """The pipeline without the check."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def document(self, document_id: str) -> Document:
        """Return a document."""
        return self._assistant.document(document_id)

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Answer; the draft is the answer."""
        parts = replace(self._assistant.resources(), check=_as_written)
        return answer_events(question, history, parts, documents)


def _as_written(
    draft: str,
    chosen: Sequence[Citation],
    _: Encoder,
    __: Entailment | None,
    ___: Sequence[Citation],
    needed: Needed,
) -> Checked:
    text = clean(draft)
    if not text:
        return Checked((), refused=True)
    return Checked((Statement(text, needed(text, chosen), "partly"),))


class Oracle:
    """The pipeline with the gold sentences for evidence, each question known beforehand."""

    def __init__(self, assistant: Assistant, items: Sequence[Item]) -> None:
        self._assistant = assistant
        self._items = {(item.question, item.history, item.document): item for item in items}

    def document(self, document_id: str) -> Document:
        """Return a document."""
        return self._assistant.document(document_id)

    def stream(
        self, question: str, history: Sequence[Turn] = (), documents: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Answer from the first gold set; without gold there is no answer.

        :raises KeyError: the question is not of the set, or not asked on its own document.
        """
        (document,) = documents or ("",)
        item = self._items[question, tuple(history), document]
        gold = set(item.evidence[0]) if item.has_gold else set()
        sentences = self._assistant.sentences(document)
        hits = tuple(Hit(s, 1.0, 1) for s in sentences if (s.start, s.end) in gold)
        selection = Selection((), hits, float(bool(hits)))
        parts = replace(self._assistant.resources(), selection=selection)
        return answer_events(question, history, parts, documents)
