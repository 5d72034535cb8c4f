"""Items of lists, rows of tables, parts: what names them stands above, once for all of them.

«- vous êtes asthmatique» is nothing without «Ne le prenez pas si :», and «Lundi | 9 h» nothing
without «Jour | Ouverture». A sentence has offsets and no lines, so the rules go by marks and by the
characters between sentences; in doubt nothing leads in, since a wrong name is worse than none.

Example: ``lead(item, sentences).sentence`` is «Ne le prenez pas si :», and
``named_cells("Jour | Ouverture", "Lundi | 9 h")`` is ``"Jour : Lundi ; Ouverture : 9 h"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, Literal, NamedTuple

from qa.sentences import division_name, load_abbreviations
from qa.types import Sentence

# Sentences from what leads in to an item: a longer list is hardly led in by one line. Looking back
# for that needs some more, since what stands above tells whether a line leads in.
_MOST_BELOW: Final = 60
_LOOK_BACK: Final = _MOST_BELOW + 20
# Of an item, how many sentences may follow the one that has its mark; and the words of those that
# say too little without it («Le carburant reste à la charge de l'emprunteur.»).
_MOST_WITHIN: Final = 3
_MOST_WORDS: Final = 8
# A line without a colon leads in what follows a list only where that was one: of so many items.
_FEWEST_ITEMS: Final = 2
# Characters between two sentences: of a blank line. Further ones indent an item, two or more for
# each list around its own.
_BLANK: Final = 2
# Of a table whose first row may name the columns, without a rule that says so: its columns, and the
# words of a name.
_FEWEST_COLUMNS: Final = 3
_MOST_NAME_WORDS: Final = 4

_MARK: Final = re.compile(
    r"(?P<sign>[-*+•·‣▪●◦○■□✓✔➢–—])\s+(?P<first>\S)"
    r"|(?P<open>\(?)(?:(?P<number>\d{1,3})|(?P<letter>[A-Za-z]|[ivxIVX]{2,5}))(?P<close>[.)°])\s+\S"
)
_DASHES: Final = "–—"  # of a dialogue, too
_TRIMMED: Final = " \u00a0\u202f*_»”\"'"
_CLOSED: Final = f"{_TRIMMED})"
_COLON: Final = (":", "：")
_ENDS: Final = tuple(".!?…;,")
_STOPS: Final = tuple(".!?…")
_RULE: Final = re.compile(r"[\s>|:+=-]*-[\s|:+=-]*")
_DASHES_OF_RULE: Final = re.compile(r"[-=]+")
_BAR: Final = re.compile(r"\s*(?<!\\)\|\s*")
_SYMBOLS: Final = frozenset("`=<>≤≥{};@")
# Roman numbers of one letter, and the one before: «v» is Roman after «iv», a letter after «u».
_ROMAN_BEFORE: Final = {"v": "iv", "x": "ix"}

Kind = Literal["columns", "list", "item"]


class Lead(NamedTuple):
    """What names a sentence: its columns' names, what leads its list in, or the item it is in."""

    sentence: Sentence
    kind: Kind


class _Mark(NamedTuple):
    """The mark of an item, ``shape`` that of all such: «-», «1.», «(a)», «(i)» where it is Roman.

    ``number``: what stands in it; ``told``: somebody speaks.
    """

    shape: str
    number: str
    told: bool


def leads(sentences: Sequence[Sentence]) -> Iterator[Lead | None]:
    """Yield for each sentence what names it above, None where nothing does.

    A list is led in by the line right above its first item, if that ends in a colon or in no mark;
    it has the items with that one's mark. An inner list is led in by its item, if that ends in a
    colon; short sentences that follow in an item by that. A table's first row names its columns if
    a rule of Markdown («|---|---|») follows it; or if there are three or more short names without a
    number in it that do not come again, and a number in the row: «Marque | Ostrel» may be a fact
    like those below.

    :param sentences: of one document, in order.
    """
    lists, start = _Lists(), 0
    for place, sentence in enumerate(sentences):
        if not (place and _in_one_table(sentences[place - 1], sentence)):
            start = place
        leading = lists.leading(sentence)
        yield _columns(sentences, start, place) or leading


def lead(sentence: Sentence, sentences: Sequence[Sentence]) -> Lead | None:
    """Return what names one sentence above, by the rules of :func:`leads`.

    :param sentences: all of its document's, in order.
    """
    if is_row(sentence):
        start = sentence.index
        while start and _in_one_table(sentences[start - 1], sentences[start]):
            start -= 1
        return _columns(sentences, start, sentence.index)
    *_, found = leads(sentences[max(0, sentence.index - _LOOK_BACK) : sentence.index + 1])
    return found


