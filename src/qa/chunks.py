"""Sentences → chunks: one for each sentence that can be cited, with the context it is read in.

The context is what a reader has seen before the sentence: the document's title, the heading
above and the sentence before. It helps to find the sentence («Ils…», «cette loi») and is never
cited itself.

Example: ``[chunk.context for chunk in make_chunks(document, split_sentences(document))]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

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
    title, heading, before = _label(document.title), "", ""
    for sentence in sentences:
        if sentence.heading:
            # A rule (* * *) ends a passage, but what follows is still under the same heading.
            heading, before = _label(sentence.text) or heading, ""
            continue
        text = _flat(sentence.text)
        chunks.append(Chunk(sentence, _join((title, heading, before), text)))
        before = text
    return tuple(chunks)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _label(text: str) -> str:
    """Return a title or heading as plain words; nothing for a rule or the edge of a code block."""
    if text.startswith(_FENCE) or not any(char.isalnum() for char in text):
        return ""
    return _shortened(_flat(_MARKERS.sub("", text)), _LABEL_CHARS)


def _join(parts: Iterable[str], sentence: str) -> str:
    """Join the parts as sentences, each once, without the sentence itself, in `CONTEXT_CHARS`."""
    context, seen = "", {"", sentence.casefold()}
    for part in parts:
        if part.casefold() in seen:
            continue
        seen.add(part.casefold())
        ended = part if part.endswith(_ENDS) else f"{part}."
        context = f"{context} {ended}".strip()
    return _shortened(context, CONTEXT_CHARS)


def _shortened(text: str, limit: int) -> str:
    """Return ``text`` in ``limit`` characters, cut after a whole word."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit)
    return text[: cut if cut > 0 else limit - 1].rstrip(" ,;:") + "…"
