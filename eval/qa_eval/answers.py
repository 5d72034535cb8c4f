"""Short answers compared with the accepted ones, after French normalisation.

The measures are those of SQuAD (Rajpurkar et al. 2016); the normalisation is for French: accents,
elisions, articles, and numbers with their separators. It knows nothing of citations.

Example: ``token_f1("2500 soldats", ["2500"])`` is 0.667.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from qa.words.terms import NUMBER, decimal

# French articles and their elided forms, and «the» for the English questions; «a» and «à» are a
# verb and a preposition as empty as an article.
_ARTICLES = frozenset(
    ["le", "la", "les", "l", "un", "une", "des", "du", "de", "d", "au", "aux", "the", "a", "à"]
)
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ‘´", "'"))
_ELISION = re.compile(r"\b(l|d|j|m|t|s|n|c|qu|jusqu|lorsqu|puisqu)'")
_FIRST = re.compile(r"\b1(?:er|re|ère)\b")
_AN = re.compile(r"(?<!\bun )(?<!\bpar )(?<!\d )\ban (?=[aeiou])")  # in French a year
_TOKEN = re.compile(rf"{NUMBER}|[^\W\d_]+|[%€]")


def normalised(text: str, *, accents: bool = False, articles: bool = False) -> list[str]:
    """Return the words to compare: lower case, elisions split, articles and punctuation dropped.

    «L’armée a 1 200,50 €» is ``["armee", "1200.50", "€"]``. ``%`` and ``€`` are words. Articles
    stay where there is nothing else: «Un.» is ``["un"]``.

    :param accents: keep them.
    :param articles: keep them, too.
    """
    text = unicodedata.normalize("NFKC", text).lower().translate(_APOSTROPHES)
    found = _TOKEN.findall(_AN.sub("a ", _FIRST.sub("1", _ELISION.sub(r"\1 ", text))))
    # Before accents are dropped: «thé», «dû» and «là» are no articles.
    said = found if articles else [word for word in found if word not in _ARTICLES] or found
    words = (decimal(word) if word[0].isdigit() else word for word in said)
    return list(words) if accents else [_bare(word) for word in words]


def _bare(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def exact(text: str, accepted: Sequence[str], *, accents: bool = False) -> float:
    """Return 1 when the answer equals an accepted one after normalisation."""
    said = normalised(text, accents=accents)
    golds = (normalised(answer, accents=accents) for answer in accepted)
    return float(bool(said) and said in golds)


def token_f1(text: str, accepted: Sequence[str], *, accents: bool = False) -> float:
    """Return the best F1 of the words against an accepted answer's."""
    said = Counter(normalised(text, accents=accents))
    golds = [Counter(normalised(answer, accents=accents)) for answer in accepted]
    return max((_f1(said, gold) for gold in golds), default=0.0)


def containment(text: str, accepted: Sequence[str]) -> float:
    """Return the best share of an accepted answer's words that the text holds."""
    said = Counter(normalised(text, articles=True))
    golds = [gold for answer in accepted if (gold := Counter(normalised(answer)))]
    return max(((said & gold).total() / gold.total() for gold in golds), default=0.0)


def _f1(said: Counter[str], gold: Counter[str]) -> float:
    common = (said & gold).total()
    return 2 * common / (said.total() + gold.total()) if common else 0.0
