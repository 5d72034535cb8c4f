"""How sure an answer is: that the documents answer, times that what is said is their answer.

The first is known before a word is written and decides whether anything is (:mod:`qa.evidence`).
The second, fitted on answers that were right and wrong, sees what the writing told: a word that
the writer hesitated at, a statement that the check did not let pass. Where nothing is said, it is
how sure the best sentence would be as a quotation.

Example: ``certainty(selection, Checked(()), 0.0, calibration)``.
"""

from __future__ import annotations

from typing import Final

from qa.calibration import Calibration
from qa.check import Checked
from qa.evidence import Selection

# A word less likely than this is a guess; how much less says no more.
_A_GUESS: Final = -3.0


def answer_features(
    selection: Selection, checked: Checked, least_likely: float
) -> dict[str, float]:
    """Return what the model sees of an answer.

    ``least`` is the log-probability of the least likely word that was written, 0 where nothing
    that was written is shown; ``quoted`` the share of statements that are quotations; ``cited`` the
    mean probability of the sentences cited, or of the best one where none is.

    :param least_likely: the log-probability of the least likely word of the draft.
    """
    supports = [statement.support for statement in checked.statements]
    quoted = supports.count("quoted") / len(supports) if supports else 1.0
    likely = [c.score for statement in checked.statements for c in statement.citations]
    return {
        "least": max(least_likely, _A_GUESS) if quoted < 1 else 0.0,
        "quoted": quoted,
        "cited": sum(likely) / len(likely) if likely else selection.features.get("sure", 0.0),
    }


def certainty(
    selection: Selection, checked: Checked, least_likely: float, calibration: Calibration
) -> float:
    """Return the probability, 0 to 1, that the documents answer and that this is their answer.

    :param checked: what is shown; no statements where it abstains.
    :param least_likely: see :func:`answer_features`.
    """
    if calibration.right is None or not selection.features:
        return selection.confidence  # nothing was fitted on this model's answers, or it was told
    features = answer_features(selection, checked, least_likely)
    return selection.confidence * calibration.right(features)
