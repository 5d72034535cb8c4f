"""Words of French and English text: folded tokens, stems, numbers, units, names and negations.

Search, evidence and the check share these functions, so that what counts as the same word is
decided once. They are pure and know nothing of documents or of the index.
"""

from qa.words.measures import mismeasures
from qa.words.negation import contradicts, denies
from qa.words.numerals import numbers
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
    "WORDS_VERSION",
    "content_words",
    "contradicts",
    "denies",
    "fold",
    "language",
    "mismeasures",
    "names",
    "numbers",
    "stems",
    "tokens",
    "told_language",
]
