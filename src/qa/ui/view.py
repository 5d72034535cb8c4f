"""What is sent to the browser: plain JSON values, no HTML.

The page's scripts put every string on the page as text (``textContent``), so nothing here is
escaped and nothing may be turned into HTML. Positions are those of the documents and count code
points, not the UTF-16 units of the browser, which uses them as names of sentences.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from qa.types import Document, Sentence
from qa.ui.answer_view import exchange_view, pointer
from qa.ui.conversations import Conversation
from qa.ui.exchange import Exchange
from qa.ui.labels import examples
from qa.ui.protocol import DocumentInfo
from qa.ui.session import Session
from qa.ui.spoken import said

View = dict[str, Any]

# A line end and the white space after it: the browser starts a new paragraph there.
_LINE_BREAK = re.compile(r"(\n\s*)")
# Pieces after which a paragraph without any line end is cut: the browser draws what is in view,
# paragraph by paragraph.
_LONG_PARAGRAPH = 80


def page_log(session: Session) -> View:
    """Return the log of a page as it is now."""
    view = log_view(session.exchanges, session.documents)
    elsewhere = view["busy"] and session.conversation not in session.answering
    return {
        **view,
        "conversation": session.conversation or "",
        **_when(session),
        "trouble": said(session.trouble),
        "gone": session.gone,
        "follow": elsewhere,
    }


def page_panel(session: Session) -> View:
    """Return the document panel of a page as it is now."""
    return {**_when(session), **marks_view(session.exchanges)}


def _when(session: Session) -> View:
    """Return what tells the browser whether a view was overtaken on the way by another."""
    return {"opened": session.opened, "sent": session.stamp()}


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
        **_when(session),
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
        {
            "id": document.id,
            "title": document.title,
            "sentences": document.sentences,
            "notices": [said(notice) for notice in document.notices],
        }
        for document in documents
    ]


def document_view(document: Document, sentences: Sequence[Sentence]) -> View:
    """Return a document's whole text as paragraphs of pieces, each a sentence or what lies between.

    A sentence is ``[start, end, text]``, what lies between is a string. Joining the texts of all
    pieces and every paragraph's ``gap`` gives ``document.text`` back. ``pages`` is the number of
    page pictures that can be asked for.
    """
    pictures = document.pages if document.id.lower().endswith(".pdf") else ()
    return {
        "id": document.id,
        "title": document.title,
        "paragraphs": _paragraphs(document, sentences),
        "pages": max((page.number for page in pictures), default=0),
    }


def _paragraphs(document: Document, sentences: Sequence[Sentence]) -> list[View]:
    begin = _beginner(document)
    paragraphs = [begin(0)]
    for piece in _pieces(document.text, sentences):
        if isinstance(piece, Sentence):
            if len(paragraphs[-1]["pieces"]) >= _LONG_PARAGRAPH:
                paragraphs.append(begin(piece.start))
            text = document.text[piece.start : piece.end]
            paragraphs[-1]["pieces"].append([piece.start, piece.end, text])
            paragraphs[-1]["heading"] = piece.heading and any(map(str.isalnum, text))  # no rule
            continue
        at, between = piece
        for part in _LINE_BREAK.split(between):
            at += len(part)
            if part.startswith("\n"):
                paragraphs[-1]["gap"] = part
                paragraphs.append(begin(at))
            elif part:
                paragraphs[-1]["pieces"].append(part)
    if not paragraphs[-1]["pieces"] and len(paragraphs) > 1:
        paragraphs.pop()
    return paragraphs


def _beginner(document: Document) -> Callable[[int], View]:
    """Return what makes an empty paragraph that starts at a place of the document."""
    starts = [page.start for page in document.pages]

    def begin(start: int) -> View:
        found = bisect_right(starts, start) - 1
        page = document.pages[found].number if found >= 0 else None
        return {"start": start, "page": page, "heading": False, "pieces": [], "gap": ""}

    return begin


def _pieces(text: str, sentences: Sequence[Sentence]) -> Iterator[Sentence | tuple[int, str]]:
    """Yield the text cut at the sentences' borders; what lies between comes with its place."""
    at = 0
    for sentence in sentences:
        if at < sentence.start:
            yield at, text[at : sentence.start]
        yield sentence
        at = sentence.end
    if at < len(text):
        yield at, text[at:]
