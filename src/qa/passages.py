"""What a sentence is read with: the heading it stands under, and the sentence it leans on.

«Rien pour les moins de 18 ans.» answers only under «Combien coûte la carte ?», and «Elle» is
whoever was named before. The model judges and answers from the passage; only the sentence is
cited.

Example: ``passage(sentences[4], sentences)`` is ``"Tarifs : Elle coûte 12 €."``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

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
    parts = [_heading(sentence, sentences)]
    before = leans_on(sentence, sentences)
    if before is not None and before not in shown:
        parts.append(_shortened(before.text))
    parts.append(" ".join(sentence.text.split()))
    return " ".join(part for part in parts if part)


def leans_on(sentence: Sentence, sentences: Sequence[Sentence]) -> Sentence | None:
    """Return the sentence before, if this one points back to it."""
    before = sentences[sentence.index - 1] if sentence.index and sentences else None
    return before if before is not None and not before.heading and _leans(sentence) else None


def _heading(sentence: Sentence, sentences: Sequence[Sentence]) -> str:
    """Return the nearest heading above as a lead-in; a first line that asks nothing is a title."""
    last = min(sentence.index, len(sentences)) - 1
    above = (sentences[index] for index in range(last, -1, -1))
    heading = next((one for one in above if one.heading and _names(one.text)), None)
    if heading is None:
        return ""
    text = _shortened(heading.text).strip("#*_> ")
    if heading.index == 0 and not text.endswith("?"):
        return ""
    return text if text.endswith(("?", ":")) else f"{text.rstrip('.')} :"


def _names(heading: str) -> bool:
    """Return whether a heading has words and is not the edge of a code block."""
    return any(map(str.isalnum, heading)) and not heading.lstrip("> ").startswith(("```", "~~~"))


def _leans(sentence: Sentence) -> bool:
    text = fold(sentence.text)
    words = re.findall(r"[^\W\d_]+", text)[:_OPENING_WORDS]
    return any(map(_POINTS_BACK.fullmatch, words)) or _OPENS_BACK.match(text) is not None


def _shortened(text: str) -> str:
    """Return the end of a long text, from a whole word on: what follows leans on it."""
    line = " ".join(text.split())
    if len(line) <= _MOST_CHARS:
        return line
    return f"… {line[-_MOST_CHARS:].split(' ', 1)[-1]}"
