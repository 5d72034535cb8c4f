"""One question, told as events: retrieve → evidence → write → check.

It holds no resource of its own: store, encoder and model are handed in, and one call serves one
question. Closing the generator closes the model's stream. A model that fails on the way is named
in the answer's notices, and the sentences themselves answer instead; the question is never lost.

Example: ``for event in answer_events("Qui parle ?", (), resources): …``
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from qa.calibration import calibration_for
from qa.check import Checked, check, quotation
from qa.conversation import leans_on_history, standalone
from qa.embed import Encoder
from qa.errors import InputError, ModelUnavailable, PromptTooLong
from qa.evidence import Selection, select
from qa.llm.base import ChatModel
from qa.llm.meter import Meter
from qa.overview import central_sentences, is_overview
from qa.prompt import Language, NumberedDocument, write_prompt
from qa.retrieve import retrieve
from qa.store import Store
from qa.types import (
    Answer,
    Citation,
    Event,
    Evidence,
    Hit,
    Piece,
    Sentence,
    Statement,
    Timings,
    Turn,
    Usage,
)
from qa.words import language, tokens

NO_ANSWER: Final[dict[Language, str]] = {
    "fr": "Les documents ne répondent pas à cette question.",
    "en": "The documents do not answer this question.",
}
MAX_QUESTION_CHARS: Final = 4000
# Sentences under consideration: shown at once and handed to the evidence step.
_CONSIDERED: Final = 8
# What an abstention shows.
_NEAREST: Final = 3


@dataclass(frozen=True, slots=True)
class Resources:
    """What answering needs; ``held`` gives the numbered document if the model holds its prefix."""

    store: Store
    encoder: Encoder
    model: ChatModel | None
    backend: str
    held: Callable[[str], NumberedDocument | None]
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class _Exchange:
    """The running account of one question."""

    question: str
    language: Language
    ask: Meter | None
    started: float = field(default_factory=time.perf_counter)
    marks: dict[str, float] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    def mark(self, name: str) -> None:
        self.marks[name] = time.perf_counter() - self.started

    def timings(self) -> Timings:
        at = self.marks
        retrieved, chosen = at.get("retrieved", 0.0), at.get("chosen", 0.0)
        written, total = at.get("written", chosen), time.perf_counter() - self.started
        return Timings(
            retrieve_s=retrieved,
            evidence_s=chosen - retrieved,
            first_token_s=at.get("first token", 0.0),
            write_s=written - chosen,
            check_s=at.get("checked", written) - written,
            total_s=total,
            model_s=self.ask.model_s if self.ask else 0.0,
        )


def answer_events(
    question: str,
    history: Sequence[Turn],
    resources: Resources,
    documents: Collection[str] | None = None,
) -> Iterator[Event]:
    """Yield the evidence, pieces of text, each checked statement, and last the answer.

    :raises InputError: the question is empty, has no word in it, or is too long.
    """
    question = _valid(question)
    ask = Meter(resources.model) if resources.model is not None else None
    exchange = _Exchange(question, language(question), ask, notices=list(resources.notices))
    hits = yield from _consider(exchange, history, resources, documents)
    if hits and is_overview(question):
        yield from _overview(exchange, hits[0].sentence.document, resources)
        return
    selection = _select(exchange, hits, resources)
    exchange.mark("chosen")
    score_of = {c.hit.sentence: c.probability for c in selection.candidates}
    chosen = cite(selection.chosen, resources.store, score_of)
    considered = cite(hits, resources.store, score_of)
    checked = Checked(())
    if chosen:
        yield Evidence(chosen, chosen=True, confidence=selection.confidence)
        checked = yield from _write_and_check(exchange, chosen, resources)
    if not checked.statements:
        if not chosen:
            yield Evidence((), chosen=True, confidence=selection.confidence)
        yield _abstention(exchange, selection, considered, resources)
        return
    yield from checked.statements
    exchange.mark("checked")
    yield _answer(exchange, selection, checked, considered, resources)


def _overview(exchange: _Exchange, document: str, resources: Resources) -> Iterator[Event]:
    """Quote the sentences that cover the document; nothing is written, so nothing can be wrong."""
    chosen = cite(central_sentences(resources.store.sentences(document)), resources.store)
    exchange.mark("chosen")
    yield Evidence(chosen, chosen=True, confidence=1.0)
    checked = Checked(tuple(quotation(citation) for citation in chosen))
    yield from checked.statements
    answer = _answer(exchange, Selection((), (), 1.0), checked, chosen, resources)
    yield replace(answer, kind="overview")


def _valid(question: str) -> str:
    text = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in question).strip()
    if not text:
        raise InputError("the question is empty; type a question about the documents")
    if len(text) > MAX_QUESTION_CHARS:
        raise InputError(
            f"the question has {len(text)} characters; at most {MAX_QUESTION_CHARS} are read. "
            "Shorten it, or put the text in a document and ask about that"
        )
    if not tokens(text):
        raise InputError(f"the question {text!r} has no word in it; ask with a few words")
    return text


def _consider(
    exchange: _Exchange,
    history: Sequence[Turn],
    resources: Resources,
    documents: Collection[str] | None,
) -> Generator[Event, None, tuple[Hit, ...]]:
    """Retrieve; a follow-up is first retrieved with the question before it, then rewritten."""
    leans = bool(history) and leans_on_history(exchange.question)
    previous = history[-1].question if leans else None

    def search(question: str) -> tuple[Hit, ...]:
        return retrieve(
            question,
            resources.store,
            resources.encoder,
            top_k=_CONSIDERED,
            documents=documents,
            history_question=previous,
        )

    hits = search(exchange.question)
    exchange.mark("retrieved")
    yield Evidence(cite(hits, resources.store), chosen=False)
    if leans:
        rewritten = _standalone(exchange, history)
        if rewritten != exchange.question:
            exchange.question = rewritten
            hits = search(rewritten)
            yield Evidence(cite(hits, resources.store), chosen=False)
    return hits


def _standalone(exchange: _Exchange, history: Sequence[Turn]) -> str:
    try:
        return standalone(exchange.question, history, exchange.ask, exchange.language)
    except (ModelUnavailable, PromptTooLong) as error:
        exchange.notices.append(f"the follow-up was not rewritten: {error}")
        return standalone(exchange.question, history, None, exchange.language)


def _select(exchange: _Exchange, hits: Sequence[Hit], resources: Resources) -> Selection:
    """Choose the evidence, with the model if it works, by retrieval alone if it does not."""
    model = resources.model
    numbered = resources.held(hits[0].sentence.document) if hits and model is not None else None
    if exchange.ask is not None and model is not None:
        try:
            inside = numbered is not None and not model.keeps_prefixes
            # Fitted on stand-alone probes with log-probabilities: other probes have other odds.
            label = model.label if model.has_logprobs and not inside else ""
            selection = select(
                exchange.question,
                hits,
                calibration_for(label, voting=numbered is not None),
                exchange.ask,
                language=exchange.language,
                numbered=numbered,
                probe_inside=inside,
            )
            exchange.notices.extend(selection.notices)
            return selection
        except (ModelUnavailable, PromptTooLong) as error:
            exchange.notices.append(f"the sentences were chosen without the model: {error}")
    return select(exchange.question, hits, calibration_for(None), None)


def _write_and_check(
    exchange: _Exchange, chosen: Sequence[Citation], resources: Resources
) -> Generator[Event, None, Checked]:
    """Write from the chosen sentences, then check; quote them where there is no (working) model."""
    quoted = Checked(tuple(quotation(citation) for citation in chosen))
    if exchange.ask is None:
        return quoted
    texts = [" ".join(citation.text.split()) for citation in chosen]
    draft = ""
    try:
        for token in exchange.ask.stream(write_prompt(exchange.question, texts, exchange.language)):
            if token.text:
                if not draft:
                    exchange.mark("first token")
                draft += token.text
                yield Piece(token.text)
    except (ModelUnavailable, PromptTooLong) as error:
        exchange.mark("written")
        exchange.notices.append(f"the sentences are quoted as they are: {error}")
        return quoted
    exchange.mark("written")
    checked = check(draft, chosen, resources.encoder)
    exchange.notices.extend(checked.notices)
    return checked


def cite(
    hits: Sequence[Hit], store: Store, score_of: Mapping[Sentence, float] | None = None
) -> tuple[Citation, ...]:
    """Make citations of retrieved sentences; the text is sliced from the stored document."""
    documents = {name: store.document(name) for name in {hit.sentence.document for hit in hits}}
    citations = []
    for hit in hits:
        sentence = hit.sentence
        document = documents[sentence.document]
        citations.append(
            Citation(
                document=document.id,
                title=document.title,
                page=document.page_at(sentence.start),
                start=sentence.start,
                end=sentence.end,
                text=document.text[sentence.start : sentence.end],
                score=round((score_of or {}).get(sentence, hit.score), 4),
            )
        )
    return tuple(citations)


def _abstention(
    exchange: _Exchange, selection: Selection, considered: Sequence[Citation], resources: Resources
) -> Answer:
    return Answer(
        text=NO_ANSWER[exchange.language],
        answered=False,
        confidence=round(selection.confidence, 4),
        statements=(),
        citations=(),
        nearest=tuple(considered[:_NEAREST]),
        question=exchange.question,
        backend=resources.backend,
        timings=exchange.timings(),
        usage=exchange.ask.usage if exchange.ask else Usage(),
        considered=tuple(considered),
        notices=tuple(exchange.notices),
        kind="no answer",
    )


def _joined(statements: Sequence[Statement]) -> str:
    """Return the answer's text: a quotation is a line of its own when there are several."""
    quotes = len(statements) > 1 and all(s.support == "quoted" for s in statements)
    return ("\n" if quotes else " ").join(statement.text for statement in statements)


def _answer(
    exchange: _Exchange,
    selection: Selection,
    checked: Checked,
    considered: Sequence[Citation],
    resources: Resources,
) -> Answer:
    cited = dict.fromkeys(c for statement in checked.statements for c in statement.citations)
    return Answer(
        text=_joined(checked.statements),
        answered=True,
        confidence=round(selection.confidence, 4),
        statements=checked.statements,
        citations=tuple(cited),
        nearest=(),
        question=exchange.question,
        backend=resources.backend,
        timings=exchange.timings(),
        usage=exchange.ask.usage if exchange.ask else Usage(),
        considered=tuple(considered),
        notices=tuple(exchange.notices),
    )
