"""Words of French and English text: folded tokens, stems, numbers, units, names and negations.

Search, evidence and the check share these functions, so that what counts as the same word is
decided once. They are pure and know nothing of documents or of the index.
"""

from qa.words.bounds import misbounds
from qa.words.days import CALENDAR, calendar, mistimes
from qa.words.measures import mismeasures
from qa.words.naming import misnames
from qa.words.negation import contradicts, denies
from qa.words.notation import by_the_clock, implied
from qa.words.numerals import NUMBER_WORDS, numbers
from qa.words.terms import (
    WORDS_VERSION,
    content_words,
    fold,
    language,
    names,
    stems,
    tokens,
    told_language,
)

__all__ = [
    "CALENDAR",
    "NUMBER_WORDS",
    "WORDS_VERSION",
    "by_the_clock",
    "calendar",
    "content_words",
    "contradicts",
    "denies",
    "fold",
    "implied",
    "language",
    "misbounds",
    "mismeasures",
    "misnames",
    "mistimes",
    "names",
    "numbers",
    "stems",
    "tokens",
    "told_language",
]
