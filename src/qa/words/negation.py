"""What a French or English text denies, so that a statement is not taken for its opposite.

It knows the words of negation and no grammar: what follows them is denied, «ne … que» aside.

Example: ``contradicts("Le dépôt est remboursable.", "Le dépôt n'est pas remboursable.")`` is true.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from qa.words.terms import fold, plain_text, stems

_NOT: Final = r"(?:pas|plus|jamais|guere|point|aucun\w*|nul\w*|rien)\b"
_NOBODY: Final = r"\b(?:aucun\w*|nul|personne|rien)"
_ONLY: Final = r"(?! (?:que|qu'|seulement|uniquement|simplement|only|just|merely|necessarily)\b)"
_DENIED: Final = re.compile(
    # «ne garantit pas», «n'est pas remboursable»
    rf"\b(?:ne |n')(?P<verb>(?:[\w-]+[ ']){{1,4}}?){_NOT}{_ONLY}(?P<after>(?:[ ,]+[\w'-]+){{0,3}})"
    # «aucun animal n'est admis», «pas inclus»
    rf"|{_NOBODY} (?:[\w'-]+ ){{0,4}}?(?:ne |n')(?P<none>(?:[\w-]+ ?){{1,3}})"
    rf"|(?:^|[,;:] )(?:pas|jamais){_ONLY}(?P<bare>(?: [\w'-]+){{1,2}})"
    # "does not cover", "isn't refundable", "can never be left"
    rf"|(?:(?<!\bor )\bnot|n't|\bcannot|\bnever|\bno longer)\b{_ONLY}(?P<not>(?: [\w'-]+){{1,4}})"
)


def contradicts(statement: str, source: str) -> bool:
    """Tell whether one of the two denies a word that the other affirms, and nowhere denies.

    Words are compared by their stems, so of two languages nothing is told.
    """
    denied, affirmed = _said(statement)
    there, elsewhere = _said(source)
    return not (affirmed - denied).isdisjoint(there - elsewhere) or not (
        denied - affirmed
    ).isdisjoint(elsewhere - there)


def _said(text: str) -> tuple[set[str], set[str]]:
    """Return the stems of what a text denies, and of what it says otherwise."""
    text = fold(plain_text(" ".join(text.split())))
    denied: set[str] = set()
    for match in _DENIED.finditer(text):
        verb, *others = match.group("verb", "after", "none", "bare", "not")
        words = stems(verb or "") or [stem for part in others if part for stem in stems(part)]
        denied.update(words[:1])
    left = Counter(stems(text))
    left.subtract(denied)
    return denied, {stem for stem, count in left.items() if count > 0}
