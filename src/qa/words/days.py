"""Days of the week, months and parts of the day: a text that says «mardi» does not say «jeudi».

Example: ``mistimes("En juin.", "La récolte commence en juillet.")`` is true.
"""

from __future__ import annotations

import re
from typing import Final

from qa.words.numerals import MONTHS, numbers
from qa.words.terms import fold, plain_text

_DAYS: Final = {
    name: day
    for day, names in enumerate(
        (
            "lundi monday",
            "mardi tuesday",
            "mercredi wednesday",
            "jeudi thursday",
            "vendredi friday",
            "samedi saturday",
            "dimanche sunday",
        ),
        start=1,
    )
    for name in names.split()
}
_SHORT_MONTHS: Final = {"mars", "mai", "may", "juin", "june", "july", "aout"}
# Not their abbreviations: «sept» is a number, too.
_MONTHS: Final = {
    name: month for name, month in MONTHS.items() if len(name) > 4 or name in _SHORT_MONTHS
}
CALENDAR: Final = frozenset([*_DAYS, *_MONTHS, *(f"{name}s" for name in _DAYS)])
# "May" and "March" with their capital: "it may rain".
_VERB: Final = re.compile(r"\b(?:may|march)\b")
_DIGIT: Final = re.compile(r"\d")  # no date is without one
_TO: Final = r"(?: (?:matin|soir|inclus))? ?(?:au|a|to|through|until|-|–) ?"
_WEEK: Final = re.compile(
    r"\b(?:tous les jours|every day|daily|quotidien\w*|chaque jour|7 ?j(?:ours)? ?(?:sur|/) ?7)\b"
)
_WEEKEND: Final = re.compile(r"\bweek-?ends?\b")
_WORKDAYS: Final = re.compile(r"\ben semaine\b|\bweekdays\b|\bjours ouvr\w+|\bworking days\b")
_PARTS: Final = {
    "morning": re.compile(r"\bmatin(?:s|ees?)?\b|\bmornings?\b|\d ?a\.?m\b"),
    "afternoon": re.compile(r"\bapres-midis?\b|\bafternoons?\b"),
    "evening": re.compile(r"\bsoir(?:s|ees?)?\b|\bevenings?\b"),
}
_HALVES: Final = {"am": re.compile(r"\d ?a\.?m\b"), "pm": re.compile(r"\d ?p\.?m\b")}


def mistimes(statement: str, source: str) -> bool:
    """Tell whether both name days or months, or parts of the day, and the source not the same."""
    told = calendar(source, spans=True)
    missing = calendar(statement) - told
    if {one.split()[0] for one in missing} & {one.split()[0] for one in told}:
        return True
    for parts in (_PARTS, _HALVES):
        said, held = (
            {name for name, pattern in parts.items() if pattern.search(fold(plain_text(text)))}
            for text in (statement, source)
        )
        if said and held and said.isdisjoint(held):
            return True
    return False


def calendar(text: str, *, spans: bool = False) -> set[str]:
    """Return the days of the week and the months that a text names.

    :param spans: those between the ends of a span, too: «du lundi au vendredi».
    """
    text = plain_text(text)
    dated = numbers(text) if _DIGIT.search(text) else ()
    found = {one for one in dated if one.startswith("month")}
    text = fold(_VERB.sub(" ", text))
    for kind, names, size in (("day", _DAYS, 7), ("month", _MONTHS, 12)):
        word = "|".join(sorted(names, key=len, reverse=True))
        many = "s?" if kind == "day" else ""  # «mais» is no month
        found |= {f"{kind} {names[match]}" for match in re.findall(rf"\b({word}){many}\b", text)}
        if spans:
            for one, other in re.findall(rf"\b({word}){many}{_TO}({word}){many}\b", text):
                length = (names[other] - names[one]) % size + 1
                found |= {f"{kind} {(names[one] + step - 1) % size + 1}" for step in range(length)}
    if spans:
        for pattern, days in ((_WEEK, range(1, 8)), (_WEEKEND, (6, 7)), (_WORKDAYS, range(1, 6))):
            if pattern.search(text):
                found |= {f"day {day}" for day in days}
    return found
