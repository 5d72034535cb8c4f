"""Where sentences end inside one block of text (a paragraph, a list item).

It knows nothing of lines, headings or documents; it is given a stretch of text and yields offsets.
The policy: sentences inside quotation marks are sentences; a closing quotation mark or bracket belongs
to the sentence it closes; « Fini ! » a-t-il crié is one sentence, because it goes on in lower case.

Example: ``list(sentence_ends("Oui. Non.", 0, 9)) == [4, 9]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from qa.sentences.abbreviations import Abbreviations, is_listed, load_abbreviations

MAX_SENTENCE_CHARS = 1200
"""A longer stretch without a stop is cut, so that no prompt meets an unbounded sentence."""

_MIN_PIECE_CHARS = 400
"""A forced cut looks for a good place after this many characters."""

_ABBREVIATION_CHARS = 40
"""How far back the word before a full stop is looked for."""

_SPACE = "[ \u00a0\u202f\u2009]"
_ZERO_WIDTH = "[\u200b-\u200f\u2060\ufeff]"
_EMOJI = "[\U0001f1e6-\U0001faff\u2600-\u27bf\ufe0f\u200d]"
_SCRIPT_STOPS = "。！？｡؟۔।॥։።။"

# A run of stops, then what closes the sentence: quotation marks, brackets, note marks, emoji.
_STOP = re.compile(
    rf"""
    (?P<stop> \.(?:{_SPACE}\.)++ | [.!?…‽{_SCRIPT_STOPS}]++ (?:{_SPACE}?[!?]++)*+ )
    (?P<tail> (?:
        {_ZERO_WIDTH}*+ [»”“’"')\]}}›」』】）》*_]
      | {_SPACE}{{1,2}} [»›](?!\w)
      | \[\d{{1,3}}\]
      | [¹²³⁰-⁹]++
      | {_SPACE}?{_EMOJI}++(?=\s|$)
      | (?<=[»”“"'’)」』]){_SPACE}?[.!?…]++
      | {_ZERO_WIDTH}++
    )*+ )
    """,
    re.VERBOSE,
)
_NEXT = re.compile(
    r"(?P<gap>[\s\u200b]*+)(?P<openers>(?:[«“„\"'‘‹(\[{「『¿¡*_—–-]\s*+)*+)"
    r"(?P<word>[^\W\d_]{1,20}+['’]?)?"
)
_SPACED_QUOTE = re.compile(rf'{_SPACE}"(?=\s|$)')
_WORD = re.compile(r"\w")
_CONTINUES = frozenset(",;:.!?…)]}»%”/=|<>")
_ELISION = re.compile(r"(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu)['’](?=.)", re.IGNORECASE)
_INITIALS = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]")
_ACRONYM = re.compile(r"(?:[^\W\d_]{1,2}\.){1,6}[^\W\d_]{1,2}")
_ROMAN = re.compile(r"[IVXLCDM]+\b")
_CODE = re.compile(rf"(?:\d|[A-Z]{{1,2}}\.?{_SPACE}?-?\d)")
_ENUMERATOR = re.compile(
    r"[(\[«“\"*_]*(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[IVX]{1,6}|[ivx]{1,4})\.[)*_]*"
)
_DIVISION = re.compile(r"[*_]*(?P<name>[^\W\d_]{2,12})\.?\s(?:\d{1,4}(?:[.-]\d+)*(?:er)?|[IVXLC]+)\.")
_CJK_LETTER = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
_UNSPACED = re.compile(r"[^\W\d_]{3,}|.*[»”)\]]")
_OMISSION = re.compile(r"[\[(](?:\.{3}|…)[\])]")


@dataclass(frozen=True, slots=True)
class _Stop:
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
        """Return up to three words before the stop, without opening quotation marks; the last may be ''."""
        window = self.text[max(self.start, self.at - _ABBREVIATION_CHARS) : self.at]
        words = [word.lstrip("([{«“„\"'‘*_—–-") for word in window.split()]
        if not window or window[-1].isspace():
            words.append("")
        words[-1] = _ELISION.sub("", words[-1], count=1)
        return words[-3:]


def sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the end of every sentence of ``text[start:end]``, in order; the last one is ``end``."""
    abbreviations = load_abbreviations()
    lower_only = text[start:end].islower()
    sentence, checked, quotes, has_word = start, start, 0, False
    for match in _STOP.finditer(text, start, end):
        cut = match.end()
        quotes += text.count('"', checked, cut)
        if quotes % 2 and _SPACED_QUOTE.match(text, cut, end):
            cut, quotes = cut + 2, quotes + 1
        has_word = has_word or _WORD.search(text, checked, cut) is not None
        checked = cut
        if not has_word:
            continue
        stop = _stop(text, sentence, match, cut, end)
        if _is_boundary(stop, abbreviations, lower_only) and _WORD.search(text, cut, end):
            yield cut
            sentence, quotes, has_word = cut, 0, False
    yield end


def cut_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield ``text[start:end]`` in pieces of at most `MAX_SENTENCE_CHARS`, cut where it hurts least."""
    while end - start > MAX_SENTENCE_CHARS:
        cut = _best_cut(text, start, start + MAX_SENTENCE_CHARS)
        yield start, cut
        start = cut
    yield start, end


def _best_cut(text: str, start: int, limit: int) -> int:
    lowest = start + _MIN_PIECE_CHARS
    for marks in (";；", "\n", ",،，、", " \t\u00a0\u202f"):
        cut = max(text.rfind(mark, lowest, limit) for mark in marks)
        if cut >= 0:
            return cut + 1
    cut = limit
    # \w misses combining marks and joiners: a letter keeps its accent, a flag its halves.
    while cut > lowest and not text[cut].isalnum() and not text[cut].isspace():
        cut -= 1
    return cut if cut > lowest else limit


def _stop(text: str, sentence: int, match: re.Match[str], cut: int, end: int) -> _Stop:
    after = _NEXT.match(text, cut, end)
    assert after is not None  # every part of the pattern is optional
    first_at = after.end("openers")
    return _Stop(
        text=text,
        start=sentence,
        at=match.start(),
        end=cut,
        mark=match["stop"],
        tail=text[match.end("stop") : cut],
        gap=after["gap"],
        openers=after["openers"],
        word=after["word"] or "",
        first=text[first_at] if first_at < end else "",
        first_at=first_at,
    )


def _is_boundary(stop: _Stop, abbreviations: Abbreviations, lower_only: bool) -> bool:
    if not stop.first:
        return False
    if stop.mark[-1] in _SCRIPT_STOPS:
        # 「好。」と言った goes on after its closing mark; 「好。」「是。」 does not.
        return bool(stop.gap or stop.openers or not stop.tail)
    if not stop.gap and not stop.tail.endswith("\u200b"):
        return _starts_unspaced(stop, abbreviations)
    if _OMISSION.match(stop.text, stop.first_at - 1):
        return True
    if stop.first in _CONTINUES or _is_bracketed(stop):
        return False
    if stop.first.islower() and not lower_only:
        return any(quote in stop.openers for quote in "«“„\"")
    return stop.mark != "." or not _goes_on(stop, abbreviations)


def _starts_unspaced(stop: _Stop, abbreviations: Abbreviations) -> bool:
    """Return whether a sentence starts right after a stop without a space (a typing error, or Chinese)."""
    last = stop.text[stop.at - 1 : stop.at]
    if _CJK_LETTER.match(stop.first) and _CJK_LETTER.match(last):
        return stop.mark[-1] in ".!?"
    rest = stop.text[stop.first_at + len(stop.word) : stop.first_at + len(stop.word) + 1]
    return (
        not stop.openers
        and stop.first.isupper()
        and _is_starter(stop, abbreviations)
        and (stop.word[-1] in "'’" or not rest.isalnum())
        and _UNSPACED.fullmatch(stop.before[-1] + stop.tail) is not None
    )


def _is_bracketed(stop: _Stop) -> bool:
    """Return whether the stop is a remark of its own: [...], (!), (sic !) is not one."""
    return (
        stop.text[stop.at - 1 : stop.at] in ("(", "[")
        and stop.tail[:1] in (")", "]")
        and not any(mark in stop.tail for mark in ".!?…")
    )


def _goes_on(stop: _Stop, abbreviations: Abbreviations) -> bool:
    """Return whether the single full stop belongs to an abbreviation, an initial or a list number."""
    head = stop.text[stop.start : stop.end].strip() if stop.end - stop.start < 30 else ""
    if _ENUMERATOR.fullmatch(head) and not (set(stop.tail) & set("»”\"")):
        return True
    if (division := _DIVISION.fullmatch(head)) and division["name"].lower() in abbreviations.divisions:
        return True
    words = stop.before
    token = words[-1]
    pairs = [token] if len(words) < 2 else [f"{words[-2]} {token}", token]
    if not token or any(mark in stop.tail for mark in "»”\".!?"):
        return False
    for form in pairs:
        known = _abbreviation_goes_on(stop, form, abbreviations)
        if known is not None:
            return known
    if token[-1].isdigit():
        return _number_goes_on(stop, words, abbreviations)
    return _initial_goes_on(stop, words, abbreviations)


def _abbreviation_goes_on(stop: _Stop, form: str, abbreviations: Abbreviations) -> bool | None:
    """Return whether a listed abbreviation goes on; None if ``form`` is not listed."""
    bracket = stop.tail[:1] in (")", "]")
    if is_listed(form, abbreviations.always):
        return True
    if is_listed(form, abbreviations.final):
        return bracket
    numbered = is_listed(form, abbreviations.numbered)
    if numbered or is_listed(form, abbreviations.dated):
        if bracket or _is_number(stop, roman=numbered):
            return True
        return None if len(form) == 1 and form.isupper() else False
    if is_listed(form, abbreviations.weak):
        return bracket or not _is_starter(stop, abbreviations)
    pair = f"{form}. {stop.word}"  # the first half of "z. B."
    if is_listed(pair, abbreviations.always) or is_listed(pair, abbreviations.weak):
        return True
    return None


def _is_number(stop: _Stop, *, roman: bool) -> bool:
    if stop.first.isdigit():
        return True
    if not roman:
        return False
    if _CODE.match(stop.text, stop.first_at):
        return True
    numeral = _ROMAN.match(stop.text, stop.first_at)
    if numeral is None:
        return False
    # "modern art. I think" is English, not Roman.
    following = stop.text[numeral.end() : numeral.end() + 2].strip()
    return numeral[0] != "I" or not following[:1].islower()


def _is_starter(stop: _Stop, abbreviations: Abbreviations) -> bool:
    return stop.word.lower().replace("’", "'") in abbreviations.starters


def _number_goes_on(stop: _Stop, words: list[str], abbreviations: Abbreviations) -> bool:
    number = words[-1]
    if len(number) > 3 or not number.isdigit():
        return False
    lead = words[-2][-1:] if len(words) > 1 else ""
    inline_item = lead == ";" or (lead == ":" and number == "1")
    return inline_item or stop.word in abbreviations.after_ordinal


def _initial_goes_on(stop: _Stop, words: list[str], abbreviations: Abbreviations) -> bool:
    token = words[-1]
    if _INITIALS.fullmatch(token) is None or token[-1].islower():
        return _ACRONYM.fullmatch(token) is not None and not _is_starter(stop, abbreviations)
    if len(words) > 1 and words[-2].lower().strip(",") in abbreviations.lettered:
        return False
    if not _is_starter(stop, abbreviations):
        return True
    if stop.word.lower().replace("’", "'") not in abbreviations.particles:
        return False
    rest = stop.text[stop.first_at + len(stop.word) : stop.first_at + len(stop.word) + 2].strip()
    return rest[:1].isupper()