def heads(sentence: Sentence, sentences: Sequence[Sentence]) -> bool:
    """Return whether a line names what follows: a heading with words, or a part's first line.

    The edge of a code block names nothing, nor does the caption of a figure, nor a part right
    beside another one: an agenda lists them. «Résolution 4 – Mandat du syndic (art. 25)» tells a
    fact, so it is no heading and may be cited; still, what follows is of resolution 4.

    :param sentences: all of its document's, in order.
    """
    text, place = sentence.text, sentence.index
    if not sentence.heading:
        name = division_name(text)
        plain = _mark(sentence) is None and not is_row(sentence) and is_unended(text)
        beside = (*sentences[max(0, place - 1) : place], *sentences[place + 1 : place + 2])
        listed = any(division_name(one.text) == name for one in beside)
        captions = load_abbreviations().captions
        return name is not None and name not in captions and plain and not listed
    return any(map(str.isalnum, text)) and not text.lstrip("> ").startswith(("```", "~~~"))


def is_item(sentence: Sentence) -> bool:
    """Return whether a sentence begins as an item («-», «1.», «b)») and nobody says it."""
    mark = _mark(sentence)
    return mark is not None and not mark.told


def is_row(sentence: Sentence) -> bool:
    """Return whether a sentence is a row of a table: cells with bars between them."""
    return not sentence.heading and _mark(sentence) is None and len(_cells(sentence.text)) > 1


def asks(sentence: Sentence) -> bool:
    """Return whether a sentence ends in a question mark."""
    return sentence.text.rstrip(_CLOSED).endswith("?")


def leads_in(sentence: Sentence) -> bool:
    """Return whether a sentence ends in a colon: it says little without what follows."""
    return _ends_in_colon(sentence.text)


def is_unended(text: str) -> bool:
    """Return whether a line ends in no mark, as a title or a name does."""
    return not text.rstrip(_CLOSED).endswith((*_ENDS, *_COLON))


def named_cells(names: str, row: str) -> str:
    """Return a row with the name of its column before each cell; empty cells are left out."""
    named = (name.rstrip(" :") for name in _cells(names))
    pairs = zip_longest(named, _cells(row), fillvalue="")
    return " ; ".join(f"{name} : {cell}" if name else cell for name, cell in pairs if cell)


def _cells(row: str) -> list[str]:
    """Return the cells of a row; of one with bars at both ends, without these."""
    bare = row.strip().lstrip("> ")
    if "|" not in bare or "`" in bare:
        return []
    around = len(bare) > 1 and bare[0] == bare[-1] == "|"
    if not around and " | " not in f" {bare} ":
        return []
    return [cell.strip() for cell in _BAR.split(bare[1:-1] if around else bare)]


def _is_rule(sentence: Sentence) -> bool:
    return sentence.heading and _RULE.fullmatch(sentence.text) is not None


def _in_one_table(above: Sentence, below: Sentence) -> bool:
    """Return whether two lines that follow each other are of one table, without a blank line."""
    near = below.start - above.end < _BLANK
    return near and all(is_row(one) or _is_rule(one) for one in (above, below))


def _columns(sentences: Sequence[Sentence], start: int, place: int) -> Lead | None:
    """Return the row that names the columns of a row of the table that begins at ``start``."""
    row = sentences[place]
    while start < place and _is_rule(sentences[start]):
        start += 1
    first = sentences[start]
    if start == place or not is_row(row):
        return None
    names, cells = _cells(first.text), _cells(row.text)
    second = sentences[start + 1]
    if len(names) != len(cells):
        return None
    ruled = _is_rule(second) and len(_DASHES_OF_RULE.findall(second.text)) == len(names)
    listed = len(names) >= _FEWEST_COLUMNS and all(
        _is_name(name)
        for name in (names if names[0] else names[1:])  # a corner may be empty
    )
    below = {*cells, *_cells(second.text)} - {""}
    told = listed and any(map(str.isdigit, row.text)) and below.isdisjoint(names)
    return Lead(first, "columns") if ruled or told else None


def _is_name(cell: str) -> bool:
    """Return whether a cell may be the name of a column: a few words, no number, no formula."""
    plain = not any(char.isdigit() or char in _SYMBOLS for char in cell)
    return bool(cell) and plain and len(cell.split()) <= _MOST_NAME_WORDS


def _mark(sentence: Sentence) -> _Mark | None:
    """Return the mark of an item, None of what is none."""
    text = sentence.text
    found = None if sentence.heading else _MARK.match(text)
    if found is None:
        return None
    sign = found["sign"]
    if sign:
        said = text.rstrip(_CLOSED).endswith(_STOPS) and not found["first"].islower()
        told = said and sign in _DASHES
        return _Mark(sign, "", told)
    form = "1" if found["number"] else "a"
    number = found["number"] or found["letter"]
    return _Mark(f"{found['open']}{form}{found['close']}", number, told=False)


class _Key(NamedTuple):
    """What the items of one list share."""

    shape: str
    depth: int


class _Open(NamedTuple):
    """What leads a list in; ``own``: the item that it is, or stands in; ``below``: its items."""

    lead: Sentence
    own: _Key | None = None
    below: _Key | None = None

    def holds(self, key: _Key) -> bool:
        """Return whether an item is one of the list: with its mark, no further in."""
        below = self.below
        return below is not None and key.shape == below.shape and key.depth <= below.depth


