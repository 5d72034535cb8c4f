"""Words of French and English text: folded tokens, stems, names, and the language.

It knows nothing of documents or of the index, and treats other scripts as plain words.

Example: ``stems("L'armée irakienne")`` is ``["arme", "irakien"]``.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

import Stemmer

# Raised whenever the stems of some text change: an index made with another version is rebuilt.
WORDS_VERSION: Final = 3

# Soft hyphens, zero-width spaces and joiners only say where a word may break or how it is drawn.
_UNSEEN: Final = "\u00ad\u200b\u200d"
_TYPOGRAPHY: Final = str.maketrans({**dict.fromkeys("’ʼ‘´＇", "'"), **dict.fromkeys(_UNSEEN)})
# Superscripts are footnote marks and units (m², 2500¹), never part of a word or a number.
_PLAIN: Final = {**_TYPOGRAPHY, **dict.fromkeys(map(ord, "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"), " ")}
# «1½» is 1.5; another fraction is only set apart. NFKC would write 11⁄2.
_FRACTION: Final = re.compile(r"(?<=\d)[¼-¾⅐-⅞]")
_DECIMALS: Final = {"¼": ".25", "½": ".5", "¾": ".75"}
_OTHER_DIGIT: Final = re.compile(r"[^\D0-9]")
# What folding a letter can leave that is no part of a word: «⑴» → (1), «ﷺ» → four words.
_NO_LETTER: Final = re.compile(r"[\s\x00-\x2d\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"})
_FOLDED: Final = {**_TYPOGRAPHY, **_LIGATURES}
_GROUP_SPACES: Final = " \u00a0\u202f\u2009"
# In order: «1 200,50» with any kind of space; 1,200.50; 1.200,50; 3,5; 1.2.3; 42.
NUMBER: Final = (
    rf"(?>(?<!\d)(?:\d{{1,3}}(?:[{_GROUP_SPACES}]\d{{3}})+(?!\d)(?:[.,]\d+(?![.,]?\d))?"
    r"|[1-9]\d{0,2}(?:,\d{3})+(?!\d)(?:\.\d+)?|[1-9]\d{0,2}(?:\.\d{3})+(?![.\d])(?:,\d+)?"
    r"|(?<!\d[.,])\d+[.,]\d+(?![.,]?\d)|\d+(?:\.\d+){2,}|\d+))"
)
_DOTTED: Final = r"(?:[^\W\d_]\.)+[^\W\d_](?![^\W_])\.?"
_CJK: Final = r"぀-ヿ㐀-䶿一-鿿豈-﫿"
_LETTERS: Final = rf"[^\W_{_CJK}]+"
# What it begins with is said first: that spares spaces all forms, and letters those of numbers.
_WORD: Final = re.compile(
    rf"(?=[\w{_CJK}])"
    rf"(?:(?=\d){NUMBER}(?![^\W\d_])|{_DOTTED}|[{_CJK}]+|{_LETTERS}(?:'{_LETTERS})*)"
)
NUMERAL: Final = re.compile(NUMBER)
_IDEOGRAPHS: Final = re.compile(f"[{_CJK}]")
# Only a number can go on after white space.
_GROUPED: Final = re.compile(rf"\d[{_UNSEEN}]*[{_GROUP_SPACES}][{_UNSEEN}]*\d")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
# Longer pieces (addresses, text without spaces) are seldom met again: keeping them would cost GBs.
_KEPT_CHARS: Final = 32
# Long ones are speech, which is in the language of the text.
_QUOTED: Final = re.compile(r"«[^«»\n]{1,200}»|“[^“”\n]{1,200}”|\"[^\"\n]{1,200}\"")
_ENDINGS: Final = ".,;:!?)»”…"
_ELISIONS: Final = frozenset(
    [
        "c",
        "d",
        "j",
        "l",
        "m",
        "n",
        "s",
        "t",
        "qu",
        "jusqu",
        "lorsqu",
        "puisqu",
        "quoiqu",
        "presqu",
        "entr",
    ]
)
_ENGLISH_ENDINGS: Final = frozenset(["s", "re", "ve", "ll", "m", "d"])


def fold(text: str) -> str:
    """Return the text without case, accents, ligatures, soft hyphens and curly apostrophes."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold().translate(_FOLDED)
    decomposed = unicodedata.normalize("NFD", text)
    # Only the accents of alphabets that read the same without them (not Indic vowel signs).
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


