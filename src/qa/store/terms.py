"""What the full-text index keeps of a sentence, and BM25 scores from what it finds.

The index is FTS5 without texts and positions: for each term the rows that have it, and nothing
else. A stem's second occurrence in a sentence is a term of its own, ``2:stem``; a stem of the
context's head is ``:stem``. The sentence before, the other part of most contexts, is not indexed
again: its stems are found one row above. It knows nothing of how rows are stored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from qa.store.layout import NO_ROWS, Layout, Mask, Numbers, Rows
from qa.store.places import LINKED, MOST_WORDS, Places, Words, flat
from qa.store.scores import Scored
from qa.types import Chunk, Sentence
from qa.words import stems

# Gives the rows of the index that have each of some terms.
RowsOf = Callable[[Sequence[str]], list[Rows]]

# Weight of a match in a sentence's context (title, sentence before) against one in the sentence.
CONTEXT_WEIGHT: Final = 0.35
# BM25's usual constants, which FTS5 has too.
_K1: Final = 1.2
_B: Final = 0.75
# The weight of a stem that half of the sentences have, or more.
_COMMONEST: Final = 1e-6
HEAD: Final = ":"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A document's ``words``, and the terms of its rows that have some: (place, terms)."""

    words: Words
    terms: list[tuple[int, str]]


def index(sentences: Sequence[Sentence], chunks: Sequence[Chunk], places: Places) -> Indexed:
    """Return what the index keeps of the chunks of a document's sentences."""
    chunk_of = {chunk.sentence.index: chunk for chunk in chunks}
    words = np.zeros(len(sentences), dtype=np.uint16)
    terms: list[tuple[int, str]] = []
    heads: dict[str, tuple[int, str]] = {}
    before: list[str] | None = None
    for place, sentence in enumerate(sentences):
        chunk = chunk_of.get(sentence.index)
        if chunk is None:
            before = None
            continue
        own = stems(sentence.text)
        linked = before is not None and places.goes_on(place)
        if linked:  # on one line, its numbers may read differently («1⏎200»)
            text = sentences[place - 1].text
            linked = flat(text) == text or stems(flat(text)) == before
        head = places.heads[places.head_numbers[place]] if linked else chunk.context
        if head not in heads:
            found = stems(head)
            heads[head] = len(found), " ".join(_numbered(found, HEAD))
        of_head, text_of_head = heads[head]
        count = len(own) + of_head + (len(before or ()) if linked else 0)
        words[place] = min(count + 1, MOST_WORDS) | (LINKED if linked else 0)
        terms.append((place, f"{' '.join(_numbered(own))} {text_of_head}".strip()))
        before = own
    return Indexed(words, [one for one in terms if one[1]])


def _numbered(found: list[str], prefix: str = "") -> list[str]:
    """Return stems as terms: the first of a stem as it is, others with their number."""
    if len(set(found)) == len(found):
        return [prefix + stem for stem in found] if prefix else found
    seen: Counter[str] = Counter()
    terms = []
    for stem in found:
        seen[stem] += 1
        terms.append(_term(prefix, stem, seen[stem]))
    return terms


def _term(prefix: str, stem: str, number: int) -> str:
    return prefix + stem if number == 1 else f"{number}:{prefix}{stem}"


def score(
    wanted: Collection[str], layout: Layout, rows_of: RowsOf, top_k: int, within: Mask | None
) -> Scored:
    """Return the BM25 scores, best first, of the sentences that have some of the stems.

    :param wanted: stems.
    :param layout: the sentences.
    :param rows_of: what the full-text index says of a term.
    :param top_k: how many.
    :param within: which places of the layout count; None: all. How rare a stem is counts there.
    """
    size = layout.size if within is None else layout.size_of(within)
    occurrences = _occurrences(wanted, layout, rows_of)
    found: list[Rows] = []
    with layout.board() as total, layout.board() as frequencies:
        # Sorted: the score is a sum of floats and must not depend on the order of a set.
        for stem in sorted(wanted):
            of_stem = (occurrences["", stem], occurrences[HEAD, stem])
            places = _frequencies(*of_stem, layout, within, frequencies)
            if len(places):
                often = frequencies[places]
                frequencies[places] = 0
                length = (layout.words[places] & MOST_WORDS) - 1.0
                often *= (_K1 + 1) / (often + _K1 * (1 - _B + _B * length / layout.mean_words))
                before = total[places]
                found.append(places[before == 0])
                total[places] = before + _rarity(len(places), size) * often
        places = np.concatenate([NO_ROWS, *found])
        scores = total[places]
        total[places] = 0
    return Scored(layout.rows_at(places), scores).best(top_k)


def _frequencies(
    own: list[Rows], of_head: list[Rows], layout: Layout, within: Mask | None, frequencies: Numbers
) -> Rows:
    """Add up how often a stem stands in each sentence and its context, and return in which."""
    touched: list[Rows] = []

    def add(places: Rows, weight: float) -> None:
        if within is not None:
            places = places[within[places]]
        before = frequencies[places]
        touched.append(places[before == 0])
        frequencies[places] = before + weight

    for places in own:
        add(places, 1.0)
        add(layout.linked(places), CONTEXT_WEIGHT)
    for places in of_head:
        add(places, CONTEXT_WEIGHT)
    return np.concatenate([NO_ROWS, *touched])


def _occurrences(
    wanted: Collection[str], layout: Layout, rows_of: RowsOf
) -> dict[tuple[str, str], list[Rows]]:
    """Return by prefix and stem the places that have it once at least, twice at least and so on."""
    found: dict[tuple[str, str], list[Rows]] = {
        (prefix, stem): [] for prefix in ("", HEAD) for stem in wanted
    }
    left, number = list(found), 1
    while left:
        rows = rows_of([_term(prefix, stem, number) for prefix, stem in left])
        there = [(key, one) for key, one in zip(left, rows, strict=True) if len(one)]
        for key, one in there:
            found[key].append(layout.places(one))
        left, number = [key for key, _ in there], number + 1
    return found


def _rarity(count: int, size: int) -> float:
    """Return BM25's weight of a stem that ``count`` of ``size`` sentences have, as FTS5 has it."""
    weight = math.log((max(size - count, 0) + 0.5) / (count + 0.5))
    return weight if weight > 0 else _COMMONEST
