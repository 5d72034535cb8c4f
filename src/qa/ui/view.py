"""What is sent to the browser: plain JSON values, no HTML.

The page's scripts put every string on the page as text (``textContent``), so nothing here is
escaped and nothing may be turned into HTML. Positions are those of the documents and count code
points, not the UTF-16 units of the browser, which uses them as names of sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from qa.types import Citation, Document, Sentence, Statement
from qa.ui.exchange import Exchange, numbered
from qa.ui.labels import examples
from qa.ui.protocol import DocumentInfo

View = dict[str, Any]

# A line end and the white space after it: the browser starts a new paragraph there.
_LINE_BREAK = re.compile(r"(\n\s*)")


def log_view(exchanges: Sequence[Exchange], documents: Sequence[DocumentInfo]) -> View:
    """Return the conversation as the chat log shows it."""
    return {
        "busy": bool(exchanges) and exchanges[-1].running,
        "exchanges": [_exchange(exchange) for exchange in exchanges],
        "examples": examples(documents) if not exchanges else {},
        "documents": len(documents),
    }


def marks_view(exchanges: Sequence[Exchange]) -> View:
    """Return the sentences that light up in the document panel for the latest question.

    ``asked`` counts the questions: a new one clears the sentence that a marker showed.
    """
    if not exchanges:
        return {"asked": 0, "considered": [], "chosen": []}
    exchange = exchanges[-1]
    return {
        "asked": len(exchanges),
        "considered": [_pointer(citation) for citation in exchange.considered],
        "chosen": [_pointer(citation) for citation in exchange.chosen],
    }


def shelf_view(documents: Sequence[DocumentInfo]) -> list[View]:
    """Return the list of documents that the panel can show."""
    return [
        {"id": document.id, "title": document.title, "sentences": document.sentences}
        for document in documents
    ]


def document_view(document: Document, sentences: Sequence[Sentence]) -> View:
    """Return a document's whole text as paragraphs of pieces, each a sentence or what lies between.

    Joining every piece's ``text`` and every paragraph's ``gap`` gives ``document.text`` back.
    """
    paragraphs: list[View] = [_paragraph()]
    for piece in _pieces(document.text, sentences):
        if piece["end"] is not None:
            paragraphs[-1]["pieces"].append(piece)
            continue
        for part in _LINE_BREAK.split(piece["text"]):
            if part.startswith("\n"):
                paragraphs[-1]["gap"] = part
                paragraphs.append(_paragraph())
            elif part:
                paragraphs[-1]["pieces"].append({**piece, "text": part})
    if not paragraphs[-1]["pieces"] and len(paragraphs) > 1:
        paragraphs.pop()
    return {"id": document.id, "title": document.title, "paragraphs": paragraphs}


def _paragraph() -> View:
    return {"pieces": [], "gap": ""}


def _pieces(text: str, sentences: Sequence[Sentence]) -> list[View]:
    """Return the text cut at the sentences' borders; pieces between sentences have no ``end``."""
    pieces: list[View] = []
    at = 0
    for sentence in sentences:
        if at < sentence.start:
            pieces.append(_piece(text[at : sentence.start]))
        pieces.append(
            {
                "start": sentence.start,
                "end": sentence.end,
                "text": text[sentence.start : sentence.end],
                "heading": sentence.heading,
            }
        )
        at = sentence.end
    if at < len(text):
        pieces.append(_piece(text[at:]))
    return pieces


def _piece(text: str) -> View:
    return {"start": None, "end": None, "text": text, "heading": False}


def _exchange(exchange: Exchange) -> View:
    numbers = {
        _key(citation): number
        for number, citation in enumerate(numbered(exchange.statements), start=1)
    }
    view: View = {
        "question": exchange.question,
        "state": exchange.state,
        "statements": [_statement(statement, numbers) for statement in exchange.statements],
        "draft": exchange.draft,
        "error": exchange.error,
        "answered": True,
        "text": "",
        "nearest": [],
        "notices": [],
        "asked": "",
    }
    answer = exchange.answer
    if answer is not None:
        view["answered"] = answer.answered
        view["text"] = "" if answer.statements else answer.text
        view["nearest"] = [_citation(citation) for citation in answer.nearest]
        view["notices"] = list(answer.notices)
        view["asked"] = answer.question if _rewritten(exchange.question, answer.question) else ""
    return view


def _rewritten(asked: str, used: str) -> bool:
    return bool(used) and " ".join(asked.split()) != " ".join(used.split())


def _statement(statement: Statement, numbers: dict[tuple[str, int, int], int]) -> View:
    return {
        "text": statement.text,
        "support": statement.support,
        "citations": [
            {**_citation(citation), "number": numbers[_key(citation)]}
            for citation in statement.citations
        ],
    }


def _citation(citation: Citation) -> View:
    return {
        **_pointer(citation),
        "title": citation.title,
        "page": citation.page,
        "text": citation.text,
    }


def _pointer(citation: Citation) -> View:
    return {"document": citation.document, "start": citation.start, "end": citation.end}


def _key(citation: Citation) -> tuple[str, int, int]:
    return citation.document, citation.start, citation.end
