"""What stands beside a number, its unit and, of degrees, its sign: 10 % is not 10 €, nor -5 ° 5 °.

It knows common units by their signs and their French and English names, and tells only plain cases:
one of two texts gives a number another unit or sign than the other does everywhere. Before other
units a minus may as well begin a line of a list («-2 œufs») or be a reduction («-20 %»).

Example: ``mismeasures("Il fait 5 °C.", "Il fait -5 °C.")`` is true.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from qa.words.numerals import SPELLED_OUT, numbers
from qa.words.terms import NUMBER, fold, plain_text

_UNITS: Final = {
    name: sign
    for sign, names in {
        "%": "%|pour cent|pourcent|percent|per cent",
        "€": "€|euro|euros|eur",
        "$": "$|dollar|dollars|usd",
        "£": "£|gbp",
        "°": "°|°c|° c|°f|° f|degre|degres|degree|degrees",
        "km": "km|kilometre|kilometres|kilometer|kilometers",
        "m": "m|metre|metres|meter|meters",
        "cm": "cm|centimetre|centimetres|centimeter|centimeters",
        "mm": "mm|millimetre|millimetres|millimeter|millimeters",
        "kg": "kg|kilo|kilos|kilogramme|kilogrammes|kilogram|kilograms",
        "g": "g|gramme|grammes|gram|grams",
        "mg": "mg|milligramme|milligrammes|milligram|milligrams",
        "l": "l|litre|litres|liter|liters",
        "cl": "cl|centilitre|centilitres|centiliter|centiliters",
        "ml": "ml|millilitre|millilitres|milliliter|milliliters",
        "h": "h|heure|heures|hour|hours",
        "min": "min|mn|minute|minutes",
        "s": "s|seconde|secondes|second|seconds",
        "day": "j|jour|jours|day|days",
        "week": "semaine|semaines|week|weeks",
        "month": "mois|month|months",
        "year": "ans|annee|annees|year|years",  # not «an»: "12 an hour"
        "mile": "mile|miles",
        "ha": "ha|hectare|hectares",
        "t": "t|tonne|tonnes|ton|tons",
        "GB": "go|gb|gigaoctet|gigaoctets|gigabyte|gigabytes",
        "MB": "mo|mb|megaoctet|megaoctets|megabyte|megabytes",
        "point": "point|points",
    }.items()
    for name in names.split("|")
}
_NAMED: Final = "|".join(re.escape(name) for name in sorted(_UNITS, key=len, reverse=True))
# «3-5» and «0 - 5» are ranges; «au moins 20 °C» and «plus ou moins 2 °C» are not below zero.
_BELOW: Final = (
    r"(?:(?<![\w°%)])(?<!\d )[-−–] ?"
    r"|(?<!\bau )(?<!\bdu )(?<!\bou )(?<!\bor )(?<!\bpas )\b(?:moins|minus) )(?=\d)"
)
_MEASURE: Final = re.compile(
    rf"(?P<below>{_BELOW})?(?P<before>[€$£] ?)?(?P<number>{NUMBER}|{SPELLED_OUT})"
    rf"(?:\s?(?P<unit>{_NAMED})(?![^\W_]|['’]|\s?[€$£])"
    r"(?P<under> (?:sous|below|en dessous de|au-dessous de) (?:zero|0)\b)?)?"
)


def mismeasures(statement: str, source: str) -> bool:
    """Tell whether the statement gives a number a unit or a sign that the source never does.

    Numbers that stand in one of the texts alone, or without a unit in one of them, tell nothing.
    """
    said, held = _measures(statement), _measures(source)
    return any(said[number].isdisjoint(held[number]) for number in said.keys() & held.keys())


def _measures(text: str) -> Mapping[str, set[str]]:
    """Return the units, below zero marked, of each number that is written with one."""
    found: dict[str, set[str]] = defaultdict(set)
    for match in _MEASURE.finditer(fold(plain_text(text))):
        unit = _UNITS.get(match["unit"] or "") or (match["before"] or "").strip()
        if unit == "°" and (match["below"] or match["under"]):
            unit = "-°"
        if unit:
            for number in numbers(match["number"]):
                found[number].add(unit)
    return found
