"""What a sentence is read with: the heading it stands under, and the sentence it leans on.

«Rien pour les moins de 18 ans.» answers only under «Combien coûte la carte ?», «- vous êtes
asthmatique» after «Ne le prenez pas si :», «5» in the column «Quantité», and «Elle» is whoever was
named before. The model judges and answers from the passage; only the sentence is cited.

Example: ``passage(sentences[4], sentences)`` is ``"Tarifs : Elle coûte 12 €."``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Sequence
from typing import Final

from qa.lists import Kind, asks, heads, is_item, is_unended, lead, named_cells
from qa.sentences import division_name
from qa.types import Sentence
from qa.words import fold

# Of the heading and of the sentence before, characters: a passage stays a short prompt.
_MOST_CHARS: Final = 200
# A word that points back, among the first of a sentence; «il y a» costs a few needless words.
_OPENING_WORDS: Final = 6
_POINTS_BACK: Final = re.compile(
    r"(?:ils?|elles?|celui|celles?|ceux|cela|ceci|ca|ce|cet|cette|ces"
    r"|he|she|it|they|this|that|these|those)"
)
_OPENS_BACK: Final = re.compile(
    r"(?:oui|non|si|sinon|mais|or|puis|ensuite|enfin|toutefois|cependant|en revanche|de meme|d'ou"
    r"|yes|no|but|however|then|otherwise|instead|also|so|both|neither)\b"
)
_NUMBERED: Final = re.compile(r"\(?(\d{1,3})[.)]\s")


def passage(
    sentence: Sentence, sentences: Sequence[Sentence], shown: Collection[Sentence] = ()
) -> str:
    """Return the text to read a sentence by, on one line.

    :param sentence: one of ``sentences``.
    :param sentences: all of its document's, in order; ``sentences[i].index == i``. None where they
        are not known: the sentence is read alone.
    :param shown: those that are read beside it anyway.
    :return: its heading, the sentence before if it points back, and the sentence.
    """
    found = _leaning(sentence, sentences)
    before, kind = found if found is not None else (None, None)
    parts = [_heading(sentence, sentences, before)]
    line = " ".join(sentence.text.split())
    if before is not None and kind == "columns":
        line = named_cells(before.text, line)
    elif before is not None and not _is_read(before, sentence, sentences, shown):
        text = _shortened(before.text)
        parts.append(f"{text} :" if kind == "list" and is_unended(text) else text)
    return " ".join(part for part in (*parts, line) if part)


def leans_on(sentence: Sentence, sentences: Sequence[Sentence]) -> Sentence | None:
    """Return the sentence that this one is not understood without, if there is one.

    Of a row of a table that is the row of its columns' names, of an item what leads its list in
    («Ne le prenez pas si :»), else the sentence before, if this one points back to it or replies.
    """
    found = _leaning(sentence, sentences)
    return found[0] if found is not None else None


def _leaning(
    sentence: Sentence, sentences: Sequence[Sentence]
) -> tuple[Sentence, Kind | None] | None:
    """Return what a sentence leans on, and how it names it; None of the sentence before."""
    before = sentences[sentence.index - 1] if sentence.index and sentences else None
    if before is None:
        return None
    above = lead(sentence, sentences)
    if above is not None and (above.kind != "item" or not _leans(sentence)):
        return above
    leans = not before.heading and (_leans(sentence) or _replies(sentence, before))
    return (before, None) if leans else None


def _is_read(
    before: Sentence,
    sentence: Sentence,
    sentences: Sequence[Sentence],
    shown: Collection[Sentence],
) -> bool:
    """Return whether what a sentence leans on is read anyway, itself or with another one before."""
    earlier = itertools.takewhile(lambda other: other != sentence, shown)
    return before in shown or any(
        other.document == sentence.document and leans_on(other, sentences) == before
        for other in earlier
    )


def _heading(sentence: Sentence, sentences: Sequence[Sentence], before: Sentence | None) -> str:
    """Return the nearest heading above as a lead-in; a first line that asks nothing is a title.

    :param before: is read anyway. A part is in no other part of its kind.
    """
    last = min(sentence.index, len(sentences)) - 1
    above = (sentences[index] for index in range(last, -1, -1))
    own = division_name(sentence.text)
    every = (one for one in above if heads(one, sentences))
    heading = next((one for one in every if not (own and division_name(one.text) == own)), None)
    if heading is None or heading == before or _is_next(sentence, heading):
        return ""
    text = _shortened(heading.text).strip("#*_> ")
    if heading.heading and heading.index == 0 and not text.endswith("?"):
        return ""
    return text if text.endswith(("?", ":")) else f"{text.rstrip('.')} :"


def _is_next(sentence: Sentence, heading: Sentence) -> bool:
    """Return whether a sentence has the number after its heading's: both are steps."""
    own, its = (_NUMBERED.match(one.text.lstrip("#*_> ")) for one in (sentence, heading))
    return own is not None and its is not None and int(own[1]) == int(its[1]) + 1


def _leans(sentence: Sentence) -> bool:
    text = fold(sentence.text)
    words = re.findall(r"[^\W\d_]+", text)[:_OPENING_WORDS]
    return any(map(_POINTS_BACK.fullmatch, words)) or _OPENS_BACK.match(text) is not None


def _replies(sentence: Sentence, before: Sentence) -> bool:
    """Return whether a sentence follows a question and is none; an item does not reply."""
    return asks(before) and "?" not in sentence.text and not is_item(sentence)


def _shortened(text: str) -> str:
    """Return the end of a long text, from a whole word on: what follows leans on it."""
    line = " ".join(text.split())
    if len(line) <= _MOST_CHARS:
        return line
    return f"… {line[-_MOST_CHARS:].split(' ', 1)[-1]}"
