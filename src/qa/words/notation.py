"""Numbers that a text tells without figures or plain number words: «le deuxième», «midi», «1€50».

They are what a source holds beside :func:`qa.words.numbers`: they excuse a statement, and no
statement is asked to have them.

Example: ``"2" in implied("au deuxième étage")``.
"""

from __future__ import annotations

import re
from typing import Final

from qa.words.numerals import numbers
from qa.words.terms import NUMBER, fold, plain_text

_FRENCH: Final = {
    "un": "un", "deux": "deux", "trois": "trois", "quatr": "quatre", "cinqu": "cinq", "six": "six",
    "sept": "sept", "huit": "huit", "neuv": "neuf", "dix": "dix", "onz": "onze", "douz": "douze",
    "treiz": "treize", "quatorz": "quatorze", "quinz": "quinze", "seiz": "seize",
    "vingt": "vingt", "trent": "trente", "quarant": "quarante", "cinquant": "cinquante",
    "soixant": "soixante", "cent": "cent",
}  # fmt: skip
_ENGLISH: Final = {
    "second": "two", "third": "three", "fourth": "four", "fifth": "five", "sixth": "six",
    "seventh": "seven", "eighth": "eight", "ninth": "nine", "tenth": "ten", "eleventh": "eleven",
    "twelfth": "twelve", "thirteenth": "thirteen", "fourteenth": "fourteen",
    "fifteenth": "fifteen", "sixteenth": "sixteen", "seventeenth": "seventeen",
    "eighteenth": "eighteen", "nineteenth": "nineteen", "twentieth": "twenty",
    "thirtieth": "thirty",
}  # fmt: skip
_FRENCH_ORDINAL: Final = re.compile(rf"\b({'|'.join(_FRENCH)})iemes?\b")
_ENGLISH_ORDINAL: Final = re.compile(rf"\b({'|'.join(_ENGLISH)})\b")
_FIRST_OF_TENS: Final = re.compile(r"(?<=ty-)first\b")
_UNIT: Final = (
    r"(?:fois|heures?|hours?|minutes?|jours?|days?|semaines?|weeks?|mois|months?|ans?|annees?"
    r"|years?|times?|kilos?|kg|km|kilometres?|litres?|metres?|tiers|third|quart|quarter)\b"
)
_ONE: Final = re.compile(
    rf"(?<!et )(?<!et-)(?<!cent )(?<!mille )\b(?:une?|one|an?)(?= {_UNIT})"
    r"|\bune? seule?\b|\bonly one\b|\b(?:a|one) single\b"
    r"|\bonce\b|\bone\b(?! another)|\bpremi(?:er|ere)s?\b|\bfirst\b"
)
# What a clock says: minutes of an hour, and the hours that have names.
_CLOCK: Final = tuple(
    (re.compile(pattern), told)
    for pattern, told in (
        (r"\b(?:heures?|midi|minuit) et demie?\b|\bhours? and a half\b|\bhalf past\b", "30"),
        (r"\bdemie?[ -]heures?\b|\bhalf an hour\b|\bhalf[ -]hours?\b", "30"),
        (
            r"(?<!trois )\bquart d'heure\b|\bheures? et quart\b|\bquarter (?:of an hour|past)\b",
            "15",
        ),
        (r"\btrois quarts d'heure\b|\bthree quarters of an hour\b", "45"),
        (r"(?<!apres[ -])\bmidi\b|\bnoon\b|\bmidday\b", "12"),
        (r"\bminuit\b|\bmidnight\b", "0"),
    )
)
_AFTERNOON: Final = re.compile(
    r"(?<![\d:.,€$£])(?<![€$£] )(1[0-2]|0?[1-9])(?=(?:[:.h]\d\d)? ?p\.?m\b)"
)
_FULL_HOUR: Final = re.compile(r"(?<=\d)(?: ?(?:h|heures?) ?|:)00(?!\d|[:,.]\d)")
_CENTURY: Final = re.compile(r"\b([ivx]+)(?:e|eme|er|es)?(?= siecles?\b)")
_DECADE: Final = re.compile(r"\bannees (?:19|20)(\d0)\b|\b(?:19|20)(\d0)s\b")
_PHONE: Final = re.compile(r"(?<!\d)\d\d(?:[.-]\d\d){4}(?!\d)")
_CENTS: Final = re.compile(
    rf"({NUMBER})(?:€(\d\d)(?!\d)| euros? (\d\d)(?!\d|[,.]\d| ?[^\W\d_]| ?[%€]))"
)
_ROMAN: Final = {"i": 1, "v": 5, "x": 10}


def implied(text: str) -> set[str]:
    """Return the numbers that a text tells beside those of :func:`qa.words.numbers`."""
    plain = fold(plain_text(text))
    text = _PHONE.sub(lambda match: re.sub(r"\D", " ", match[0]), plain)
    found = {told for pattern, told in _CLOCK if pattern.search(text)}
    found |= {"2"} if re.search(r"\btwice\b", text) else set()
    found |= {str(_roman(match[1])) for match in _CENTURY.finditer(text)}
    found |= {match[1] or match[2] for match in _DECADE.finditer(text)}
    for euros, cents, spaced in _CENTS.findall(text):
        found |= numbers(f"{euros},{cents or spaced}")
    told = _FRENCH_ORDINAL.sub(lambda match: _FRENCH[match[1]], text)
    told = _FIRST_OF_TENS.sub("one", told)
    told = _ENGLISH_ORDINAL.sub(lambda match: _ENGLISH[match[1]], told)
    rewritten = {told, _ONE.sub("1", told), by_the_clock(text)} - {plain}
    return found.union(*map(numbers, rewritten))


def by_the_clock(text: str) -> str:
    """Return the text, folded, with full hours alone («9h00» is 9 h) and afternoons as in 17 h."""
    text = _FULL_HOUR.sub(" h ", fold(plain_text(text)))
    return _AFTERNOON.sub(lambda match: str(int(match[1]) % 12 + 12), text)


def _roman(letters: str) -> int:
    values = [_ROMAN[letter] for letter in letters]
    return sum(
        -value if value < max(values[place:]) else value for place, value in enumerate(values)
    )
