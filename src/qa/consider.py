"""What is under consideration: retrieval for a question, for a follow-up, and for a part of one.

A follow-up is first retrieved with the question before it, then made to stand alone; a question in
another language than the document that was found is then sought in the document's. The module
knows nothing of what the sentences prove.

Example: ``Search(resources, None, None)("Qui parle ?")[0].sentence.text``.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from qa.conversation import leans_on_history, standalone
from qa.errors import ModelUnavailable, PromptTooLong
from qa.evidence import CONSIDERED
from qa.exchange import Exchange, Resources
from qa.order import in_order
from qa.prompt import Language
from qa.retrieve import rerank, retrieve
from qa.store import Store
from qa.translation import translated
from qa.types import Citation, Document, Event, Evidence, Hit, Sentence, Turn
from qa.words import told_language

# Sentences handed to the evidence step; the best of them are shown at once.
_RETRIEVED: Final = 64
# Enough of a document to tell its language.
_TELLING_CHARS: Final = 4000


def leant_on(question: str, history: Sequence[Turn]) -> str | None:
    """Return the question before, if this one cannot be understood without it."""
    return history[-1].question if history and leans_on_history(question) else None


@dataclass(frozen=True, slots=True)
class Search:
    """Retrieval among the documents asked; ``previous`` is what a follow-up leans on.

    ``notices`` is told when the reranker of the settings cannot be used.
    """

    resources: Resources
    documents: Collection[str] | None
    previous: str | None
    notices: list[str] = field(default_factory=list)

    def __call__(self, question: str, whole: str | None = None) -> tuple[Hit, ...]:
        """Find sentences for a question, or for a part of the ``whole`` one."""
        before = whole or self.previous
        hits = retrieve(
            question,
            self.resources.store,
            self.resources.encoder,
            top_k=_RETRIEVED,
            documents=self.documents,
            history_question=before,
        )
        return self._ordered(f"{before} {question}" if before else question, hits)

    def _ordered(self, question: str, hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
        reranker = self.resources.reranker
        if reranker is None:
            return in_order(question, hits, self.resources.encoder.id)
        try:
            return rerank(question, hits, reranker, self.resources.passage)
        except ModelUnavailable as error:
            notice = f"the sentences were not reranked: {error}"
            if notice not in self.notices:
                self.notices.append(notice)
            return in_order(question, hits, self.resources.encoder.id)


def by_parts(parts: Sequence[str], whole: str, search: Search) -> tuple[Hit, ...]:
    """Search for each part of a question; take turns: the best hit for each, then the second."""
    turns = itertools.zip_longest(*(search(part, whole) for part in parts))
    first: dict[Sentence, Hit] = {}
    for hit in filter(None, itertools.chain.from_iterable(turns)):
        first.setdefault(hit.sentence, hit)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(first.values(), start=1))


def consider(
    exchange: Exchange, history: Sequence[Turn], search: Search
) -> Generator[Event, None, tuple[Hit, ...]]:
    """Retrieve; a follow-up is first retrieved with the question before it, then rewritten."""

    def shown(hits: Sequence[Hit]) -> Evidence:
        return Evidence(cite(hits[:CONSIDERED], search.resources.store), chosen=False)

    hits = search(exchange.question)
    if told_language(exchange.question) is None:  # «Wifi ?» is asked as the document speaks
        exchange.language = _spoken_in(hits, search.resources.store) or exchange.language
    exchange.mark("retrieved")
    yield shown(hits)
    if search.previous:
        rewritten = _standalone(exchange, history)
        if rewritten != exchange.question:
            exchange.question = rewritten
            hits = search(rewritten)
            yield shown(hits)
    return hits


def cross(exchange: Exchange, hits: tuple[Hit, ...], search: Search) -> tuple[Hit, ...]:
    """Seek again in the language of the document that was found, where it is another one."""
    exchange.sought, exchange.spoken = exchange.question, exchange.language
    spoken = _spoken_in(hits, search.resources.store) or exchange.language
    if exchange.ask is None or spoken == exchange.language:
        return hits
    try:
        sought = translated(exchange.question, spoken, exchange.ask)
    except (ModelUnavailable, PromptTooLong) as error:
        exchange.notices.append(f"the question was not translated: {error}")
        return hits
    if sought == exchange.question:
        return hits
    exchange.sought, exchange.spoken = sought, spoken
    return search(sought)


def _spoken_in(hits: Sequence[Hit], store: Store) -> Language | None:
    """Return the language of the best hit's document, if how it begins tells."""
    if not hits:
        return None
    best = hits[0].sentence
    document = document_as_found(best, store)
    return told_language(document.text[:_TELLING_CHARS] if document else best.text)


def _standalone(exchange: Exchange, history: Sequence[Turn]) -> str:
    try:
        return standalone(exchange.question, history, exchange.ask, exchange.language)
    except (ModelUnavailable, PromptTooLong) as error:
        exchange.notices.append(f"the follow-up was not rewritten: {error}")
        return standalone(exchange.question, history, None, exchange.language)


def cite(
    hits: Sequence[Hit], store: Store, score_of: Mapping[Sentence, float] | None = None
) -> tuple[Citation, ...]:
    """Make citations of retrieved sentences.

    Of a document that has changed since it was searched, or is gone, what was found there is cited,
    under its id and without a page.
    """
    citations = []
    with store.reading():
        for hit in hits:
            sentence = hit.sentence
            document = document_as_found(sentence, store)
            citations.append(
                Citation(
                    document=sentence.document,
                    title=document.title if document else sentence.document,
                    page=document.page_at(sentence.start) if document else None,
                    start=sentence.start,
                    end=sentence.end,
                    text=sentence.text,
                    score=round((score_of or {}).get(sentence, hit.score), 4),
                )
            )
    return tuple(citations)


def document_as_found(sentence: Sentence, store: Store) -> Document | None:
    """Return the document of a sentence that was found; None, if it has changed since."""
    with store.reading():
        if sentence.document not in store:
            return None
        document = store.document(sentence.document)
    return document if document.text[sentence.start : sentence.end] == sentence.text else None
