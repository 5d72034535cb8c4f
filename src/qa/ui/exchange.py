"""One question and what has come back so far: a value that grows event by event.

It knows nothing of the browser. Citations are numbered in first-use order within an answer, from 1.

Example: ``for event in events: exchange = advance(exchange, event)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from qa.conversation import turn
from qa.types import Answer, Citation, Event, Evidence, Piece, Statement, Turn

State = Literal["thinking", "writing", "done", "stopped", "failed"]
Verdict = Literal["", "up", "down"]
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, and the parts of its answer that are known.

    ``draft`` is text that the model wrote and nobody has checked yet. ``error`` is empty where a
    failure has no words of its own. ``documents`` are the ids that were asked; None is all.
    ``key`` names the exchange in the stored conversation; 0 before it is stored.
    """

    question: str
    state: State = "thinking"
    considered: tuple[Citation, ...] = ()
    chosen: tuple[Citation, ...] = ()
    draft: str = ""
    statements: tuple[Statement, ...] = ()
    answer: Answer | None = None
    error: str = ""
    documents: tuple[str, ...] | None = None
    verdict: Verdict = ""
    key: int = 0

    @property
    def running(self) -> bool:
        """Return whether more is to come."""
        return self.state in ("thinking", "writing")


def advance(exchange: Exchange, event: Event) -> Exchange:
    """Return the exchange after one event of the stream."""
    match event:
        case Evidence(citations=citations, chosen=False):
            return replace(exchange, considered=citations)
        case Evidence(citations=citations):
            state: State = "writing" if citations else exchange.state
            return replace(exchange, state=state, considered=(), chosen=citations)
        case Piece(text=text):
            return replace(exchange, state="writing", draft=exchange.draft + text)
        case Statement():
            return replace(
                exchange,
                state="writing",
                draft=_after(exchange.draft, event.text),
                statements=(*exchange.statements, event),
            )
        case Answer():
            return replace(
                exchange,
                state="done",
                draft="",
                considered=(),
                chosen=event.citations,
                statements=event.statements,
                answer=event,
            )


def stop(exchange: Exchange) -> Exchange:
    """Return a running exchange as one that the person stopped; what was written stays."""
    return replace(exchange, state="stopped", considered=()) if exchange.running else exchange


def fail(exchange: Exchange, error: str) -> Exchange:
    """Return the exchange as one that failed; what was written stays."""
    return replace(exchange, state="failed", considered=(), error=error)


def history(exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
    """Return the finished exchanges as turns, oldest first."""
    return tuple(turn(one.question, one.answer) for one in exchanges if one.answer is not None)


def place(citation: Citation) -> Place:
    """Return where a citation points, which is what tells it from others."""
    return citation.document, citation.start, citation.end


def numbered(statements: Sequence[Statement]) -> tuple[Citation, ...]:
    """Return the citations, each once, in first-use order: the n-th carries the marker ``[n]``."""
    first_use: dict[Place, Citation] = {}
    for statement in statements:
        for citation in statement.citations:
            first_use.setdefault(place(citation), citation)
    return tuple(first_use.values())


def numbers(statements: Sequence[Statement]) -> dict[Place, int]:
    """Return the number of each cited place."""
    return {place(one): number for number, one in enumerate(numbered(statements), start=1)}


def _after(draft: str, checked: str) -> str:
    """Return the draft without the text that a checked statement replaces.

    A statement that was repaired or quoted is not in the draft word for word; then the whole draft
    goes, and what follows comes with the next statement.
    """
    place = draft.find(checked.strip())
    return draft[place + len(checked.strip()) :] if place >= 0 else ""