class _Lists:
    """The lists that are open above a sentence, the outermost first."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._last: Sentence | None = None  # the sentence before
        self._item: Sentence | None = None  # the item that it is in
        self._key: _Key | None = None  # of that
        self._numbers: dict[str, str] = {}  # the last one of each shape
        self._items, self._within, self._short = 0, 0, False

    def leading(self, sentence: Sentence) -> Lead | None:
        """Take note of the next sentence and return what leads it in."""
        gap = sentence.start - self._last.end if self._last else _BLANK
        mark = _mark(sentence)
        found = None
        if sentence.heading or is_row(sentence) or sentence.text.startswith(">"):
            self._close()
        elif mark is not None:
            found = self._enter(sentence, self._shaped(mark), gap)
        elif self._item is not None and gap < _BLANK and _runs_on(self._last):
            found = self._go_on(sentence)
        else:
            self._plain(sentence, gap)
        self._last = sentence
        return found

    def _close(self) -> None:
        self._open, self._item, self._numbers, self._items = [], None, {}, 0

    def _shaped(self, mark: _Mark) -> _Mark:
        """Return the mark with a shape of its own if its number is Roman: «(i)» but after «(h)»."""
        number, letter, roman = mark.number.lower(), mark.shape, mark.shape.replace("a", "i")
        before = self._numbers.get(letter, ""), self._numbers.get(roman, "")
        first = number == "i" and before[0] != "h"
        next_one = _ROMAN_BEFORE.get(number) == before[1] != ""
        is_roman = number.isalpha() and (len(number) > 1 or first or next_one)
        return mark._replace(shape=roman if is_roman else letter, number=number)

    def _enter(self, item: Sentence, mark: _Mark, gap: int) -> Lead | None:
        """Return what leads in an item, and open the list that it leads in itself."""
        key = _Key(mark.shape, (gap - 1) // 2)
        begins = bool(mark.number) and mark.number in mark.shape and mark.shape in self._numbers
        spoken = not mark.number and self._item is not None and asks(self._item)
        if spoken and not asks(item):  # «- Tu as payé ?», «- Oui, hier.»
            self._open = []
        found = self._led(key, begins=begins)
        self._items += 1
        self._item, self._key, self._within, self._short = item, key, 0, not mark.told
        self._numbers[mark.shape] = mark.number
        if mark.told:
            self._open = []
        if _ends_in_colon(item.text):
            self._open.append(_Open(item, own=key))
        near = found is not None and item.index - found.index <= _MOST_BELOW
        return Lead(found, "list") if found is not None and near else None

    def _led(self, key: _Key, *, begins: bool) -> Sentence | None:
        """Return what leads in the list that an item belongs to.

        :param begins: its number begins anew.
        """
        fresh = self._open[-1] if self._open and self._open[-1].lead == self._last else None
        if fresh is not None and fresh.own == key:
            flat = fresh.lead == self._item  # no further in than «- sauf :»: where does it end?
            self._open = [] if flat else [_Open(fresh.lead, below=key)]
            return fresh.lead
        self._end(next((n for n, one in enumerate(self._open) if one.own == key), None))
        held = next((n for n, one in enumerate(self._open) if one.holds(key) and not begins), None)
        if held is not None:
            self._end(held + 1)
        elif fresh is not None and self._open:
            self._open[-1] = fresh._replace(below=key)
        elif begins:
            self._open = []
        found = held is not None or fresh is not None
        return self._open[-1].lead if found and self._open else None

    def _end(self, first: int | None) -> None:
        """Close the lists from one on."""
        if first is not None:
            del self._open[first:]

    def _go_on(self, sentence: Sentence) -> Lead | None:
        """Return the item that a sentence is in, if it says too little without it."""
        self._within += 1
        self._short &= len(sentence.text.split()) <= _MOST_WORDS
        item, key = self._item, self._key
        colon = leads_in(sentence)
        if colon or is_unended(sentence.text) or self._within > _MOST_WITHIN:
            self._close()  # a title may be of another list, on a line of its own
            self._open = [_Open(sentence, own=key)] if colon else []
            return None
        return Lead(item, "item") if item is not None and self._short else None

    def _plain(self, sentence: Sentence, gap: int) -> None:
        """Take note of a line that is in no item: it leads in, or ends the lists."""
        title = is_unended(sentence.text)
        listed = self._items >= _FEWEST_ITEMS and gap < _BLANK and sentence.text[:1].isupper()
        if title and self._item is not None and gap != _BLANK and not listed:
            self._open = []  # the rest of an item, or the name of another list: nobody knows
            return
        self._close()
        if title or _ends_in_colon(sentence.text):
            self._open = [_Open(sentence)]


def _ends_in_colon(text: str) -> bool:
    return text.rstrip(_TRIMMED).endswith(_COLON)


def _runs_on(last: Sentence | None) -> bool:
    """Return whether the next sentence may be on the same line: this one ends in a stop."""
    return last is not None and last.text.rstrip(_CLOSED).endswith(_STOPS)
