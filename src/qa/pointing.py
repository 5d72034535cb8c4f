"""Which of the sentences that an answer was written from prove it: the answer's own words say so.

Before a word is written each sentence has a probability by itself. Where several were read as one
text, what was made of them points: at the sentence that holds its number, its name, its words. Both
count: the sentences are chosen that together are likely and hold what is said.

Example: ``pointing(question, also=0.8, cover=8.0)("2 500 soldats.", sentences)[0]``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

from qa.check import Needed, content, held
from qa.types import Citation

# More sentences than this are a summary, not an answer.
_MOST: Final = 3
# Log-odds that a sentence has at least: one that only stood beside others was never asked about.
# With cover and also it is within .02 of citation F1 from -1 to -3 (eval/LOG.md, 2026-11-29).
_LEAST: Final = -2.0


def pointing(question: str, *, also: float, cover: float) -> Needed:
    """Return what chooses, for a statement, the sentences that it needs.

    Of all sets of one to three sentences the one with the highest
    ``Σ (logit(score) - logit(also)) + cover · share``, where ``share`` is that of the statement's
    words which the set holds; words of the question count only where it says no others. Without
    ``cover`` these are the best sentence and every further one from the probability ``also`` on.

    :param question: as the statement's words are: in the person's language.
    :param also: the probability from which a further sentence is cited whatever is said.
    :param cover: how much it is worth, in log-odds, to hold all that is said.
    """
    asked = content(question)

    def needed(text: str, among: Sequence[Citation]) -> tuple[Citation, ...]:
        said = content(text)
        own = (said - asked) or said
        odds = [_logit(citation.score) - _logit(also) for citation in among]
        holds = [own & held(citation.text) for citation in among]

        def worth(places: tuple[int, ...]) -> float:
            found = set().union(*(holds[place] for place in places))
            share = len(found) / len(own) if own else 0.0
            return sum(odds[place] for place in places) + cover * share

        sizes = range(1, min(_MOST, len(among)) + 1)
        sets = (some for size in sizes for some in itertools.combinations(range(len(among)), size))
        best = max(sets, key=worth)
        return tuple(among[place] for place in sorted(best, key=lambda place: -odds[place]))

    return needed


def _logit(probability: float) -> float:
    inside = min(max(probability, 1e-6), 1 - 1e-6)
    return max(math.log(inside / (1 - inside)), _LEAST)