def tokens(text: str) -> list[str]:
    """Return the folded words in order: elisions dropped, hyphens split, each number one token.

    «L'après-midi, 1 200,50 €» is ``["apres", "midi", "1200.50"]``.
    """
    return [token for match in _matches(text) for word in _words(match) if (token := _token(word))]


def stems(text: str) -> list[str]:
    """Return the stems of the content words: Snowball on the accented words, then folded.

    An English word gets its English stem besides, so that both languages can share one index.
    """
    if _GROUPED.search(text):
        return list(_stems(text))
    kept, every = _kept_stems, _stems
    return [
        stem
        for piece in text.split()
        for stem in (kept(piece) if len(piece) <= _KEPT_CHARS else every(piece))
    ]


def content_words(text: str) -> set[str]:
    """Return the set of stems of the text's content words, numbers left out."""
    return {stem for stem in stems(text) if not stem[0].isdigit()}


def language(text: str) -> Literal["fr", "en"]:
    """Tell French from English by counting function words; French when undecided."""
    return told_language(text) or "fr"


def told_language(text: str) -> Literal["fr", "en"] | None:
    """Tell French from English by counting function words; None when undecided: «Wifi ?».

    What is quoted («traduis « good morning »») may be in another language, and counts only where
    nothing else tells.
    """
    french, english = _function_words_of(_QUOTED.sub(" ", text))
    if french == english:
        french, english = _function_words_of(text)
    if french == english:
        return None
    return "en" if english > french else "fr"


def _function_words_of(text: str) -> tuple[int, int]:
    words = tokens(text)
    french, english = (_stop_words()[name] for name in ("fr", "en"))
    return sum(word in french for word in words), sum(word in english for word in words)


@lru_cache(maxsize=1)
def _stop_words() -> dict[str, frozenset[str]]:
    lists: dict[str, set[str]] = {"fr": set(), "en": set()}
    for line in (files("qa") / "data" / "stopwords.txt").read_text("utf-8").splitlines():
        name, *words = line.split()
        if name != "#":
            lists[name].update(words)
    return {name: frozenset(words) for name, words in lists.items()}


@lru_cache(maxsize=1)
def _function_words() -> frozenset[str]:
    return frozenset().union(*_stop_words().values())


# Without their own caches, which cost more than they save under ours.
_stemmers: Final = (Stemmer.Stemmer("french", 0), Stemmer.Stemmer("english", 0))
_stemmers_lock: Final = threading.Lock()  # one Stemmer serves one call at a time


def _token(word: str) -> str:
    folded = fold(word)
    return folded if folded.isalnum() else _NO_LETTER.sub("", folded)


def _stems(text: str) -> tuple[str, ...]:
    bare = text.rstrip(_ENDINGS)
    if bare.isascii() and bare.isalpha():  # most of all pieces: nothing to take apart
        stem = _kept_stem(bare.lower()) if len(bare) <= _KEPT_CHARS else _stem(bare.lower())
        return (stem,) if stem else ()
    words = (word for match in _matches(text) for word in _words(match))
    stems = (_kept_stem(word) if len(word) <= _KEPT_CHARS else _stem(word) for word in words)
    return tuple(filter(None, stems))


