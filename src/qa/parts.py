"""A question that asks two things is cut into its parts, so that each finds its own sentence.

Only by what is written: a new question mark, or «et»/«and» before an interrogative. It knows
nothing of documents or models; a question that it does not understand stays whole.

Example: ``question_parts("Qui loue, et à quel prix ?")`` is ``("Qui loue ?", "à quel prix ?")``.
"""

from __future__ import annotations

import re
from typing import Final

from qa.words import stems, tokens

# Which word asks; a preposition or two may stand before it («au nom de quelle cause»).
_ASKS: Final = (
    r"(?:qui|que|qu['’]|quoi|quand|où|comment|pourquoi|combien|quel(?:le)?s?|lequel|laquelle|"
    r"lesquel(?:le)?s|est-ce|who|whom|whose|what|when|where|why|how|which)"
)
_LEAD: Final = (
    r"(?:(?:à|au|aux|de|du|des|d['’]|en|par|pour|sur|selon|dans|avec|contre|jusqu['’]à|depuis|vers|"
    r"nom|cours|in|at|on|by|for|from|to|of|with|since|until)\s*)*"
)
_JOINT: Final = re.compile(
    rf"(?<=\?)\s+(?:(?:et|and)\s+)?(?=\S)|,?\s+(?:et|ainsi que|and)\s+(?={_LEAD}{_ASKS}(?![\w]))",
    re.IGNORECASE,
)
_INTERROGATIVE: Final = re.compile(rf"(?<!\w)(?:{_ASKS}(?!\w)|qu['’])", re.IGNORECASE)
_BEGINS_TO_ASK: Final = re.compile(rf"{_LEAD}(?:{_ASKS}(?![\w])|qu['’])", re.IGNORECASE)
# «… qui a signé le bail et qui habite à Lyon»: the second goes on with the first.
_PRONOUN: Final = r"((?:qui|que|who|which|whom|whose)(?!\w)|qu['’])"
_RELATIVE: Final = re.compile(rf"\w\s+{_PRONOUN}", re.IGNORECASE)
_BEGINS_RELATIVE: Final = re.compile(_PRONOUN, re.IGNORECASE)
# «…, et pour quels montants ?» leans on the part before: a part says something of its own when it
# has as many words, or as many content words.
_FEWEST_WORDS: Final = 4
_FEWEST_CONTENT_WORDS: Final = 2
_MOST_PARTS: Final = 3


def question_parts(question: str) -> tuple[str, ...]:
    """Return the parts in order, each ending with a question mark; one when it asks one thing."""
    found = [piece for piece in _JOINT.split(question) if piece.strip(" ,;?")]
    pieces = [piece.strip(" ,;?") for piece in found]
    if not 1 < len(pieces) <= _MOST_PARTS or not all(map(_says_something, pieces)):
        return (question,)
    ends_asking = "?" in found[-1] or _BEGINS_TO_ASK.match(found[-1])  # not «… ? Merci.»
    if not ends_asking or any(map(_goes_on, found, pieces[1:])):
        return (question,)
    return tuple(f"{piece} ?" for piece in pieces)


def _goes_on(piece: str, after: str) -> bool:
    """Tell whether what comes after begins with a relative pronoun that stands in the piece."""
    begins = _BEGINS_RELATIVE.match(after)
    if begins is None or "?" in piece:
        return False
    return begins[1].lower() in {word.lower() for word in _RELATIVE.findall(piece)}


def asks(question: str) -> bool:
    """Tell whether there is a word that asks: «combien», "who"."""
    return _INTERROGATIVE.search(question) is not None


def _says_something(piece: str) -> bool:
    return len(tokens(piece)) >= _FEWEST_WORDS or len(set(stems(piece))) >= _FEWEST_CONTENT_WORDS
