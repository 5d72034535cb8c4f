"""Items of lists, rows of tables, parts: what names them stands above, once for all of them.

«- vous êtes asthmatique» is nothing without «Ne le prenez pas si :», and «Lundi | 9 h» nothing
without «Jour | Ouverture».

Example: ``lead(item, sentences)`` is the sentence «Ne le prenez pas si :», and
``named_cells("Jour | Ouverture", "Lundi | 9 h")`` is ``"Jour : Lundi ; Ouverture : 9 h"``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from qa.sentences import is_division
from qa.types import Sentence

# Sentences above an item among which its list begins: a longer list is hardly led in by one.
_MOST_ABOVE: Final = 60
# Of an item, how many sentences may follow the one that has its mark; and the words of those that
# say too little without it («Le carburant reste à la charge de l'emprunteur.»).
_MOST_WITHIN: Final = 3
_MOST_WORDS: Final = 8
# Of a table whose first row may be a heading, without a rule that says so.
_FEWEST_COLUMNS: Final = 3
_ITEM: Final = re.compile(
    r"(?:(?P<sign>[-*+•·‣▪●◦–—])|\(?(?:(?P<number>\d{1,3})|(?P<letter>[a-z]|[ivx]{2,4}))[.)])\s"
)
_DASHES: Final = ("–", "—")  # of a dialogue, too: what follows there may be another's
_ENDED: Final = re.compile(r"[.!?…;,][\s»”\"')*_]*$")
_BAR: Final = re.compile(r"\s*(?<!\\)\|\s*")
_RULE: Final = re.compile(r"[\s|:+=-]*-[\s|:+=-]*")


def leads(sentences: Iterable[Sentence]) -> Iterator[Sentence | None]:
    """Yield for each sentence what names it above: its columns' names, or what leads its list in.

    A list is led in by the line right above its first item, if that ends in a colon or in no mark;
    short sentences that follow in an item, by the item.
    A table's first row names its columns if a rule of Markdown («|---|---|») follows it, or if
    there are three or more and no number in it: «Marque | Ostrel» may be a fact like those below.
    Of anything else there is none.

    :param sentences: of one document, in order.
    """
    table, lists = _Table(), _Lists()
    for sentence in sentences:
        names = table.names(sentence)
        leading = lists.leading(sentence)
        yield names or leading


def lead(sentence: Sentence, sentences: Sequence[Sentence]) -> Sentence | None:
    """Return what names one sentence above, by the rules of :func:`leads`.

    :param sentences: all of its document's, in order.
    """
    start = max(0, sentence.index - _MOST_ABOVE)
    if is_row(sentence):
        start = sentence.index
        while start and "|" in sentences[start - 1].text:
            start -= 1
    *_, found = leads(sentences[start : sentence.index + 1])
    return found


def heads(sentence: Sentence) -> bool:
    """Return whether a line names what follows: a heading with words, or a part's first line.

    The edge of a code block names nothing. «Résolution 4 – Mandat du syndic (art. 25)» tells a
    fact, so it is no heading and may be cited; still, what follows is of resolution 4.
    """
    text = sentence.text
    if not sentence.heading:
        return is_division(text) and not _ENDED.search(text)
    return any(map(str.isalnum, text)) and not text.lstrip("> ").startswith(("```", "~~~"))


def is_item(sentence: Sentence) -> bool:
    """Return whether a sentence begins with the mark of an item: «-», «1.», «b)»."""
    return _ITEM.match(sentence.text) is not None


def is_row(sentence: Sentence) -> bool:
    """Return whether a sentence is a row of a table: cells with bars between them."""
    return len(_cells(sentence.text)) > 1


def named_cells(names: str, row: str) -> str:
    """Return a row with the name of its column before each cell; empty cells are left out."""
    pairs = zip_longest(_cells(names), _cells(row), fillvalue="")
    return " ; ".join(f"{name} : {cell}" if name else cell for name, cell in pairs if cell)


def _cells(row: str) -> list[str]:
    """Return the cells of a row, without the bars around it."""
    bare = row.strip()
    if "|" not in bare or (not bare.startswith("|") and " | " not in bare):
        return []
    return [cell.strip() for cell in _BAR.split(bare.strip("|").strip())]


class _Table:
    """The rows of one table so far: the first, and whether a rule follows it."""

    def __init__(self) -> None:
        self._first: Sentence | None = None
        self._named = False

    def names(self, row: Sentence) -> Sentence | None:
        """Return the row that names the columns of the next sentence, if that is a row."""
        if row.heading or not is_row(row):
            self._leave(row)
            return None
        if self._first is None:
            plain = not any(map(str.isdigit, row.text))
            self._first, self._named = row, plain and len(_cells(row.text)) >= _FEWEST_COLUMNS
            return None
        same = len(_cells(self._first.text)) == len(_cells(row.text))
        return self._first if self._named and same else None

    def _leave(self, other: Sentence) -> None:
        """Take note of a line that is no row: a rule, or the table's end."""
        if other.heading and _RULE.fullmatch(other.text) and self._first is not None:
            self._named = True
        else:
            self._first = None


class _Lists:
    """The lists that are open: the mark of what leads each in, none of a plain line, and it."""

    def __init__(self) -> None:
        self._open: list[tuple[str | None, Sentence]] = []
        self._item: Sentence | None = None
        self._within, self._end, self._short = 0, 0, False

    def leading(self, sentence: Sentence) -> Sentence | None:
        """Return what leads in the list of the next sentence."""
        mark = _mark(sentence)
        gap, self._end = sentence.start - self._end, sentence.end
        if mark is None:
            self._pass(sentence)
            self._short &= gap <= 1 and len(sentence.text.split()) <= _MOST_WORDS
            return self._item if self._short else None
        while self._open and self._open[-1][0] == mark:
            self._open.pop()
        found = self._open[-1][1] if self._open else None
        self._item, self._within, self._short = sentence, 0, mark not in _DASHES
        if sentence.text.endswith(":"):
            self._open.append((mark, sentence))
        return found

    def _pass(self, sentence: Sentence) -> None:
        """Take note of a sentence that is no item: it leads in, belongs to one, or ends all."""
        self._within += 1
        if not sentence.heading and not _ENDED.search(sentence.text):
            self._open, self._item = [(None, sentence)], None
        elif sentence.heading or self._item is None or self._within > _MOST_WITHIN:
            self._open, self._item = [], None


def _mark(sentence: Sentence) -> str | None:
    """Return the kind of mark that an item has, None of what is none."""
    found = None if sentence.heading else _ITEM.match(sentence.text)
    return found and (found["sign"] or found.lastgroup)
