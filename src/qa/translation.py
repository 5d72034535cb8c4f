"""A question in another language than the document is put in the document's before searching.

Half of the search is by words, and a small model judges best within one language. The person's own
question is still the one that is answered. It knows nothing of documents.

Example: ``translated("How long?", "fr", ask)`` is ``"Combien de temps ?"``.
"""

from __future__ import annotations

from typing import Final

from qa.llm.meter import Meter
from qa.prompt import Language, translate_prompt
from qa.words import numbers

# A translation is not much longer than what it translates.
_MOST_TIMES_LONGER: Final = 2
_SPARE_CHARS: Final = 30


def translated(question: str, into: Language, ask: Meter) -> str:
    """Return the question in another language; as it is when the translation cannot be right.

    :raises ModelUnavailable: the model failed.
    """
    text, _ = ask.complete(translate_prompt(question, into))
    line = " ".join(text.split())
    longest = _MOST_TIMES_LONGER * len(question) + _SPARE_CHARS
    faithful = line and len(line) <= longest and numbers(line) == numbers(question)
    return line if faithful else question
