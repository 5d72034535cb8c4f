"""Requests for the whole («résume», «de quoi parle ce document ?»): the sentences that cover it.

Such a request has no proving sentence, so it is not refused either: the document is cut into parts
and the most central sentence of each part is quoted. It knows nothing of models, so nothing can be
invented.

Example: ``is_overview("De quoi parle ce document ?")`` is true.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence

from qa.types import Hit, Sentence
from qa.words import stems

_OVERVIEW = re.compile(
    r"\b(?:r[ée]sum(?:e|er|ez|é|ons)|synth[ée]tise[rz]?"
    r"|fais(?:-moi)? (?:un|une) (?:r[ée]sum[ée]|synth[èe]se)"
    r"|de quoi (?:parle|traite|s['’]agit)"
    r"|quel(?:le)?s? (?:est|sont) (?:le |les )?(?:sujet|th[èe]me)s?"
    r"|(?:id[ée]es?|points?) (?:principa|essentiel|cl[ée])\w*|en quelques (?:mots|phrases|lignes)"
    r"|que (?:dit|pense|veut|propose|demande) (?:chaque|chacun)|(?:positions?|avis) de chac\w+"
    r"|summar(?:y|i[sz]e)|overview|what (?:is|are) (?:this|the|these)(?: [\w-]+){1,3} about"
    r"|what does each \w+ (?:say|think|want|propose)"
    r"|(?:main|key) (?:points?|ideas?)|tl;?dr)\b",
    re.IGNORECASE,
)
# «Résume la position de Bagdad» asks about something: more content words than this are a question.
_MOST_WORDS = 2
# Words about the text itself, which leave nothing asked for.
_ABOUT = """document texte article fichier contenu sujet thème résumé synthèse idées points
camp côté partie parties intervenant intervenants personne acteur acteurs side party speaker
principales principaux essentiel clés phrases mots lignes parle traite agit fais donne
text file content subject summary overview main key about tldr give"""
_ABOUT_THE_TEXT = frozenset(stems(_ABOUT))
_FEWEST, _MOST = 3, 6
# Of a part's paragraphs.
_HEARD = 2 / 3
# Where the text shows no paragraphs, a part is about this many sentences: a page gets three
# statements, a long text six.
_PART_SENTENCES = 3
# Very short sentences say little alone; very long ones are tiring to read.
_READABLE_CHARS = range(40, 320)


def is_overview(question: str) -> bool:
    """Tell whether the question asks for the whole of a document and not for a fact in it."""
    if not _OVERVIEW.search(question):
        return False
    rest = set(stems(_OVERVIEW.sub(" ", question))) - _ABOUT_THE_TEXT
    return len(rest) < _MOST_WORDS


def central_sentences(sentences: Sequence[Sentence], text: str) -> tuple[tuple[Hit, ...], ...]:
    """Return, for each part of the document in reading order, its most central sentences.

    A sentence is central when its words occur in many sentences: the mean, over its distinct stems,
    of the share of sentences with that stem (Luhn 1958). A part is some paragraphs that follow each
    other, and two thirds of them are heard, with one sentence each.

    :param sentences: the document's, in order.
    :param text: the document's, for where its paragraphs end.
    :return: three to six parts (fewer for a shorter document); ``score`` is the centrality, 0 to 1.
    """
    citable = [sentence for sentence in sentences if not sentence.heading]
    words = {sentence: set(stems(sentence.text)) for sentence in citable}
    spread = Counter(stem for held in words.values() for stem in held)
    scores = {sentence: _centrality(sentence, words[sentence], spread) for sentence in citable}
    best = [
        max(paragraph, key=lambda sentence: (scores[sentence], -sentence.index))
        for paragraph in _paragraphs(citable, text)
    ]
    ranks = itertools.count(1)
    return tuple(
        tuple(
            Hit(sentence, scores[sentence] / len(citable), next(ranks))
            for sentence in sorted(
                sorted(part, key=lambda s: -scores[s])[: math.ceil(len(part) * _HEARD)],
                key=lambda sentence: sentence.index,
            )
        )
        for part in _cut(best, min(_MOST, len(best)))
    )


def _paragraphs(citable: Sequence[Sentence], text: str) -> list[Sequence[Sentence]]:
    """Group sentences by blank lines, or by lines where there are none, or by threes."""
    if not citable:
        return []
    for mark in ("\n\n", "\n"):
        place = {sentence: text.count(mark, 0, sentence.start) for sentence in citable}
        paragraphs = [list(group) for _, group in itertools.groupby(citable, place.__getitem__)]
        if len(paragraphs) >= _FEWEST:
            return list(paragraphs)
    count = min(len(citable), max(_FEWEST, min(_MOST, len(citable) // _PART_SENTENCES)))
    return _cut(citable, count)


def _cut(items: Sequence[Sentence], parts: int) -> list[Sequence[Sentence]]:
    """Cut a sequence into ``parts`` runs of nearly equal length."""
    bounds = [len(items) * number // parts for number in range(parts + 1)] if parts else []
    return [items[start:end] for start, end in itertools.pairwise(bounds)]


def _centrality(sentence: Sentence, words: set[str], spread: Counter[str]) -> float:
    mean = sum(spread[stem] for stem in words) / len(words) if words else 0.0
    return mean if len(sentence.text) in _READABLE_CHARS else mean / 2
