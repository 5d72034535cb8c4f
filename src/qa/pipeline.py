"""One question, told as events: retrieve → evidence → write → check.

It holds no resource of its own: store, encoder and model are handed in, and one call serves one
question. Closing the generator closes the model's stream. A model that fails on the way is named
in the answer's notices, and the sentences themselves answer instead; the question is never lost.

Example: ``for event in answer_events("Qui parle ?", (), resources): …``
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from qa.calibration import calibration_for
from qa.certainty import certainty
from qa.check import Checked, quotation
from qa.consider import Search, by_parts, cite, consider, cross, document_as_found, leant_on
from qa.courtesy import plainly
from qa.errors import InputError, ModelUnavailable, PromptTooLong
from qa.evidence import CONSIDERED, Selection, merge, select
from qa.exchange import Exchange, Resources
from qa.llm.meter import Meter
from qa.overview import MOST, covering
from qa.parts import question_parts
from qa.prompt import Language, NumberedDocument
from qa.types import Answer, Citation, Event, Evidence, Hit, Sentence, Statement, Turn, Usage
from qa.whole import asks_when_or_how_much, foreignness, is_overview, sounds_whole
from qa.words import fold, language, names, stems, tokens
from qa.writing import written

NO_ANSWER: Final[dict[Language, str]] = {
    "fr": "Les documents ne répondent pas à cette question.",
    "en": "The documents do not answer this question.",
}
MAX_QUESTION_CHARS: Final = 4000
# What an abstention shows.
_NEAREST: Final = 3


def answer_events(
    question: str,
    history: Sequence[Turn],
    resources: Resources,
    documents: Collection[str] | None = None,
) -> Iterator[Event]:
    """Yield the evidence, pieces of text, each checked statement, and last the answer.

    :raises InputError: the question is empty, has no word in it, or is too long.
    """
    question = plainly(valid_question(question))
    ask = Meter(resources.model) if resources.model is not None else None
    exchange = Exchange(question, language(question), ask, notices=list(resources.notices))
    search = Search(resources, documents, leant_on(question, history), exchange.notices)
    hits = yield from consider(exchange, history, search)
    if whole := _whole(question, hits, search):
        yield from _overview(exchange, whole, resources)
        return
    hits = cross(exchange, hits, search)
    parts = question_parts(exchange.sought)
    if resources.selection is not None:
        selection = resources.selection
    elif len(parts) == 1 or search.previous:
        selection = _select(exchange, exchange.sought, hits, resources)
    elif resources.model is not None and resources.model.reads:
        found = by_parts(parts, exchange.sought, search)
        selection = _select(exchange, exchange.sought, found, resources, several=True)
    else:
        each = (_select(exchange, part, search(part, exchange.sought), resources) for part in parts)
        selection = merge(list(each))
    exchange.mark("chosen")
    score_of = {c.hit.sentence: c.probability for c in selection.candidates}
    chosen = cite(selection.chosen, resources.store, score_of)
    seen = {c.hit.sentence: c.hit for c in selection.candidates}
    seen |= {hit.sentence: hit for hit in hits[:CONSIDERED] if hit.sentence not in seen}
    considered = cite(list(seen.values()), resources.store, score_of)
    checked = Checked(())
    if chosen:
        selection, checked = yield from written(exchange, selection, chosen, resources)
    exchange.mark("checked")
    if not checked.statements or not _is_certain(exchange, selection, checked):
        yield Evidence((), chosen=True, confidence=selection.confidence)
        if whole := _whole(question, hits, search, refused=True):
            yield from _overview(exchange, whole, resources)
            return
        yield _abstention(exchange, selection, checked, considered, resources)
        return
    yield from checked.statements
    yield _answer(exchange, selection, checked, considered, resources)


def _is_certain(exchange: Exchange, selection: Selection, checked: Checked) -> bool:
    """Return whether an answer is likely enough the right one.

    Of what broke off nobody knows: the cut was fitted on answers that were written to their end.
    """
    least = exchange.calibration.least_certainty
    return exchange.broke_off or certainty(exchange, selection, checked) >= least


def _whole(
    question: str, hits: Sequence[Hit], search: Search, *, refused: bool = False
) -> list[tuple[Citation, ...]]:
    """Return what covers the documents, a statement each, if the question asks for the whole.

    :param refused: the documents do not answer it as a question.
    """
    store = search.resources.store
    with store.reading():
        if not hits or not _for_the_whole(question, hits[0], search, refused=refused):
            return []
        meant = _meant(question, hits, search)
        parts = covering([(store.sentences(one), store.document(one).text) for one in meant])
        return [cite(part, store) for part in parts]


def _for_the_whole(question: str, best: Hit, search: Search, *, refused: bool) -> bool:
    """Tell whether the question asks for the whole of the document that was found."""
    store = search.resources.store
    if best.sentence.document not in store:  # gone since
        return False
    document = store.document(best.sentence.document)
    if is_overview(question, document.title):
        return True
    # «Et en Syrie ?» says too little by itself, «jusqu'à quelle date» says what is wanted.
    if search.previous or asks_when_or_how_much(question):
        return False
    encoder = search.resources.encoder
    if not sounds_whole(encoder.encode([question], query=True)[0], encoder.id, refused=refused):
        return False
    named, text = names(question), fold(f"{document.title} {document.text}")
    return not named or any(name in text for name in named)  # «résume Hamlet» is about no lease


def _meant(question: str, hits: Sequence[Hit], search: Search) -> tuple[str, ...]:
    """Return the documents that a request for the whole means.

    The best one when it says what about; those whose titles share a word with it; otherwise all.
    """
    found = dict.fromkeys(hit.sentence.document for hit in hits)
    if not is_overview(question):
        return tuple(found)[:1]
    infos = search.resources.store.documents()
    titles = {one.id: one.title for one in infos if one.id in (search.documents or {one.id})}
    said = set(stems(question))
    meant = [name for name, title in titles.items() if said & set(stems(title))] or list(titles)
    ordered = [*(name for name in found if name in meant), *(n for n in meant if n not in found)]
    if len(ordered) > MOST:
        search.notices.append(
            f"the question means {len(ordered)} documents, and these are {MOST} of them; choose "
            "among the documents to be told of others"
        )
    return tuple(ordered[:MOST])


def _overview(
    exchange: Exchange, cited: Sequence[Sequence[Citation]], resources: Resources
) -> Iterator[Event]:
    """Quote the sentences that cover documents; nothing is written, so nothing can be wrong."""
    chosen = tuple(citation for part in cited for citation in part)
    if "chosen" not in exchange.marks:
        exchange.mark("chosen")
    yield Evidence(chosen, chosen=True, confidence=1.0)
    checked = Checked(tuple(quotation(*part) for part in cited))
    yield from checked.statements
    answer = _answer(exchange, Selection((), (), 1.0), checked, chosen, resources)
    yield replace(answer, kind="overview")


def valid_question(question: str) -> str:
    """Return a question as it is asked, trimmed.

    :raises InputError: it is empty, has no word in it, or is too long.
    """
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


def _select(
    exchange: Exchange,
    question: str,
    hits: Sequence[Hit],
    resources: Resources,
    *,
    several: bool = False,
) -> Selection:
    """Choose the evidence, with the model if it works, by retrieval alone if it does not."""
    model = resources.model
    if exchange.ask is not None and model is not None:
        try:
            numbered = _numbered(hits[0].sentence, resources) if hits else None
            inside = numbered is not None and not model.keeps_prefixes
            # Fitted on stand-alone probes with log-probabilities: other probes have other odds.
            label = model.label if model.has_logprobs and not inside else ""
            exchange.calibration = calibration_for(
                label, resources.encoder.id, voting=numbered is not None, reading=model.reads
            )
            selection = select(
                question,
                hits,
                exchange.calibration,
                exchange.ask,
                language=exchange.spoken,
                asked=exchange.question if question == exchange.sought else question,
                asked_in=exchange.language,
                numbered=numbered,
                probe_inside=inside,
                passages=resources.passages,
                foreign=_foreign(exchange.question, resources),
                several=several,
            )
            exchange.notices.extend(selection.notices)
            return selection
        except (ModelUnavailable, PromptTooLong) as error:
            exchange.notices.append(f"the sentences were chosen without the model: {error}")
    exchange.calibration = calibration_for(None, resources.encoder.id)
    foreign = _foreign(exchange.question, resources)
    return select(question, hits, exchange.calibration, None, foreign=foreign)


def _numbered(best: Sentence, resources: Resources) -> NumberedDocument | None:
    """Return the best hit's document as the model holds it, unless it has changed since."""
    with resources.store.reading():
        if document_as_found(best, resources.store) is None:
            return None
        numbered = resources.held(best.document)
    return numbered if numbered is not None and best in numbered.sentences else None


