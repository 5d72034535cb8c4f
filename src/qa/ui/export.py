r"""Conversations as files and as text to paste: Markdown, JSON, an answer with footnotes.

What people, documents and models wrote is data here too: in Markdown it is escaped, so that no
viewer makes a link, an image or a heading of it.

Example: ``footnoted(statements)`` is ``"Il pleut. [1]\n\n[1] meteo : « Il pleut à Paris. »"``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from qa.types import Citation
from qa.ui.exchange import Exchange, numbered, numbers, place
from qa.ui.labels import LABELS

# What CommonMark and its extensions give a meaning to, anywhere or at the beginning of a line.
_MARKUP = re.compile(
    r"[\\`*_\[\]<>&~|!$]|(?<=www)\.|:(?=//)|^[#+\-=:]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d{3})[.)]"
)
# Turn the reading direction around; harmless on the page, which isolates them, but not in a file.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def footnoted(exchange: Exchange) -> str:
    """Return an answer as plain text, its markers explained in footnotes."""
    citations = numbered(exchange.statements)
    body = _body(exchange, lambda text: text)
    notes = [
        f"[{number}] {_source(citation)} : « {_line(citation.text)} »"
        for number, citation in enumerate(citations, start=1)
    ]
    return "\n\n".join(part for part in (body, "\n".join(notes)) if part)


def markdown(name: str, exchanges: Sequence[Exchange], language: str) -> str:
    """Return a conversation as Markdown: questions as headings, citations as footnotes.

    The words of an answer that a model left unfinished are quoted before it, and called so.
    """
    parts = [f"# {_escaped(_line(name))}"]
    for count, exchange in enumerate(exchanges, start=1):
        parts.append(f"## {_escaped(_line(exchange.question))}")
        if exchange.answer is not None and exchange.answer.unfinished:
            words = _escaped(f"{_line(exchange.answer.unfinished)} […]")
            parts.append(f"> {LABELS[language]['unfinished']} {words}")
        citations = numbered(exchange.statements)
        parts.append(_body(exchange, _escaped, note=f"{count}-"))
        parts.extend(
            f"[^{count}-{number}]: {_escaped(_source(citation))},"
            f" {citation.start}–{citation.end} : « {_escaped(_line(citation.text))} »"
            for number, citation in enumerate(citations, start=1)
        )
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(name: str, exchanges: Sequence[Exchange]) -> str:
    """Return a conversation as JSON: every exchange with the fields of its ``Answer``."""
    return json.dumps(
        {"name": name, "exchanges": [_record(exchange) for exchange in exchanges]},
        ensure_ascii=False,
        indent=2,
    )


def file_name(name: str, suffix: str) -> str:
    """Return a name that every file system takes, made of the conversation's own."""
    words = re.findall(r"[^\W_]+", name)
    return ("-".join(words)[:60].strip("-") or "conversation") + suffix


def _body(
    exchange: Exchange,
    write: Callable[[str], str],
    note: str = "",
) -> str:
    """Return what was answered, with a marker after each statement; ``note`` makes them Markdown's.

    An answer that was stopped or failed ends with an ellipsis in brackets.
    """
    number_of = numbers(exchange.statements)
    caret = "^" if note else ""
    parts = [
        " ".join(
            [
                write(_line(statement.text)),
                *(f"[{caret}{note}{number_of[place(one)]}]" for one in statement.citations),
            ]
        )
        for statement in exchange.statements
    ]
    if exchange.answer is None:
        parts += [write(_line(exchange.draft)), write("[…]")]
    elif not exchange.statements:
        parts.append(write(_line(exchange.answer.text)))
        parts += [f"- « {write(_line(one.text))} »" for one in exchange.answer.nearest]
    quotes = all(statement.support == "quoted" for statement in exchange.statements)
    return ("\n\n" if quotes else " ").join(part for part in parts if part)


def _source(citation: Citation) -> str:
    page = "" if citation.page is None else f", p. {citation.page}"
    return f"{_line(citation.title)}{page}"


def _line(text: str) -> str:
    return " ".join(_DIRECTIONS.sub("", text).split())


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda found: "\\" + found[0], text)


def _record(exchange: Exchange) -> dict[str, Any]:
    answer = exchange.answer
    return {
        "question": exchange.question,
        "documents": exchange.documents,
        "state": exchange.state,
        "verdict": exchange.verdict,
        "partial": "" if answer else footnoted(exchange),
        "error": exchange.error,
        "answer": None if answer is None else asdict(answer),
    }
