"""What is sent to the browser: plain JSON values, no HTML.

The page's scripts put every string on the page as text (``textContent``), so nothing here is
escaped and nothing may be turned into HTML. Positions are those of the documents and count code
points, not the UTF-16 units of the browser, which uses them as names of sentences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from qa.types import Document, Sentence
from qa.ui.answer_view import exchange_view, pointer
from qa.ui.conversations import Conversation
from qa.ui.exchange import Exchange
from qa.ui.labels import examples
from qa.ui.protocol import DocumentInfo
from qa.ui.session import Session

View = dict[str, Any]

# A line end and the white space after it: the browser starts a new paragraph there.
_LINE_BREAK = re.compile(r"(\n\s*)")


def page_log(session: Session) -> View:
    """Return the log of a page as it is now."""
    view = log_view(session.exchanges, session.documents)
    elsewhere = view["busy"] and session.conversation not in session.answering
    return {
        **view,
        "conversation": session.conversation or "",
        "opened": session.opened,
        "trouble": session.trouble,
        "gone": session.gone,
        "follow": elsewhere,
    }


def page_panel(session: Session, uploads: Sequence[View] = (), show: str = "") -> View:
    """Return the document panel of a page as it is now.

    :param session: the page.
    :param uploads: reports on files that were just sent.
    :param show: the id of a document that the panel is asked to open.
    """
    return {
        "documents": shelf_view(session.documents),
        "uploads": list(uploads),
        "show": show,
        "opened": session.opened,
        **marks_view(session.exchanges),
    }


def log_view(exchanges: Sequence[Exchange], documents: Sequence[DocumentInfo]) -> View:
    """Return the conversation as the chat log shows it."""
    views = [exchange_view(exchange) for exchange in exchanges]
    for view in views[:-1]:
        view["last"] = False
    return {
        "busy": bool(exchanges) and exchanges[-1].running,
        "exchanges": views,
        "examples": examples(documents) if not exchanges else {},
        "documents": len(documents),
    }


def talks_view(conversations: Sequence[Conversation], session: Session) -> View:
    """Return the list of conversations as a page shows it."""
    return {
        "current": session.conversation or "",
        "opened": session.opened,
        "conversations": [
            {"id": one.id, "name": one.name, "updated": one.updated} for one in conversations
        ],
    }


def marks_view(exchanges: Sequence[Exchange]) -> View:
    """Return the sentences that light up in the document panel for the latest question.

    ``asked`` names the question: a new one clears the sentence that a marker showed.
    """
    if not exchanges:
        return {"asked": 0, "considered": [], "chosen": []}
    exchange = exchanges[-1]
    return {
        "asked": exchange.key,
        "considered": [pointer(citation) for citation in exchange.considered],
        "chosen": [pointer(citation) for citation in exchange.chosen],
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
