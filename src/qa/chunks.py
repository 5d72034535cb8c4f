"""Sentences → chunks: one for each sentence that can be cited, with the context it is read in.

The context is what a reader has seen before the sentence: the document's title, the heading
above, and the sentence before or, of an item or a row, what names it. It helps to find the sentence
(«Ils…», «cette loi») and is never cited itself.

Example: ``[chunk.context for chunk in make_chunks(document, split_sentences(document))]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from qa.lists import heads, leads
from qa.types import Chunk, Document, Sentence

CONTEXT_CHARS = 400
"""The longest context, about 100 tokens: with most sentences it fits an encoder's 512."""

_LABEL_CHARS = 120  # of the title and of the heading; the rest is for the sentence before
_MARKERS = re.compile(r"#{1,6}\s+|[*_`]{1,3}|\s*#+\s*$")
_FENCE = ("```", "~~~")
_ENDS = tuple(".!?…:;,»。！？؟")


def make_chunks(document: Document, sentences: Sequence[Sentence]) -> tuple[Chunk, ...]:
    """Return one chunk for each sentence of ``document`` that is not a heading, in order."""
    chunks: list[Chunk] = []
    title, heading, before = _part(_label(document.title)), _NOTHING, _NOTHING
    outer = heading  # the last one that is a heading
    for sentence, lead in zip(sentences, leads(sentences), strict=True):
        if sentence.heading:
            # A rule (* * *) ends a passage, but what follows is still under the same heading.
            label = _label(sentence.text)
            heading, before = _part(label) if label else heading, _NOTHING
            outer = heading
            continue
        here = _part(_flat(sentence.text))
        above = _part(_flat(lead.sentence.text)) if lead is not None else before
        part = heads(sentence, sentences)  # is in no part before it
        within = outer if part else heading
        chunks.append(Chunk(sentence, _join((title, within, above), here.folded)))
        before = here
        if part:
            heading = _part(_label(sentence.text))
    return tuple(chunks)


class _Part(NamedTuple):
    """A part of a context with its full stop, and what tells whether two parts are the same."""

    ended: str
    folded: str


_NOTHING = _Part("", "")


def _part(text: str) -> _Part:
    return _Part(text if text.endswith(_ENDS) else f"{text}.", text.casefold())


def _flat(text: str) -> str:
    return " ".join(text.split())


def _label(text: str) -> str:
    """Return a title or heading as plain words; nothing for a rule or the edge of a code block."""
    if text.startswith(_FENCE) or not any(char.isalnum() for char in text):
        return ""
    return _shortened(_flat(_MARKERS.sub("", text)), _LABEL_CHARS)


def _join(parts: Iterable[_Part], sentence: str) -> str:
    """Join the parts as sentences, each once, without the sentence itself, in `CONTEXT_CHARS`."""
    seen = {"", sentence}
    kept = []
    for ended, folded in parts:
        if folded not in seen:
            seen.add(folded)
            kept.append(ended)
    return _shortened(" ".join(kept), CONTEXT_CHARS)


def _shortened(text: str, limit: int) -> str:
    """Return ``text`` in ``limit`` characters, cut after a whole word."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit)
    return text[: cut if cut > 0 else limit - 1].rstrip(" ,;:") + "…"
