"""How sure an answer is: that the documents answer, times that what is said is their answer.

The first is known before a word is written and decides whether anything is (:mod:`qa.evidence`).
The second, fitted on answers that were right and wrong, sees what the writing told: a word that
the writer hesitated at, a statement that the check did not let pass; and how much was asked. Where
nothing was written, it is how sure the best sentence would be as a quotation. An answer below the
calibration's ``least_certainty`` is not given.

Example: ``certainty(exchange, selection, Checked(()))``.
"""

from __future__ import annotations

import math
from typing import Final

from qa.check import Checked
from qa.evidence import Selection
from qa.exchange import Exchange
from qa.words import tokens

# A word less likely than this is a guess; how much less says no more.
_A_GUESS: Final = -3.0


def answer_features(exchange: Exchange, selection: Selection, checked: Checked) -> dict[str, float]:
    """Return what the model sees of an answer.

    ``least`` is the log-probability of the least likely word that was written, 0 where nothing
    that was written is shown; ``quoted`` the share of statements that are quotations; ``cited`` the
    mean probability of the sentences cited, or of the best one where none is; ``asked`` the
    logarithm of how many words the question has: who asks for more is less often told all of it.
    """
    supports = [statement.support for statement in checked.statements]
    quoted = supports.count("quoted") / len(supports) if supports else 1.0
    likely = [c.score for statement in checked.statements for c in statement.citations]
    return {
        "least": max(exchange.least_likely, _A_GUESS) if quoted < 1 else 0.0,
        "quoted": quoted,
        "cited": sum(likely) / len(likely) if likely else selection.features.get("sure", 0.0),
        "asked": math.log(max(1, len(tokens(exchange.question)))),
    }


def certainty(exchange: Exchange, selection: Selection, checked: Checked) -> float:
    """Return the probability, 0 to 1, that the documents answer and that this is their answer.

    :param checked: what was written; no statements where nothing was.
    """
    right = exchange.calibration.right
    if right is None or not selection.features:
        return selection.confidence  # nothing was fitted on this model's answers, or it was told
    return selection.confidence * right(answer_features(exchange, selection, checked))
