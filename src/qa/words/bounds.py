"""Limits and rates: a text that says «plus de 10» does not say «moins de 10».

Nor «par mois» where the other says «par an». Where only one has a limit or a rate, nothing is told.

Example: ``misbounds("Moins de 10 jours.", "Il faut plus de 10 jours.")`` is true.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from qa.words.negation import forbids
from qa.words.numerals import SPELLED_OUT, numbers
from qa.words.terms import NUMBER, fold, plain_text

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
# A negation that turns a limit round: «ne dépasse pas 10», "not more than 10", not «ne … au moins».
_DENIED: Final = (
    r"(?:\b(?:ne |n')(?P<verb>[\w' -]{1,30}?))?\b(?:pas|jamais|not|no|never)(?: [\w'-]+){0,2}?"
)
_TURNED: Final = (
    (
        re.compile(
            r"\b(?:(?:ne |n'|sans )(?:[\w-]+ ){0,4}?(?:depass|exced)\w*(?: (?:pas|jamais|plus))?"
            r"|(?:not|never|cannot|without)(?: [\w-]+)? exceed\w*)"
        ),
        "au plus",
    ),
    (
        re.compile(rf"{_DENIED} (?:plus d[e']|more than|over|above|superieure?s? a)"),
        r"\g<verb> au plus",
    ),
    (
        re.compile(rf"{_DENIED} (?:moins d[e']|less than|fewer than|under|below)"),
        r"\g<verb> au moins",
    ),
)
_PERIODS: Final = {
    name: period
    for period, names in {
        "hour": "heure hour h",
        "day": "jour jours day j",
        "week": "semaine semaines week",
        "month": "mois month",
        "quarter": "trimestre trimestres quarter",
        "year": "an ans annee annees year",
    }.items()
    for name in names.split()
}
# «500 € par mois», «deux fois par an», "30 hours a week", «20 €/mois».
_RATE: Final = re.compile(
    rf"(?:{_FIGURE})(?: ?[%€$£]| ?[^\W\d_]+){{0,2}}?(?: ?/ ?"
    r"| (?:par|per|an?|chaque|each|every|tous les|toutes les) | de l')"
    rf"(?P<period>{'|'.join(_PERIODS)})\b"
)


def misbounds(statement: str, source: str) -> bool:
    """Tell whether one says «plus de 10», the other «moins de 10»; or «10 par mois», «10 par an».

    Where one denies or forbids something else than the limit, the other may say the same of what is
    beyond it, and nothing is told of limits: «interdit aux moins de 18 ans», «dès 18 ans au moins».
    """
    texts = [fold(plain_text(text)) for text in (statement, source)]
    if _differ(*map(_rates, texts)):
        return True
    texts = [_turned(text) for text in texts]
    return not any(map(forbids, texts)) and _differ(*map(_bounds, texts))


def _turned(text: str) -> str:
    for pattern, instead in _TURNED:
        text = pattern.sub(instead, text)
    return text


def _differ(said: Mapping[str, set[str]], held: Mapping[str, set[str]]) -> bool:
    return any(said[one].isdisjoint(held[one]) for one in said.keys() & held.keys())


def _rates(text: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for match in _RATE.finditer(text):
        for number in numbers(match["number"]):
            found[number].add(_PERIODS[match["period"]])
    return found


def _bounds(text: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for pattern in (_BOUND, _BOUND_AFTER):
        for match in pattern.finditer(text):
            for number in numbers(match["number"]):
                found[number].add("under" if match["over"] is None else "over")
    return found
