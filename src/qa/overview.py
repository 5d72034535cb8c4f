"""The sentences that cover a whole document, for those who ask for it (:mod:`qa.whole`).

Such a request has no proving sentence, so it is not refused either: the document is cut into parts
and the most central sentence of each part is quoted. It knows nothing of models, so nothing can be
invented.

Example: ``central_sentences(sentences, text)[0][0].sentence.text``.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from qa.lists import Lead, is_item, is_row, is_unended, leads, leads_in
from qa.types import Hit, Sentence
from qa.words import stems

_FEWEST: Final = 3
# Statements, and so documents that are told together.
MOST: Final = 6
# Of a part's paragraphs.
_HEARD = 2 / 3
# Where the text shows no paragraphs, a part is about this many sentences: a page gets three
# statements, a long text six.
_PART_SENTENCES = 3
# Very short sentences say little alone; very long ones are tiring to read.
_READABLE_CHARS = range(40, 320)


def covering(
    documents: Sequence[tuple[Sequence[Sentence], str]],
) -> tuple[tuple[Hit, ...], ...]:
    """Return what covers documents, in groups to be told as one statement each.

    Of one document, every part with its most central sentences; of several, of as many parts of
    each as six statements have room for, the most central sentence.

    :param documents: the sentences and the text of each, six at most.
    """
    if len(documents) == 1:
        return central_sentences(*documents[0])
    each = MOST // max(1, len(documents))
    return tuple(
        (max(part, key=lambda hit: hit.score),)
        for sentences, text in documents
        for part in central_sentences(sentences, text, most=each)
    )


def central_sentences(
    sentences: Sequence[Sentence], text: str, *, most: int = MOST
) -> tuple[tuple[Hit, ...], ...]:
    """Return, for each part of the document in reading order, its most central sentences.

    A sentence is central when its words occur in many sentences: the mean, over its distinct stems,
    of the share of sentences with that stem (Luhn 1958). A part is some paragraphs that follow each
    other, and two thirds of them are heard, with one sentence each: rather one that says something
    by itself than an item of a list or a row of a table, which are quoted after what names them.

    :param sentences: the document's, in order.
    :param text: the document's, for where its paragraphs end.
    :param most: parts at most.
    :return: three to six parts (fewer for a shorter document); ``score`` is the centrality, 0 to 1.
    """
    citable = [sentence for sentence in sentences if not sentence.heading]
    named = dict(zip(sentences, leads(sentences), strict=True))
    naming = {above.sentence for above in named.values() if above is not None}
    words = {sentence: set(stems(sentence.text)) for sentence in citable}
    spread = Counter(stem for held in words.values() for stem in held)
    scores = {
        one: _centrality(words[one], spread) * _says_by_itself(one, named[one], naming)
        for one in citable
    }
    best = [
        max(paragraph, key=lambda sentence: (scores[sentence], -sentence.index))
        for paragraph in _paragraphs(citable, text)
    ]
    heard: set[Sentence] = set()
    groups = []
    for part in _cut(best, min(most, len(best))):
        chosen = sorted(part, key=lambda s: -scores[s])[: math.ceil(len(part) * _HEARD)]
        group = {*chosen, *_above(chosen, named)} - heard
        groups.append(sorted(group, key=lambda sentence: sentence.index))
        heard |= group
    ranks = itertools.count(1)
    return tuple(
        tuple(Hit(one, scores[one] / len(citable), next(ranks)) for one in group)
        for group in groups
        if group
    )


def _above(chosen: Sequence[Sentence], named: Mapping[Sentence, Lead | None]) -> Iterator[Sentence]:
    """Yield what names the sentences, and what names that."""
    for sentence in chosen:
        above = named[sentence]
        while above is not None:
            yield above.sentence
            above = named[above.sentence]


def _paragraphs(citable: Sequence[Sentence], text: str) -> list[Sequence[Sentence]]:
    """Group sentences by blank lines, or by lines where there are none, or by threes.

    Of two paragraphs, which are too few to tell, both are cut, unless one is a mere greeting.
    """
    if not citable:
        return []
    paragraphs: list[Sequence[Sentence]] = []
    for mark in ("\n\n", "\n"):
        place = {sentence: text.count(mark, 0, sentence.start) for sentence in citable}
        paragraphs = _with_lead_ins(
            [list(group) for _, group in itertools.groupby(citable, place.__getitem__)]
        )
        if len(paragraphs) >= _FEWEST:
            return paragraphs
    count = min(len(citable), max(_FEWEST, min(MOST, len(citable) // _PART_SENTENCES)))
    if not all(any(len(s.text) in _READABLE_CHARS for s in one) for one in paragraphs):
        return _cut(citable, count)
    shares = [max(1, round(count * len(one) / len(citable))) for one in paragraphs]
    return [run for one, runs in zip(paragraphs, shares, strict=True) for run in _cut(one, runs)]


def _with_lead_ins(paragraphs: Iterable[list[Sentence]]) -> list[Sequence[Sentence]]:
    """Join a paragraph that ends in a colon with the next one, if that is a list or a table."""
    joined: list[list[Sentence]] = []
    for one in paragraphs:
        listed = is_item(one[0]) or is_row(one[0])
        if joined and listed and leads_in(joined[-1][-1]):
            joined[-1] += one
        else:
            joined.append(one)
    return list(joined)


def _cut(items: Sequence[Sentence], parts: int) -> list[Sequence[Sentence]]:
    """Cut a sequence into ``parts`` runs of nearly equal length."""
    bounds = [len(items) * number // parts for number in range(parts + 1)] if parts else []
    return [items[start:end] for start, end in itertools.pairwise(bounds)]


def _centrality(words: set[str], spread: Counter[str]) -> float:
    return sum(spread[stem] for stem in words) / len(words) if words else 0.0


def _says_by_itself(sentence: Sentence, named: Lead | None, naming: Set[Sentence]) -> float:
    """Return how much a sentence counts: lead-ins and names of columns little, items half."""
    if sentence in naming or leads_in(sentence):
        return 1 / 4
    if named is not None:  # is quoted after what names it, so it is not too short
        return 1 / 2
    part = is_item(sentence) or is_row(sentence) or is_unended(sentence.text)
    return (1 if len(sentence.text) in _READABLE_CHARS else 1 / 2) * (1 / 2 if part else 1)
