"""A question that is put politely → the question: «pourriez-vous me dire combien …» asks how many.

To a model that was taught on plain questions «pourriez-vous me dire» sounds like a wish that no
document grants. It knows nothing of documents or models.

Example: ``plainly("Pouvez-vous me dire qui parle ?")`` is ``"qui parle ?"``.
"""

from __future__ import annotations

import re
from typing import Final

_ASKS: Final = (
    r"(?:(?:à|de|en|pour|par|sur|avec|dans|depuis|selon|jusqu['’]à|at|in|on|for|from|by|until|to)"
    r"\s+)?(?:qui|ce qu[ei]?|qu['’]est-ce|quoi|quand|où|comment|pourquoi|combien|quel(?:le)?s?"
    r"|lequel|laquelle|lesquel(?:le)?s|who|whom|whose|what|when|where|why|how|which)(?!\w)"
)
_PLEASE: Final = r"(?:\s*,?\s*(?:s['’]il (?:vous|te) pla[iî]t|svp|stp|please)\s*,?)?"
_COURTESY: Final = (
    r"(?:est-ce que\s+)?"
    r"(?:(?:pourriez|pouvez|sauriez|voudriez)[- ]vous|(?:pourrais|peux|saurais)[- ]tu"
    r"|(?:vous pourriez|vous pouvez|tu peux|tu pourrais))"
    rf"{_PLEASE}\s+(?:(?:me\s|nous\s|m['’])\s*)?(?:dire|indiquer|préciser|rappeler|expliquer){_PLEASE}\s+"
    r"|(?:j['’]aimerais|je (?:voudrais|souhaiterais|souhaite|veux|cherche à|dois))\s+"
    r"(?:bien\s+)?savoir\s+"
    rf"|(?:dites|dis)[- ](?:moi|nous){_PLEASE}\s+|(?:savez[- ]vous|sais[- ]tu)\s+"
    rf"|(?:could|can|would|will)\s+you{_PLEASE}\s+(?:tell|explain to)\s+(?:me|us){_PLEASE}\s+"
    rf"|(?:tell|let)\s+(?:me|us)(?:\s+know)?{_PLEASE}\s+|do you know\s+"
    r"|I(?:['’]d| would)\s+like\s+to\s+know\s+|I(?: was|['’]m| am)\s+wondering\s+"
)
_BEFORE_A_QUESTION: Final = re.compile(rf"(?<!\w)(?:{_COURTESY})(?={_ASKS})", re.IGNORECASE)


def plainly(question: str) -> str:
    """Return the question without the courtesy before its words that ask.

    What else is said stays: «…, l'échelle de Tresvaux, pouvez-vous me dire ce qu'elle mesure».
    """
    return _BEFORE_A_QUESTION.sub("", question)
