"""How sure an answer is: that there is one, times that it is the right one."""

from dataclasses import replace

import pytest

from qa.calibration import Logistic, calibration_for
from qa.certainty import answer_features, certainty
from qa.check import Checked
from qa.evidence import Selection
from qa.types import Citation, Statement

RULE = replace(
    calibration_for(None), right=Logistic({"least": 1.0, "quoted": -2.0, "cited": 1.0}, 1.0)
)
SELECTION = Selection((), (), 0.8, features={"sure": 0.9})


def shown(support, *scores):
    cited = tuple(Citation("a", "a", None, 0, 5, "Lundi", score) for score in scores)
    return Checked((Statement("Lundi.", cited, support),))


WRITTEN, QUOTED = shown("supported", 0.9), shown("quoted", 0.9)


def test_a_word_that_the_writer_hesitated_at_and_a_quotation_make_it_less_sure():
    plain, hesitant = (certainty(SELECTION, WRITTEN, least, RULE) for least in (-0.01, -2.0))
    quoted = certainty(SELECTION, QUOTED, -2.0, RULE)
    assert SELECTION.confidence > plain > hesitant > 0
    assert plain > quoted > 0


def test_an_answer_is_as_sure_as_the_sentences_that_it_cites():
    more = certainty(SELECTION, shown("supported", 0.9, 0.1), 0.0, RULE)
    assert certainty(SELECTION, WRITTEN, 0.0, RULE) > more
    assert certainty(SELECTION, shown("supported", 0.5), 0.0, RULE) == pytest.approx(more)


def test_it_is_the_product_of_both_probabilities():
    right = Logistic({"cited": 1.0}, 1.0)({"cited": 0.9})
    assert certainty(SELECTION, WRITTEN, 0.0, RULE) == pytest.approx(0.8 * right)


def test_who_abstains_is_as_sure_as_of_the_sentence_that_it_would_quote():
    nothing, quoted = (certainty(SELECTION, what, -1.0, RULE) for what in (Checked(()), QUOTED))
    assert nothing == quoted


def test_how_much_less_likely_than_a_guess_says_no_more():
    guess, less = (answer_features(SELECTION, WRITTEN, least) for least in (-3.0, -9.0))
    assert guess == less == {"least": -3.0, "quoted": 0.0, "cited": 0.9}
    assert answer_features(SELECTION, QUOTED, -9.0)["least"] == 0.0


def test_where_nothing_was_fitted_it_is_that_there_is_an_answer():
    assert certainty(SELECTION, WRITTEN, -2.0, replace(RULE, right=None)) == 0.8
    told = Selection((), (), 1.0)  # by a measurement, which knows the sentences
    assert certainty(told, WRITTEN, -2.0, RULE) == 1.0
