"""One exchange as the browser gets it: the answer, what can be done with it, and why it is so.

Plain JSON values, as in :mod:`qa.ui.view`: every string reaches the page as text, and messages come
in each of its languages.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from qa.types import Answer, Citation, Statement
from qa.ui.exchange import Exchange, Place, numbers, place
from qa.ui.export import footnoted
from qa.ui.spoken import said

View = dict[str, Any]

# The lowest confidence that is called by each name; below all of them it is low. Right were .85 of
# those called high, .73 of the medium ones, .43 of the low ones (eval/LOG.md, 2026-11-29).
CONFIDENT = (("high", 0.8), ("medium", 0.6))


def exchange_view(exchange: Exchange) -> View:
    """Return an exchange as the chat log shows it."""
    view: View = {
        "key": exchange.key,
        "last": True,
        "question": exchange.question,
        "state": exchange.state,
        "statements": _statements(exchange),
        "draft": exchange.draft,
        "error": said(exchange.error),
        "verdict": exchange.verdict,
        "kind": "answer",
        "text": "",
        "unfinished": "",
        "nearest": [],
        "notices": [],
        "asked": "",
        "confidence": None,
        "copy": "" if exchange.running else footnoted(exchange),
    }
    answer = exchange.answer
    if answer is not None:
        view |= {
            "kind": _kind(answer),
            "text": "" if answer.statements else answer.text,
            "unfinished": answer.unfinished,
            "nearest": [_citation(citation) for citation in answer.nearest],
            "notices": [said(notice) for notice in answer.notices],
            "asked": _rewritten(exchange.question, answer.question),
            "confidence": _confidence(answer),
        }
    return view


def why_view(exchange: Exchange) -> View:
    """Return what an answer was made of; only for an exchange that has its answer."""
    answer = exchange.answer
    if answer is None:
        return {}
    number_of = numbers(exchange.statements)
    return {
        "asked": _rewritten(exchange.question, answer.question),
        "confidence": answer.confidence,
        "answerable": answer.answerable,
        "considered": [
            {
                **_citation(citation),
                "score": citation.score,
                "number": number_of.get(place(citation)),
            }
            for citation in answer.considered
        ],
        "usage": asdict(answer.usage),
        "timings": asdict(answer.timings),
        "backend": answer.backend,
        "notices": [said(notice) for notice in answer.notices],
    }


def pointer(citation: Citation) -> View:
    """Return where a citation points, and the words there: a page may hold an older text."""
    return {
        "document": citation.document,
        "start": citation.start,
        "end": citation.end,
        "text": citation.text,
    }


def _kind(answer: Answer) -> str:
    """Return the answer's kind; an abstention is one whatever it calls itself."""
    if answer.kind == "small talk" or answer.answered:
        return answer.kind
    return "no answer"


def _confidence(answer: Answer) -> View | None:
    """Return how sure an answer is, as the name of a level and as a number from 0 to 1."""
    if not answer.answered or answer.kind != "answer":
        return None
    level = next((name for name, least in CONFIDENT if answer.confidence >= least), "low")
    return {"level": level, "value": answer.confidence}


def _rewritten(asked: str, used: str) -> str:
    """Return the question that was used, where it is not the one that was asked."""
    return "" if " ".join(asked.split()) == " ".join(used.split()) else used


def _statements(exchange: Exchange) -> list[View]:
    number_of = numbers(exchange.statements)
    return [_statement(statement, number_of) for statement in exchange.statements]


def _statement(statement: Statement, number_of: dict[Place, int]) -> View:
    return {
        "text": statement.text,
        "support": statement.support,
        "citations": [
            {**_citation(citation), "number": number_of[place(citation)]}
            for citation in statement.citations
        ],
    }


def _citation(citation: Citation) -> View:
    return {
        **pointer(citation),
        "title": citation.title,
        "page": citation.page,
    }
