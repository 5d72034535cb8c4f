"""Writes the answer from the chosen sentences, or from all that was read together, and checks it.

Where that fails, or no whole sentence was written, the chosen sentences are quoted. Before a word
is shown, the writer's own wish to refuse has its say in the confidence. Not so for a model that was
trained to read, which was heard before: its first word of refusal only makes the chosen sentences
be quoted.

Example: ``selection, checked = yield from written(exchange, selection, chosen, resources)``.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Sequence
from dataclasses import replace

from qa.check import Checked, Needed, fewest, quotations, statements
from qa.consider import cite
from qa.errors import ModelUnavailable, PromptTooLong
from qa.evidence import Selection, heard, settled
from qa.exchange import Exchange, Resources
from qa.llm.base import ChatModel
from qa.pointing import pointing
from qa.prompt import read_prompt, write_prompt
from qa.sentences import split_text
from qa.types import Citation, Event, Evidence, Hit, Piece, Prompt, Sentence
from qa.witnesses import drafted


def written(
    exchange: Exchange,
    selection: Selection,
    chosen: tuple[Citation, ...],
    resources: Resources,
) -> Generator[Event, None, tuple[Selection, Checked]]:
    """Write, then check; quote the chosen sentences where there is no (working) model.

    It is written from ``selection.sources`` where there are any, else from the chosen sentences.
    Before a word is shown, the writer's own wish to refuse has its say in the confidence, unless
    that is :func:`qa.evidence.settled`: then the chosen sentences are quoted instead.
    """
    quoted = Checked(quotations(chosen))
    model = resources.model
    if exchange.ask is None or model is None:
        yield Evidence(chosen, chosen=True, confidence=selection.confidence)
        return selection, quoted
    shown = [hit.sentence for hit in selection.sources or selection.chosen]
    given, needed = _given(exchange, selection, chosen, resources)
    prompt = _prompt(exchange, resources.passages(shown), model)
    draft, cut = "", False
    try:
        with contextlib.closing(drafted(exchange.ask, prompt, exchange.language)) as pieces:
            first = next(pieces)
            exchange.mark("first token")
            selection = heard(selection, exchange.calibration, first.odds)
            if selection.chosen:
                yield Evidence(given, chosen=True, confidence=selection.confidence)
            if not selection.chosen or first.odds < 0:
                # It would refuse: what the other witnesses uphold is quoted instead.
                exchange.mark("written")
                return selection, quoted if selection.chosen else Checked(())
            for piece in itertools.chain([first], pieces):
                draft, cut = draft + piece.text, piece.cut
                exchange.least_likely = min(exchange.least_likely, piece.logprob)
                if piece.text:
                    yield Piece(piece.text)
    except (ModelUnavailable, PromptTooLong) as error:
        exchange.mark("written")
        exchange.notices.append(f"the answer was not written to its end: {error}")
        exchange.unfinished = draft.strip()
        exchange.broke_off = True
        return (yield from _unwritten(exchange, selection, chosen, begun=bool(draft)))
    exchange.mark("written")
    said = _said(exchange, draft, given, cut=cut)
    read = [Hit(one, 0.0, 1) for one in resources.read_beside(shown)]
    beside = cite(read, resources.store, _scores(selection))
    checked = resources.check(said, given, resources.encoder, resources.entailment, beside, needed)
    exchange.notices.extend(checked.notices)
    if not checked.statements and (not said or settled(exchange.calibration)):
        return selection, quoted  # as above: its first token did not say so
    return selection, _whole(checked, selection, chosen)


def _said(exchange: Exchange, draft: str, given: Sequence[Citation], *, cut: bool) -> str:
    """Return a draft up to its last whole sentence; the account notes why that is not all of it.

    :param cut: the limit of an answer's length ended it; a refusal is one however it ends.
    """
    if not draft.strip():
        exchange.notices.append("the model wrote nothing, so the sentences are quoted")
        return ""
    if not cut or not statements(draft, given):
        return draft
    # Where its last sentence has no end, the added word belongs to that sentence.
    ends = [end for _, end in split_text(f"{draft} Et")][:-1]
    said = draft[: ends[-1]] if ends else ""
    exchange.unfinished = draft[len(said) :].strip()
    exchange.broke_off = True
    if exchange.unfinished:
        exchange.notices.append("the answer was not written to its end: it grew too long")
    return said


def _given(
    exchange: Exchange, selection: Selection, chosen: tuple[Citation, ...], resources: Resources
) -> tuple[tuple[Citation, ...], Needed]:
    """Return what it is written from, best first, and what tells which of it a statement needs."""
    if not selection.sources:
        return chosen, fewest
    part = exchange.calibration
    needed = pointing(exchange.question, also=part.also, cover=part.cover)
    given = cite(selection.sources, resources.store, _scores(selection))
    return tuple(sorted(given, key=lambda citation: -citation.score)), needed


def _scores(selection: Selection) -> dict[Sentence, float]:
    return {c.hit.sentence: c.probability for c in selection.candidates}


def _whole(checked: Checked, selection: Selection, chosen: Sequence[Citation]) -> Checked:
    """Quote what answers a part of the question and was left out of the answer."""
    firsts = {(hit.sentence.document, hit.sentence.start) for hit in selection.firsts}
    said = {citation for statement in checked.statements for citation in statement.citations}
    left = [c for c in chosen if (c.document, c.start) in firsts and c not in said]
    if not checked.statements or len(firsts) < 2 or not left:
        return checked
    return replace(checked, statements=(*checked.statements, *quotations(left)))


def _prompt(exchange: Exchange, texts: Sequence[str], model: ChatModel) -> Prompt:
    if model.reads:
        return read_prompt(exchange.question, texts, exchange.language)
    examples = model.keeps_prefixes
    return write_prompt(exchange.question, texts, exchange.language, examples=examples)


def _unwritten(
    exchange: Exchange, selection: Selection, chosen: tuple[Citation, ...], *, begun: bool
) -> Generator[Event, None, tuple[Selection, Checked]]:
    """Quote the sentences of an answer that broke off, if they are sure without the writer."""
    if not begun:
        if selection.confidence < exchange.calibration.threshold:
            return replace(selection, chosen=()), Checked(())
        yield Evidence(chosen, chosen=True, confidence=selection.confidence)
    return selection, Checked(quotations(chosen))
