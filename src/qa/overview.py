"""Requests for the whole («résume», «de quoi parle ce document ?»): the sentences that cover it.

Such a request has no proving sentence, so it is not refused either: the document is cut into parts
and the most central sentence of each part is quoted. It knows nothing of models, so nothing can be
invented.

Example: ``is_overview("De quoi parle ce document ?")`` is true.
"""

from __future__ import annotations

import itertools
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
    r"|summar(?:y|i[sz]e)|overview|what is (?:this|the) \w+ about"
    r"|(?:main|key) (?:points?|ideas?)|tl;?dr)\b",
    re.IGNORECASE,
)
# «Résume la position de Bagdad» asks about something: more content words than this are a question.
_MOST_WORDS = 2
# Words about the text itself, which leave nothing asked for.
_ABOUT = """document texte article fichier contenu sujet thème résumé synthèse idées points
principales principaux essentiel clés phrases mots lignes parle traite agit fais donne
text file content subject summary overview main key about tldr give"""
_ABOUT_THE_TEXT = frozenset(stems(_ABOUT))
_FEWEST, _MOST = 3, 6
# A part is about this many sentences, so that a page gets three statements and a long text six.
_PART_SENTENCES = 3
# Very short sentences say little alone; very long ones are tiring to read.
_READABLE_CHARS = range(40, 320)


def is_overview(question: str) -> bool:
    """Tell whether the question asks for the whole of a document and not for a fact in it."""
    if not _OVERVIEW.search(question):
        return False
    rest = set(stems(_OVERVIEW.sub(" ", question))) - _ABOUT_THE_TEXT
    return len(rest) < _MOST_WORDS


def central_sentences(sentences: Sequence[Sentence]) -> tuple[Hit, ...]:
    """Return the most central sentence of each part of the document, in reading order.

    A sentence is central when its words occur in many sentences: the mean, over its distinct stems,
    of the share of sentences with that stem (Luhn 1958).

    :return: three to six hits (fewer for a shorter document); ``score`` is the centrality, 0 to 1.
    """
    citable = [sentence for sentence in sentences if not sentence.heading]
    if not citable:
        return ()
    words = {sentence: set(stems(sentence.text)) for sentence in citable}
    spread = Counter(stem for held in words.values() for stem in held)
    parts = min(len(citable), max(_FEWEST, min(_MOST, len(citable) // _PART_SENTENCES)))
    bounds = [len(citable) * number // parts for number in range(parts + 1)]
    chosen: list[Hit] = []
    for start, end in itertools.pairwise(bounds):
        part = citable[start:end]
        scores = {sentence: _centrality(sentence, words[sentence], spread) for sentence in part}
        best = max(part, key=lambda sentence: (scores[sentence], -sentence.index))
        chosen.append(Hit(best, scores[best] / len(citable), len(chosen) + 1))
    return tuple(chosen)


def _centrality(sentence: Sentence, words: set[str], spread: Counter[str]) -> float:
    mean = sum(spread[stem] for stem in words) / len(words) if words else 0.0
    return mean if len(sentence.text) in _READABLE_CHARS else mean / 2
