"""Names that a source does not give, or gives to another: «Sophie Dupont» for Marie Dupont.

Example: ``misnames("Elle vit à Paris.", "Elle vit à Lyon.")`` is true.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from qa.words.days import CALENDAR
from qa.words.terms import fold, names, stems, tokens

# Capitals that name nobody: titles, which one text gives and another does not, and signs.
_NO_NAME: Final = CALENDAR | {
    *("mme", "mlle", "madame", "mademoiselle", "monsieur", "dr", "docteur", "doctor", "pr"),
    *("professeur", "professor", "maitre", "me", "mr", "mrs", "ms", "miss", "sir", "st", "ste"),
    *("president", "presidente", "general", "gen", "colonel", "capitaine", "captain", "senateur"),
    *("senator", "ministre", "minister", "maire", "mayor", "depute", "prince", "princesse", "roi"),
    *("am", "pm", "eur", "usd", "gbp", "md", "mds", "bn"),
}
_OPENING: Final = re.compile(r"\W*(?P<first>[^\W\d_]\w+)[ -](?P<second>[^\W\d_][\w’'-]*)")
_LEAST_ACRONYM: Final = 3


def misnames(statement: str, source: str) -> bool:
    """Tell whether the statement has a name that the source has not, or another first name."""
    # «Irakienne» for «Irak»: a name may be inflected, so its first letters decide.
    words = [fold(word) for word in tokens(source) if stems(word)]
    lost = [
        name
        for name in names(statement) - names(source) - _NO_NAME
        if not any(_same(name, word) for word in words)
        and not (name.upper() in statement and _is_spelled_out(name, source))
    ]
    return bool(lost) or _renames(statement, source, words)


def _renames(statement: str, source: str, words: Sequence[str]) -> bool:
    """Tell whether the statement begins with a name whose first name is none of the source's words.

    The first word of a sentence has a capital whatever it is, so only where the same name follows
    another word with a capital there: «Contactez Marie Dupont» has no first name «Contactez».
    """
    opening = _OPENING.match(statement)
    if opening is None or not (opening["first"][0].isupper() and opening["second"][0].isupper()):
        return False
    first = fold(opening["first"])
    before = re.findall(rf"\b([^\W\d_]\w+)[ -]{re.escape(opening['second'])}\b", source)
    named = {fold(word) for word in before if word[0].isupper() and stems(word)} - _NO_NAME
    told = first in _NO_NAME or not stems(first) or any(_same(first, word) for word in words)
    return bool(named) and not told


def _same(name: str, word: str) -> bool:
    stem = max(4, len(name) - 3)
    return name == word or (len(name) > 3 and word.startswith(name[:stem]))


def _is_spelled_out(acronym: str, source: str) -> bool:
    """Tell whether words in a row have these initials, the first of them a capital."""
    words = [word for word in re.findall(r"[^\W\d_]\w*", source) if stems(word)]
    initials = "".join(fold(word[0]) for word in words)
    places = (match.start() for match in re.finditer(f"(?={re.escape(acronym)})", initials))
    return len(acronym) >= _LEAST_ACRONYM and any(words[place][0].isupper() for place in places)
