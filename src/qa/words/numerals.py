"""The numbers of French and English text, in figures or in words, in one notation.

It knows nothing of units, and of dates only that a month is not a plain number.

Example: ``numbers("deux mille cinq cents soldats") == numbers("2 500 soldats") == {"2500"}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from qa.words.terms import NUMBER, NUMERAL, decimal, fold, plain_text

MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "janvier janv january jan",
            "fevrier fevr february feb",
            "mars march mar",
            "avril avr april apr",
            "mai may",
            "juin june jun",
            "juillet juil july jul",
            "aout august aug",
            "septembre sept september sep",
            "octobre oct october",
            "novembre nov november",
            "decembre dec december",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH: Final = "|".join(sorted(MONTHS, key=len, reverse=True))
_YEAR_FIRST: Final = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_YEAR_LAST: Final = re.compile(r"(?<!\d)(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})(?!\d)")
_NAMED_MONTH: Final = re.compile(
    rf"\d{{1,2}}(?:er|st|nd|rd|th)?(?: of)? ({_MONTH})\b|\b({_MONTH})\.? \d"
)
_SPELLED: Final = {
    word: value
    for words, value in (
        ("deux two", 2), ("trois three", 3), ("quatre four", 4), ("cinq five", 5), ("six", 6),
        ("sept seven", 7), ("huit eight", 8), ("neuf nine", 9), ("dix ten", 10),
        ("onze eleven", 11), ("douze twelve", 12), ("treize thirteen", 13),
        ("quatorze fourteen", 14), ("quinze fifteen", 15), ("seize sixteen", 16),
        ("seventeen", 17), ("eighteen", 18), ("nineteen", 19), ("vingt vingts twenty", 20),
        ("trente thirty", 30), ("quarante forty", 40), ("cinquante fifty", 50),
        ("soixante sixty", 60), ("septante seventy", 70), ("huitante octante eighty", 80),
        ("nonante ninety", 90),
    )
    for word in words.split()
}  # fmt: skip
_ONE: Final = frozenset(["un", "une", "one"])
_HUNDREDS: Final = frozenset(["cent", "cents", "hundred"])
_SCALES: Final = {
    **dict.fromkeys(["mille", "thousand"], 1_000),
    **dict.fromkeys(["million", "millions"], 1_000_000),
    **dict.fromkeys(["milliard", "milliards", "billion", "billions"], 1_000_000_000),
}
# «3,5 M€», «15 k€», "£1.5m": without a currency they are metres or names.
_SIGNS: Final = {
    "k": "mille",
    "m": "million",
    **dict.fromkeys(["md", "mds", "bn"], "milliard"),
}
_SIGN: Final = "(mds|md|bn|m|k)"
_SCALED: Final = re.compile(  # in «5 € 100 m» the sign belongs to the five
    rf"(?<!\d)(?<!\d[ \u00a0\u202f])([€$£] ?{NUMBER}) ?{_SIGN}(?![^\W_])"
    rf"|(?<=\d)\s*{_SIGN}\s*(?=[€$£])"
)
# «trois millions et demi», "two and a half million": the half in words of the scale below.
_HALF: Final = {
    "thousand": "cinq cents",
    "million": "cinq cent mille",
    **dict.fromkeys(["milliard", "billion"], "cinq cents millions"),
}
_HALVED: Final = re.compile(
    r" and a half (thousand|million|billion)\b"
    r"| (thousand|million|milliard|billion)s? (?:et demie?|and a half)\b"
)
_BELOW_HUNDRED: Final = rf"(?:{'|'.join(_SPELLED)})"
# "two thousand and five", not "two thousand and five hundred" or "between one thousand and two".
_AND: Final = re.compile(
    rf"\b(between (?:(?:an?|one|hundred|[\d.,]+|{_BELOW_HUNDRED})[ -])*)?"
    rf"(thousand|million|billion) and (?={_BELOW_HUNDRED}\b"
    rf"(?![ -]{_BELOW_HUNDRED}?[ -]?(?:hundred|thousand|million|billion)))"
)
# One of them as a word of its own, before another.
SPELLED_OUT: Final = rf"(?<![\w-])(?:{'|'.join(sorted(_SPELLED, key=len, reverse=True))})(?= )"
# They say nothing that the number does not: "two hundred" is «200».
NUMBER_WORDS: Final = (*_SPELLED, *_HUNDREDS, *_SCALES)
_MAX_DIGITS: Final = 24  # longer ones are identifiers, and would be rounded
_NUMBER_PART: Final = re.compile(rf"[^\W\d_]+\d\w*|{NUMBER}|[^\W\d_]+|[^\w\s-]")


def numbers(text: str) -> set[str]:
    """Return the numbers of a text, written in figures or in French or English words.

    «3,50 M€» is {"3500000"}, «trois soldats» {"3"}, «le 12 mars 2024» {"12", "month 3", "2024"}.
    «Un» and «one» alone are no numbers: they are mostly articles and pronouns. A number that is
    part of a name (G20) is none either.
    """
    text = fold(plain_text(text))
    found: set[str] = set()
    for pattern, (year, month, day) in ((_YEAR_FIRST, (1, 2, 3)), (_YEAR_LAST, (3, 2, 1))):
        for match in pattern.finditer(text):
            found |= _date(*(int(match[place]) for place in (year, month, day)))
        text = pattern.sub(" ; ", text)
    found |= {f"month {MONTHS[first or last]}" for first, last in _NAMED_MONTH.findall(text)}
    text = _NAMED_MONTH.sub(_without_month, text)  # «5 sept. 2024» holds no 7
    text = re.sub(r"(?<=\d)h(?=\d)", " ; ", text)
    text = _SCALED.sub(lambda match: f"{match[1] or ''} {_SIGNS[match[2] or match[3]]} ", text)
    text = _HALVED.sub(_in_full, text)
    text = _AND.sub(lambda match: match[0] if match[1] else f"{match[2]} ", text)
    return found | {_shown(number) for number in _read_numbers(text)}


def _date(year: int, month: int, day: int) -> set[str]:
    if month > 12:  # American order
        month, day = day, month
    return {str(year), f"month {month}", str(day)}


def _without_month(match: re.Match[str]) -> str:
    month = match[1] or match[2]
    return match[0].replace(month, ";", 1)


def _in_full(match: re.Match[str]) -> str:
    scale = match[1] or match[2]
    return f" {scale} {_HALF[scale]}"


def _shown(number: Decimal | str) -> str:
    return number if isinstance(number, str) else f"{number.normalize():f}"


def _read_numbers(text: str) -> Iterator[Decimal | str]:
    """Yield each number of a folded text; words that belong to one number are put together."""
    reading = _Reading()
    previous = ""
    for match in _NUMBER_PART.finditer(text):
        part = match.group()
        if NUMERAL.fullmatch(part):
            yield from reading.end()
            plain = decimal(part)
            if plain.count(".") > 1 or len(plain) > _MAX_DIGITS:
                yield plain
            else:
                reading.start(Decimal(plain), figures=True)
        elif part in _HUNDREDS and previous in ("pour", "per"):  # a percentage
            yield from reading.end()
        elif not reading.takes(part):
            yield from reading.end()
            reading.takes(part)
        previous = part
    yield from reading.end()


class _Reading:
    """A number while its words are read: ``total`` of finished scales, and the ``current`` rest."""

    def __init__(self) -> None:
        self.total = Decimal(0)
        self.current: Decimal | None = None
        self.figures = False
        self.joined = False

    def start(self, value: Decimal, *, figures: bool = False) -> None:
        self.current, self.figures = value, figures

    def end(self) -> Iterator[Decimal]:
        if self.current is not None or self.total:
            yield self.total + (self.current or 0)
        self.total, self.current, self.figures, self.joined = Decimal(0), None, False, False

    def takes(self, word: str) -> bool:
        """Add a word to the number and tell whether it belonged there."""
        if word in ("et", "and") and self.current is not None and not self.figures:
            joined, self.joined = self.joined, True
            return not joined
        if word in _SCALES:
            self.total += (1 if self.current is None else self.current) * _SCALES[word]
            self.current, self.figures = None, False
            return True
        if self.figures:
            return False
        if word in _HUNDREDS:
            return self._takes_hundred()
        return self._takes_small(1 if word in _ONE else _SPELLED.get(word, 0))

    def _takes_hundred(self) -> bool:
        if self.current is not None and self.current > 99:
            return False
        self.current = (self.current or 1) * Decimal(100)
        return True

    def _takes_small(self, value: int) -> bool:
        if self.current is None:
            if value > 1:
                self.start(Decimal(value))
            return value > 1
        tens = int(self.current % 100)
        if tens == 4 and value == 20:  # quatre-vingts
            self.current += 76
        elif value and _continues(tens, value):
            self.current += value
        else:
            return False
        return True


def _continues(tens: int, value: int) -> bool:
    if tens == 0:
        return value < 100
    if tens == 10:
        return 7 <= value <= 9  # dix-sept
    return tens % 10 == 0 and (value < 10 or (tens in (60, 80) and value < 20))
