"""Where sentences end inside one block of text (a paragraph, a list item).

It knows nothing of lines, headings or documents; it is given a stretch of text and yields offsets.
The policy: sentences inside quotation marks are sentences; a closing quotation mark or bracket
belongs to the sentence it closes; « Fini ! » a-t-il crié is one sentence, because it goes on in
lower case.

Example: ``list(sentence_ends("Oui. Non.", 0, 9)) == [4, 9]``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from qa.sentences.abbreviations import Abbreviations, load_abbreviations
from qa.sentences.full_stops import Stop, goes_on, is_starter, plainly_ends

MAX_SENTENCE_CHARS = 1200
"""A longer stretch without a stop is cut, so that no prompt meets an unbounded sentence."""

_MIN_PIECE_CHARS = 400
"""A forced cut looks for a good place after this many characters."""

_SPACE = "[ \u00a0\u202f\u2009]"
_ZERO_WIDTH = "[\u200b-\u200f\u2060\ufeff]"
_EMOJI = "[\U0001f1e6-\U0001faff\u2600-\u27bf\ufe0f\u200d]"
_SCRIPT_STOPS = "。！？｡؟۔।॥։።။"

# A run of stops, then what closes the sentence: quotation marks, brackets, note marks, emoji.
# It begins with a set of characters: `re` then skips what lies between at once.
_STOP = re.compile(
    rf"""
    (?P<stop> [.!?…‽{_SCRIPT_STOPS}] (?:
        (?<=\.)(?:{_SPACE}\.)++ | [.!?…‽{_SCRIPT_STOPS}]*+ (?:{_SPACE}?[!?]++)*+
    ) )
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
_NEXT = re.compile(  # a line of a quotation begins with «>»
    r"(?P<gap>(?:[^\S\n]|\u200b)*+(?:\n[\s\u200b>]*+)?+)(?P<openers>(?:[«“„\"'‘‹(\[{「『¿¡*_—–-]\s*+)*+)"
    r"(?P<word>[^\W\d_]{1,20}+['’]?)?"
)
_SPACED_QUOTE = re.compile(rf'{_SPACE}"(?=\s|$)')
_WORD = re.compile(r"\w")
_CONTINUES = frozenset(",;:.!?…)]}»%”/=|<>")
_CJK_LETTER = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9f]")
_UNSPACED = re.compile(r"[^\W\d_]{3,}|.*[»”)\]]")
_IN_NUMBER = r"(?<=\d.)\d"  # 5,56 and 12 000
# What follows a place for a forced cut; in a number only if there is no other one.
_CUTS = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        "(?<=[;；]).",
        r"(?<=\n).",
        rf"(?<=[,،，、])(?!{_IN_NUMBER}).",
        rf"(?<=[ \t\u00a0\u202f])(?!{_IN_NUMBER}).",
        r"(?<=[ \t\u00a0\u202f]).",
        "(?<=,).",
    )
]
_OMISSION = re.compile(r"[\[(](?:\.{3}|…)[\])]")


def sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the end of every sentence of ``text[start:end]``, in order; the last one is ``end``."""
    abbreviations = load_abbreviations()
    lower_only = text[start:end].islower()
    sentence, checked, quotes, has_word = start, start, 0, False
    for match in _STOP.finditer(text, start, end):
        cut = match.end()
        if cut == end:
            break
        if plainly_ends(text, sentence, match.start(), cut, end, abbreviations):
            yield cut
            sentence, checked, quotes, has_word = cut, cut, 0, False
            continue
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
    """Yield ``text[start:end]`` in bounded pieces, cut where it hurts least."""
    while end - start > MAX_SENTENCE_CHARS:
        cut = _best_cut(text, start, start + MAX_SENTENCE_CHARS)
        yield start, cut
        start = cut
    yield start, end


def _best_cut(text: str, start: int, limit: int) -> int:
    lowest = start + _MIN_PIECE_CHARS
    for pattern in _CUTS:
        if found := list(pattern.finditer(text, lowest, limit + 1)):
            return found[-1].start()
    cut = limit
    # \w misses combining marks and joiners: a letter keeps its accent, a flag its halves.
    while cut > lowest and not text[cut].isalnum() and not text[cut].isspace():
        cut -= 1
    return cut if cut > lowest else limit


def _stop(text: str, sentence: int, match: re.Match[str], cut: int, end: int) -> Stop:
    after = _NEXT.match(text, cut, end)
    assert after is not None  # every part of the pattern is optional
    first_at = after.end("openers")
    return Stop(
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


def _is_boundary(stop: Stop, abbreviations: Abbreviations, lower_only: bool) -> bool:
    if not stop.first:
        return False
    if stop.mark[-1] in _SCRIPT_STOPS:
        # 「好。」と言った goes on after its closing mark; 「好。」「是。」 does not.
        return bool(stop.gap or stop.openers or not stop.tail)
    if not stop.gap and not stop.tail.endswith("\u200b"):
        return _starts_unspaced(stop, abbreviations)
    if _OMISSION.match(stop.text, stop.first_at - 1):
        return True
    if _continues(stop) or _is_bracketed(stop):
        return False
    in_lower_case = stop.first.islower() and not (lower_only and _ends_lower_case(stop))
    if in_lower_case and not any(quote in stop.openers for quote in '«“„"'):
        return False
    if len(stop.mark) > 3 and stop.mark[0] == "." and stop.first.isdigit():  # a table of contents
        return False
    return stop.mark != "." or not goes_on(stop, abbreviations)


def _ends_lower_case(stop: Stop) -> bool:
    """Return whether text without capitals ends here: at no ellipsis, not in "c. à café"."""
    return stop.mark[-1] in "!?" or (stop.mark == "." and len(stop.before[-1]) > 2)


def _starts_unspaced(stop: Stop, abbreviations: Abbreviations) -> bool:
    """Return whether a sentence starts without a space: a typing error, or Chinese."""
    last = stop.text[stop.at - 1 : stop.at]
    if _CJK_LETTER.match(stop.first) and _CJK_LETTER.match(last):
        return stop.mark[-1] in ".!?"
    rest = stop.text[stop.first_at + len(stop.word) : stop.first_at + len(stop.word) + 1]
    return (
        not stop.openers
        and stop.first.isupper()
        and is_starter(stop, abbreviations)
        and (stop.word[-1] in "'’" or not rest.isalnum())
        and _UNSPACED.fullmatch(stop.before[-1] + stop.tail) is not None
    )


def _continues(stop: Stop) -> bool:
    """Return whether a mark follows that no sentence begins with."""
    return stop.first in _CONTINUES or (stop.first == "&" and not stop.openers)


def _is_bracketed(stop: Stop) -> bool:
    """Return whether the stop is a remark of its own: [...], (!), (sic !) is not one."""
    return (
        stop.text[stop.at - 1 : stop.at] in ("(", "[")
        and stop.tail[:1] in (")", "]")
        and not any(mark in stop.tail for mark in ".!?…")
    )
