"""What the full-text index keeps of a sentence, and BM25 scores from what it finds.

The index is FTS5 without texts and positions: for each term the rows that have it, and nothing
else. A stem's second occurrence in a sentence is a term of its own, ``2:stem``; a stem of the
context's head is ``:stem``. The sentence before, the other part of most contexts, is not indexed
again: its stems are found one row above. It knows nothing of how rows are stored.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np

from qa.store.layout import NO_ROWS, Layout, Mask, Numbers, Rows
from qa.store.places import LINKED, MOST_WORDS, Places, Words, flat
from qa.store.scores import Scored, firsts
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
    # Sorted: the score is a sum of floats and must not depend on the order of a set.
    matches, often = _added(*_matches(sorted(wanted), layout, rows_of))
    numbers = matches // len(layout.words)
    places = matches - numbers * len(layout.words)
    if within is not None:
        kept = within[places]
        numbers, places, often = numbers[kept], places[kept], often[kept]
    length = (layout.words[places] & MOST_WORDS) - 1.0
    often *= (_K1 + 1) / (often + _K1 * (1 - _B + _B * length / layout.mean_words))
    rarity = np.array([_rarity(count, size) for count in np.bincount(numbers).tolist()])
    best = Scored(*_added(places, rarity[numbers] * often)).best(top_k)
    return Scored(layout.rows_at(best.rows), best.scores)  # places are in the order of rows


def _matches(wanted: Sequence[str], layout: Layout, rows_of: RowsOf) -> tuple[Rows, Numbers]:
    """Return where stems stand, in sentences or in their contexts, and the weight of each match.

    Where is one number: the stem's, times how many places there are, plus the place. A match counts
    in its sentence and in the context of the next one, where that goes on from there.
    """
    own, of_head = [NO_ROWS], [NO_ROWS]
    for terms in _occurrences(wanted, rows_of):
        places, there = layout.located(np.concatenate([rows for *_, rows in terms]))
        starts = [number * len(layout.words) for _, number, _ in terms]
        matches = places + np.repeat(starts, [len(rows) for *_, rows in terms])
        end = sum(len(rows) for prefix, _, rows in terms if not prefix)
        here = matches[:end][there[:end]]
        own += [here, here[layout.leads[places[:end][there[:end]]]] + 1]
        of_head.append(matches[end:][there[end:]])
    parts = [*own, *of_head]
    weights = [0.0, *[1.0, CONTEXT_WEIGHT] * (len(own) // 2), *[CONTEXT_WEIGHT] * len(of_head)]
    return np.concatenate(parts), np.repeat(weights, [len(part) for part in parts])


def _occurrences(wanted: Sequence[str], rows_of: RowsOf) -> Iterator[list[tuple[str, int, Rows]]]:
    """Yield prefix, stem's number and rows of the terms that are there once, twice and so on."""
    left = [(prefix, number) for prefix in ("", HEAD) for number in range(len(wanted))]
    for times in count(1):
        found = rows_of([_term(prefix, wanted[number], times) for prefix, number in left])
        terms = [(*key, rows) for key, rows in zip(left, found, strict=True) if len(rows)]
        if not terms:
            return
        yield terms
        left = [(prefix, number) for prefix, number, _ in terms]


def _added(keys: Rows, values: Numbers) -> tuple[Rows, Numbers]:
    """Return the keys, rising and each once, and the sums of their values, added in their order.

    This sort is fast where keys are some rising runs.
    """
    order = keys.argsort(kind="stable")
    keys = keys[order]
    new = firsts(keys)
    sums = np.bincount(new.cumsum() - 1, values[order])
    return keys[new], sums.astype(np.float64, copy=False)  # NumPy's sums of nothing are integers


def _rarity(count: int, size: int) -> float:
    """Return BM25's weight of a stem that ``count`` of ``size`` sentences have, as FTS5 has it."""
    weight = math.log((max(size - count, 0) + 0.5) / (count + 0.5))
    return weight if weight > 0 else _COMMONEST
