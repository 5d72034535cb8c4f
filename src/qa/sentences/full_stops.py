"""Whether a full stop belongs to an abbreviation, an initial or a number and ends no sentence.

It is given one stop with what stands around it, and reads nothing further than a few words away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from qa.sentences.abbreviations import Abbreviations

_ABBREVIATION_CHARS = 40
"""How far back the word before a full stop is looked for."""

_ENUMERATOR_CHARS = 30
_ITEM_CHARS = 80
"""How far back the number before that of an item is looked for."""

_ITEM_NUMBER = re.compile(r"(?<!\S)(\d{1,3})\.\s")
_VOWELLESS_CHARS = 6  # the longest of `_VOWELLESS`

_SPACE = "[ \u00a0\u202f\u2009]"
_ELISION = re.compile(r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’](?=.)", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,2}\.){1,6}[^\W\d_]{1,2}")
_VOWELLESS = re.compile(r"[B-DF-HJ-NP-TV-XZ][b-df-hj-np-tv-xz]{1,4}")  # Cn., Phl.
_DASHES = ("-", "–", "—")
# Not "C'est" nor "M. Roy".
_ROMAN = re.compile(r"(?!MM?\.|[CDL]\. [A-ZÀ-Ý][a-zà-ÿ]{3})[IVXLCDM]+\b(?!['’])")
_MINUTES = re.compile(
    rf"[0-5]\d(?={_SPACE}*(?:\Z|[\n.,;:!?)\]»/–—-]"
    r"|(?:min|mn|précises|environ)\b|(?P<word>[^\W\d_]+)))"
)
_CODE = re.compile(rf"(?:\d|[A-Z]{{1,5}}\.?{_SPACE}?-?\d)")  # L. 121, THX-200
_LETTER = re.compile(r"[B-HJ-NP-XZ]\b(?![.'’-])")  # fig. B, but not "modern art. A man"
_AMOUNT = re.compile(rf"[+€$£]{_SPACE}?\d|\+{_SPACE}")  # tél. +33, max. $5, 5 min. + 2
_ENUMERATOR = re.compile(
    r"[(\[«“\"*_]*(?:(?:§{1,2}\s?)?\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[IVX]{1,6}|[ivx]{1,4}"
    r"|N\.?B|(?:P\.?){1,2}S)\.[)*_]*"
)
_DIVISION = re.compile(
    r"[*_]*(?P<name>[^\W\d_]{2,12})\.?\s(?:\d{1,4}(?:[.-]\d+)*(?:er)?|[IVXLC]+)\."
)


class Stop(NamedTuple):  # a tuple: a large file has millions of stops
    """A place where a sentence might end, and what stands around it."""

    text: str
    start: int  # of the sentence that might end here
    at: int  # of the stop
    end: int  # after what closes the sentence
    mark: str
    tail: str
    gap: str
    openers: str
    word: str
    first: str  # the first character after the gap and the openers; "" at the end
    first_at: int

    @property
    def before(self) -> list[str]:
        """Return up to three words before the stop, without opening marks; the last may be ""."""
        window = self.text[max(self.start, self.at - _ABBREVIATION_CHARS) : self.at]
        words = [word.lstrip("([{«“„\"'‘*_—–-") for word in window.split()[-3:]]
        if not window or window[-1].isspace():
            words.append("")
        words[-1] = _ELISION.sub("", words[-1], count=1)
        return words[-3:]


def plainly_ends(
    text: str, start: int, at: int, cut: int, end: int, abbreviations: Abbreviations
) -> bool:
    """Return whether a stop surely ends a sentence; most do, and no more has to be looked at.

    It is one full stop after a word that no abbreviation ends with, and before a capital letter.

    :param text: holds the sentence.
    :param start: of the sentence that might end here.
    :param at: of the stop.
    :param cut: after the stop and what closes the sentence.
    :param end: of the stretch of text that is looked at.
    :param abbreviations: of all languages.
    :return: False where it has to be looked at closely.
    """
    if cut != at + 1 or text[at] != "." or cut - start <= _ENUMERATOR_CHARS:
        return False
    if cut + 1 >= end or text[cut] != " " or not text[cut + 1].isupper():
        return False
    word = text[max(start, at - _ABBREVIATION_CHARS) : at].rpartition(" ")[2]
    return _is_plain(word, abbreviations)


def _is_plain(word: str, abbreviations: Abbreviations) -> bool:
    """Return whether a full stop after a word can only be that of the sentence."""
    return (
        (len(word) > _VOWELLESS_CHARS or (len(word) > 1 and word[0].islower()))
        and word.isalpha()
        and word.lower() not in abbreviations.last_words
    )


def goes_on(stop: Stop, abbreviations: Abbreviations) -> bool:
    """Return whether a single full stop does not end the sentence."""
    if _is_enumerator(stop, abbreviations):
        return True
    words = stop.before
    token = words[-1]
    if not token or any(mark in stop.tail for mark in '»”".!?'):
        return False
    if _is_plain(token, abbreviations):
        return False
    last = token.rpartition("/")[2]  # €/min
    for form in [
        " ".join((words[-2] if len(words) > 1 else "", token)),
        last if last[1:] else token,
    ]:
        known = _abbreviation_goes_on(stop, form, abbreviations)
        if known is not None:
            return known
    if token[-1].isdigit():
        return _number_goes_on(stop, words, abbreviations)
    return _initial_goes_on(stop, words, abbreviations)


def _is_enumerator(stop: Stop, abbreviations: Abbreviations) -> bool:
    """Return whether the sentence so far is only the number of what follows: "1.", "Article 3."."""
    if stop.end - stop.start > _ENUMERATOR_CHARS:
        return False
    head = stop.text[stop.start : stop.end].strip()
    if _ENUMERATOR.fullmatch(head):
        return not set(stop.tail) & set('»”"')
    division = _DIVISION.fullmatch(head)
    return division is not None and division["name"].lower() in abbreviations.divisions


def _abbreviation_goes_on(stop: Stop, form: str, abbreviations: Abbreviations) -> bool | None:
    """Return whether a listed abbreviation goes on; None if ``form`` is not listed."""
    bracket = stop.tail[:1] in (")", "]")
    match abbreviations.kind(form):
        case "always":
            return True
        case "final":
            return bracket or (stop.openers[:1] == "(" and stop.first.isdigit())  # H.T. (20 %)
        case "weak" if len(form) > 1 or form.islower():  # "V." is an initial
            return bracket or not is_starter(stop, abbreviations)
        case "timed" if len(form) > 1 or form.islower():  # "H." is an initial
            return bracket or _time_goes_on(stop, form, abbreviations)
        case "numbered" | "dated" as kind:
            if bracket or _is_number(stop, roman=kind == "numbered"):
                return True
            if kind == "dated" and stop.openers[:1] in _DASHES:  # Mon. - Fri.
                return True
            return None if len(form) == 1 and form.isupper() else False
    # The first half of "z. B."
    return abbreviations.kind(f"{form}. {stop.word}") in ("always", "weak") or None


def _time_goes_on(stop: Stop, form: str, abbreviations: Abbreviations) -> bool:
    """Return whether a time of day goes on: 18 h. 30, 3 p.m. Thursday, 9 a.m. Paris time."""
    if stop.first.isdigit() and form == "h":  # "à 10 h. 34 personnes étaient là" ends
        minutes = _MINUTES.match(stop.text, stop.first_at)
        return minutes is not None and (
            minutes["word"] is None or minutes["word"].lower() in abbreviations.starters
        )
    zone = stop.text[stop.first_at + len(stop.word) :][:5] == " time"
    return stop.first.isdigit() or zone or stop.word in abbreviations.after_time


def _is_number(stop: Stop, *, roman: bool) -> bool:
    if stop.first.isdigit() or _AMOUNT.match(stop.text, stop.first_at):
        return True
    if not roman:
        return False
    if _CODE.match(stop.text, stop.first_at) or _LETTER.match(stop.text, stop.first_at):
        return True
    numeral = _ROMAN.match(stop.text, stop.first_at)
    if numeral is None:
        return False
    # "modern art. I think" is English, not Roman.
    following = stop.text[numeral.end() : numeral.end() + 2].strip()
    return numeral[0] != "I" or not following[:1].islower()


def is_starter(stop: Stop, abbreviations: Abbreviations) -> bool:
    """Return whether the word after the stop is one that often begins a sentence.

    An initial is none («J. A. Dupont»), nor is what begins a quotation in lower case. A contraction
    («It's») is.
    """
    after = stop.first_at + len(stop.word)
    initial = len(stop.word) == 1 and stop.text[after : after + 1] == "."
    if initial or (stop.first.islower() and set(stop.openers) & set('«“„"')):
        return False
    word = stop.word.lower().replace("’", "'")
    return word in abbreviations.starters or word.rstrip("'") in abbreviations.starters


def _number_goes_on(stop: Stop, words: list[str], abbreviations: Abbreviations) -> bool:
    number = words[-1]
    if len(number) > 3 or not number.isdigit():
        return False
    lead = words[-2][-1:] if len(words) > 1 else ""
    inline_item = lead == ";" or (lead == ":" and number == "1") or _is_next_item(stop, number)
    return inline_item or stop.word in abbreviations.after_ordinal


def _is_next_item(stop: Stop, number: str) -> bool:
    """Return whether a number is the next one of items on one line: «1. Bureau 2. Comptes»."""
    if _ITEM_NUMBER.match(stop.text, stop.start) is None:
        return False
    cut = stop.at - len(number)
    window = stop.text[max(stop.start, cut - _ITEM_CHARS) : cut]
    before = _ITEM_NUMBER.findall(window)
    return bool(before) and int(before[-1]) + 1 == int(number)


def _initial_goes_on(stop: Stop, words: list[str], abbreviations: Abbreviations) -> bool:
    token = words[-1]
    if _INITIALS.fullmatch(token) is None or token[-1].islower():
        short = _ACRONYM.fullmatch(token) or _VOWELLESS.fullmatch(token)
        return short is not None and not is_starter(stop, abbreviations)
    if len(words) > 1 and _ELISION.sub("", words[-2].lower().strip(".,")) in abbreviations.lettered:
        return False
    if not is_starter(stop, abbreviations):
        return True
    if stop.word.lower().replace("’", "'") not in abbreviations.particles:
        return False
    rest = stop.text[stop.first_at + len(stop.word) : stop.first_at + len(stop.word) + 2].strip()
    return rest[:1].isupper()
