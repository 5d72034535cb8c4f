"""What is said about a question if it is answered whatever the confidence.

From answers that would not have been shown, too, it is learnt how an answer that is right differs
from one that is not (:mod:`qa.certainty`). It goes the pipeline's own way, from candidates that
were judged before.

Example: ``said_anyway(exchange, candidates, known, resources)["text"]``.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from qa.calibration import calibration_for
from qa.certainty import answer_features
from qa.check import Checked
from qa.consider import cite
from qa.evidence import (
    Candidate,
    Overall,
    Selection,
    decide,
    foremost,
    left_open,
    policy,
    read_together,
    written_from,
)
from qa.exchange import Exchange, Resources
from qa.parts import question_parts
from qa.types import Event
from qa.whole import foreignness
from qa.writing import written


def said_anyway(
    exchange: Exchange, candidates: Sequence[Candidate], known: Overall, resources: Resources
) -> dict[str, object] | None:
    """Answer, by the package's calibration but for its threshold.

    :param candidates: with their votes, and at least the probes that the calibration asks for.
    :param known: the odds of what is read together, and what the vote said of there being none.
    :return: the text, the spans cited, and :func:`qa.certainty.answer_features`; None without a
        model, and where nothing is near the question.
    """
    if exchange.ask is None or not candidates:
        return None
    selection = _selection(exchange, candidates, known, resources)
    if not selection.chosen:
        return None
    likely = {c.hit.sentence: c.probability for c in selection.candidates}
    chosen = cite(selection.chosen, resources.store, likely)
    checked = _last(written(exchange, selection, chosen, resources))
    return {
        "text": " ".join(one.text for one in checked.statements),
        "cited": [[c.start, c.end] for one in checked.statements for c in one.citations],
        "features": answer_features(exchange, selection, checked),
    }


def _selection(
    exchange: Exchange, candidates: Sequence[Candidate], known: Overall, resources: Resources
) -> Selection:
    assert exchange.ask is not None
    model, encoder = exchange.ask.model, resources.encoder
    voting = any(candidate.voted for candidate in candidates)
    part = calibration_for(model.label, encoder.id, voting=voting, reading=model.reads)
    exchange.calibration = replace(part, threshold=0.0, hopeless=0.0)
    probes = {candidate.hit.sentence: candidate.probe or 0.0 for candidate in candidates}
    unasked = [replace(candidate, probe=None) for candidate in candidates]
    asked = policy(unasked, part, lambda candidate: probes[candidate.hit.sentence])
    foreign = foreignness(encoder.encode([exchange.question], query=True)[0], encoder.id)
    heeded = left_open(asked, known.absent)
    together = known.together if heeded else foremost(asked)
    overall = Overall(together, foreign, known.absent)
    selection = decide(exchange.sought, asked, exchange.calibration, overall)
    several = len(question_parts(exchange.sought)) > 1
    shown = read_together(candidates)
    sources = written_from(
        selection, shown, exchange.calibration, together, heeded=heeded, several=several
    )
    return replace(selection, sources=sources)


def _last(events: Generator[Event, None, tuple[Selection, Checked]]) -> Checked:
    """Run a step to its end and return what was checked."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value[1]
