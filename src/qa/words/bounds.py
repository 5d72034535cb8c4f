"""Limits and rates: a text that says «plus de 10» does not say «moins de 10».

Nor «par mois» where the other says «par an». Where only one has a limit or a rate, nothing is told.

Example: ``misbounds("Moins de 10 jours.", "Il faut plus de 10 jours.")`` is true.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from qa.words.numerals import SPELLED_OUT, numbers
from qa.words.terms import NUMBER, fold, plain_text

# How often: «par mois», «mensuel», «tous les mois», "a month".
_PERIODS: Final = {
    name: re.compile(
        rf"\b(?:par|per|chaque|each|every|an?) (?:{words})\b|\btou(?:s|tes) les (?:{words})s?\b"
        rf"|\b(?:{adjectives})"
    )
    for name, words, adjectives in (
        ("hour", "heure|hour", "horaire|hourly"),
        ("day", "jour|day", "quotidien|journali|daily"),
        ("week", "semaine|week", "hebdomadaire|weekly"),
        ("month", "mois|month", "mensuel|mensualit|monthly"),
        ("quarter", "trimestre|quarter", "trimestriel|quarterly"),
        ("year", "an|annee|year", "annuel|annuit|annual|yearly"),
    )
}
_OVER: Final = (
    r"au moins|au minimum|minimum(?: de)?|plus d[e']|superieure?s? a|depass\w+|exced\w+|more than"
    r"|over|at least|above|a minimum of"
)
_UNDER: Final = (
    r"au plus|au maximum|maximum(?: de)?|moins d[e']|inferieure?s? a|jusqu'a|less than|fewer than"
    r"|under|at most|below|up to|a maximum of"
)
_FIGURE: Final = rf"(?P<number>{NUMBER}|{SPELLED_OUT})"
_BOUND: Final = re.compile(
    rf"\b(?:(?P<over>{_OVER})|(?P<under>{_UNDER})) ?(?:de |d'|les |a |the )?[€$£]?(?:{_FIGURE})"
)
_BOUND_AFTER: Final = re.compile(
    rf"(?:{_FIGURE})(?: ?[%€$£]| [^\W\d_]+)? "
    r"(?:(?P<over>au moins|au minimum|minimum|(?:et|ou) plus|or more|at least)"
    r"|(?P<under>au plus|au maximum|maximum|(?:et|ou) moins|or less|at most))\b"
)
# What a negation before it turns round: «ne dépasse pas 10», "not more than 10"; not «au moins».
_TURNED: Final = re.compile(r"plus|moins d|depass|exced|more|over|less|fewer|superieur|inferieur")
_DENIES_BOUND: Final = re.compile(
    r"(?:\b(?:ne|pas|guere|sans|not|no|never|cannot|jamais|without)\b|\bn')[^.;:,]{0,30}$"
)


def misbounds(statement: str, source: str) -> bool:
    """Tell whether one says «plus de 10», the other «moins de 10»; or «par mois» and «par an»."""
    said, held = (_bounds(fold(plain_text(text))) for text in (statement, source))
    if any(said[one].isdisjoint(held[one]) for one in said.keys() & held.keys()):
        return True
    often, told = (
        {name for name, pattern in _PERIODS.items() if pattern.search(fold(plain_text(text)))}
        for text in (statement, source)
    )
    return bool(often and told) and often.isdisjoint(told)


def _bounds(text: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for pattern in (_BOUND, _BOUND_AFTER):
        for match in pattern.finditer(text):
            over = match["over"] is not None
            turned = pattern is _BOUND and _TURNED.match(match["over"] or match["under"])
            if turned and _DENIES_BOUND.search(text[: match.start()]):
                over = not over
            for number in numbers(match["number"]):
                found[number].add("over" if over else "under")
    return found
