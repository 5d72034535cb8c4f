"""Document → sentences with exact offsets, by rules; ``text[start:end]`` is the sentence.

The rules are in `lines` (what stands together), `headings`, `boundaries` and `full_stops` (where a
sentence ends); the words they need are data (`abbreviations`). It knows nothing of files, models or
the index.

Example: ``split_text("Il part. « Bien ! » dit-elle.") == ((0, 8), (9, 29))``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from qa.sentences.abbreviations import load_abbreviations
from qa.sentences.boundaries import cut_long, sentence_ends
from qa.sentences.headings import division_name, mark_headings
from qa.sentences.lines import Block, find_blocks
from qa.types import Document, Sentence

__all__ = [
    "SPLITTER_VERSION",
    "division_name",
    "has_more_sentences",
    "load_abbreviations",
    "split_sentences",
    "split_text",
]

SPLITTER_VERSION = "7"
"""Part of the index manifest: change it whenever the rules or the word lists change a split, or
what a sentence is embedded with (`qa.lists`, `qa.chunks`)."""

_WORD = re.compile(r"\w")
_LINES = 4  # a sentence, in text that is wrapped


def split_text(text: str) -> tuple[tuple[int, int], ...]:
    """Return the spans of the sentences and headings of ``text``, in order.

    They are disjoint, begin and end with a character that is not white space, and hold every such
    character.
    """
    return tuple((start, end) for start, end, _ in _units(text))


def split_sentences(document: Document) -> tuple[Sentence, ...]:
    """Return the sentences of a document; headings, rules and fences are marked ``heading``.

    A document with any text has at least one sentence that is not a heading.
    """
    units = list(_units(document.text))
    if all(heading for _, _, heading in units):
        worded = [_WORD.search(document.text, start, end) is not None for start, end, _ in units]
        citable = worded if any(worded) else [True] * len(units)
        units = [
            (*unit[:2], not is_citable) for unit, is_citable in zip(units, citable, strict=True)
        ]
    return tuple(
        Sentence(document.id, index, start, end, document.text[start:end], heading)
        for index, (start, end, heading) in enumerate(units)
    )


def has_more_sentences(text: str, most: int) -> bool:
    """Return whether a text has more than ``most`` sentences, without holding them all."""
    if len(text) <= 2 * most:  # a sentence is a character and what separates it from the next
        return False
    # The lines are held: so many have as many sentences, unless they are wrapped very narrowly.
    return (
        text.count("\n") > _LINES * most or next(islice(_units(text), most, None), None) is not None
    )


def _units(text: str) -> Iterator[tuple[int, int, bool]]:
    for block in mark_headings(text, find_blocks(text)):
        heading = block.kind in ("heading", "rule")
        start = block.start - len(block.quote)
        for end in (block.end,) if heading or block.kind == "table" else _ends(text, block):
            for first, last in cut_long(text, start, end):
                left = text[first:last].lstrip()
                if left:
                    first = last - len(left)
                    yield first, first + len(left.rstrip()), heading
            start = end


def _ends(text: str, block: Block) -> Iterator[int]:
    return sentence_ends(text, block.start, block.end)