def _stem(word: str) -> str:
    """Return the stem of a lower-case word, or nothing for a function word or a single letter."""
    token = _token(word)
    if token in _function_words() or (len(word) == 1 and word.isalpha()):
        return ""
    # The French stemmer leaves English endings («attacked»), the English one French stems.
    french, english = _stemmers
    with _stemmers_lock:
        return _token(english.stemWord(fold(french.stemWord(word)))) or token


_kept_stem: Final = lru_cache(maxsize=1 << 16)(_stem)
_kept_stems: Final = lru_cache(maxsize=1 << 16)(_stems)


def plain_text(text: str) -> str:
    """Return the text in NFC, ASCII digits and apostrophes, no soft hyphens and superscripts.

    «1½» is 1.5 in it.
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    text = _OTHER_DIGIT.sub(lambda match: str(unicodedata.digit(match[0])), text)
    return _FRACTION.sub(lambda match: _DECIMALS.get(match[0], f" {match[0]}"), text)


def _matches(text: str) -> list[str]:
    """Return the words and numbers as they stand in the text."""
    text = plain_text(text)
    if "-t" not in text.lower():
        return _WORD.findall(text)
    return [
        match.group()
        for match in _WORD.finditer(text)
        if match.group() not in ("t", "T") or not text.endswith("-", 0, match.start())  # «a-t-il»
    ]


def _words(match: str) -> tuple[str, ...]:
    """Return lower-case words with their accents; numbers normalised; elided words left out."""
    word = match.lower()
    if NUMERAL.fullmatch(word):
        return (decimal(word),)
    if _IDEOGRAPHS.match(word):
        return tuple(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    return (_without_elisions(word.replace(".", "")),)


def _without_elisions(word: str) -> str:
    *before, last = word.split("'")
    while before and before[0] in _ELISIONS:
        del before[0]
    return "".join(before if before and last in _ENGLISH_ENDINGS else (*before, last))


def decimal(number: str) -> str:
    """Return «1 200,50» and 1,200.50 as 1200.50."""
    number = "".join(number.split())
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?", number):
        return number.replace(",", "")
    if re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+(,\d+)?", number):
        number = number.replace(".", "")
    return number.replace(",", ".")


_CAPITALISED: Final = re.compile(rf"{_DOTTED}|[^\W\d_][^\W_]*")
# What may stand between the end of a sentence (a colon, a line) and the next one's first word.
_SENTENCE_START: Final = re.compile(
    r"(?:^|[.!?…:][\s\"'»”)\]]*[\s\"'«“(\[]|\n)\s*(?:[-–—•*]\s+)?[\"'«“(\[\s]*$"
)
_LONGEST_NAME: Final = 2  # words in capitals that may be one: «LA POSTE»
_ABBREVIATION: Final = re.compile(
    r"\b(?:MM?|Mmes?|Mlles?|Drs?|Prs?|Mes?|Stes?|St|Gal|Gén|Col|Mr|Mrs|Ms|Sen|Rep|Gov|Gen|[A-Z])\.\s*$"
)


def names(text: str) -> set[str]:
    """Return the folded capitalised words that do not open a sentence, and all acronyms.

    None of a sentence in capitals, whose names cannot be told: «QUEL EST LE LOYER ?».
    """
    text = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHY)
    found: set[str] = set()
    if text.isupper() and _is_sentence(tokens(text)):
        return found
    for match in _CAPITALISED.finditer(text):
        word = match.group().replace(".", "")
        if len(word) < 2 or not word[0].isupper():
            continue
        folded = fold(word)
        if word.isupper() or not (folded in _function_words() or _opens(text, match.start())):
            found.add(folded)
    return found


def _is_sentence(words: list[str]) -> bool:
    return len(words) > _LONGEST_NAME and not _function_words().isdisjoint(words)


def _opens(text: str, start: int) -> bool:
    before = text[max(0, start - 16) : start]
    if start > 16:
        before = "x" + before  # a cut is no beginning
    return bool(_SENTENCE_START.search(before)) and not _ABBREVIATION.search(before)