def _foreign(question: str, resources: Resources) -> float:
    return foreignness(resources.encoder.encode([question], query=True)[0], resources.encoder.id)


def _abstention(
    exchange: Exchange,
    selection: Selection,
    checked: Checked,
    considered: Sequence[Citation],
    resources: Resources,
) -> Answer:
    """Say that there is no answer.

    :param checked: what was too uncertain to be given; nothing, where nothing was written.
    """
    sure = round(certainty(exchange, selection, checked), 4)
    notices = [one for one in exchange.notices if one not in checked.notices]
    if checked.statements:
        notices.append(f"what was written is too uncertain to be given: {sure:.2f}")
    return Answer(
        text=NO_ANSWER[exchange.language],
        answered=False,
        confidence=sure,
        answerable=round(selection.confidence, 4),
        statements=(),
        citations=(),
        nearest=tuple(considered[:_NEAREST]),
        question=exchange.question,
        backend=resources.backend,
        timings=exchange.timings(),
        usage=exchange.ask.usage if exchange.ask else Usage(),
        considered=tuple(considered),
        notices=tuple(notices),
        kind="no answer",
        unfinished=exchange.unfinished,
    )


def _joined(statements: Sequence[Statement]) -> str:
    """Return the answer's text: a quotation is a line of its own when there are several."""
    quotes = len(statements) > 1 and all(s.support == "quoted" for s in statements)
    return ("\n" if quotes else " ").join(statement.text for statement in statements)


def _answer(
    exchange: Exchange,
    selection: Selection,
    checked: Checked,
    considered: Sequence[Citation],
    resources: Resources,
) -> Answer:
    cited = dict.fromkeys(c for statement in checked.statements for c in statement.citations)
    sure = certainty(exchange, selection, checked)
    return Answer(
        text=_joined(checked.statements),
        answered=True,
        confidence=round(sure, 4),
        answerable=round(selection.confidence, 4),
        statements=checked.statements,
        citations=tuple(cited),
        nearest=(),
        question=exchange.question,
        backend=resources.backend,
        timings=exchange.timings(),
        usage=exchange.ask.usage if exchange.ask else Usage(),
        considered=tuple(considered),
        notices=tuple(exchange.notices),
        unfinished=exchange.unfinished,
    )
