"""How sure an answer is: that there is one, times that it is the right one."""

from dataclasses import replace

import pytest

from qa.calibration import Logistic, calibration_for
from qa.certainty import answer_features, certainty
from qa.check import Checked
from qa.evidence import Selection
from qa.types import Statement

RULE = replace(
    calibration_for(None), right=Logistic({"least": 1.0, "quoted": -2.0, "sure": 1.0}, 1.0)
)
SELECTION = Selection((), (), 0.8, features={"sure": 0.5})
WRITTEN = Checked((Statement("Lundi.", (), "supported"),))
QUOTED = Checked((Statement("« Le pont rouvre lundi. »", (), "quoted"),))


def test_a_word_that_the_writer_hesitated_at_and_a_quotation_make_it_less_sure():
    plain, hesitant = (certainty(SELECTION, WRITTEN, least, RULE) for least in (-0.01, -2.0))
    quoted = certainty(SELECTION, QUOTED, -2.0, RULE)
    assert SELECTION.confidence > plain > hesitant > 0
    assert plain > quoted > 0


def test_it_is_the_product_of_both_probabilities():
    right = Logistic({"sure": 1.0}, 1.0)({"sure": 0.5})
    assert certainty(SELECTION, WRITTEN, 0.0, RULE) == pytest.approx(0.8 * right)


def test_who_abstains_is_as_sure_as_of_the_sentence_that_it_would_quote():
    nothing, quoted = (certainty(SELECTION, shown, -1.0, RULE) for shown in (Checked(()), QUOTED))
    assert nothing == quoted


def test_how_much_less_likely_than_a_guess_says_no_more():
    assert answer_features(WRITTEN, -9.0) == answer_features(WRITTEN, -3.0)
    assert answer_features(QUOTED, -9.0) == {"least": 0.0, "quoted": 1.0}


def test_where_nothing_was_fitted_it_is_that_there_is_an_answer():
    assert certainty(SELECTION, WRITTEN, -2.0, replace(RULE, right=None)) == 0.8
    told = Selection((), (), 1.0)  # by a measurement, which knows the sentences
    assert certainty(told, WRITTEN, -2.0, RULE) == 1.0
