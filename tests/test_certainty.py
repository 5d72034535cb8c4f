"""How sure an answer is: that there is one, times that it is the right one."""

import math
from dataclasses import replace

import pytest

from qa.calibration import Logistic, calibration_for
from qa.certainty import answer_features, certainty
from qa.check import Checked
from qa.evidence import Selection
from qa.exchange import Exchange
from qa.types import Citation, Statement

RIGHT = Logistic({"least": 1.0, "quoted": -2.0, "cited": 1.0, "asked": -0.5}, 1.0)
SELECTION = Selection((), (), 0.8, features={"sure": 0.9})


def shown(support, *scores):
    cited = tuple(Citation("a", "a", None, 0, 5, "Lundi", score) for score in scores)
    return Checked((Statement("Lundi.", cited, support),))


WRITTEN, QUOTED = shown("supported", 0.9), shown("quoted", 0.9)


def asked(question="Quel jour ?", least_likely=0.0, right=RIGHT):
    rule = replace(calibration_for(None), right=right)
    return Exchange(question, "fr", None, calibration=rule, least_likely=least_likely)


def sure(checked, selection=SELECTION, **how):
    return certainty(asked(**how), selection, checked)


def test_a_word_that_the_writer_hesitated_at_and_a_quotation_make_it_less_sure():
    plain, hesitant = (sure(WRITTEN, least_likely=least) for least in (-0.01, -2.0))
    assert SELECTION.confidence > plain > hesitant > 0
    assert plain > sure(QUOTED, least_likely=-2.0) > 0


def test_an_answer_is_as_sure_as_the_sentences_that_it_cites():
    more = sure(shown("supported", 0.9, 0.1))
    assert sure(WRITTEN) > more
    assert sure(shown("supported", 0.5)) == pytest.approx(more)


def test_the_more_is_asked_the_less_sure_it_is():
    long = "Quel jour le conseil se réunit-il, et qui le préside quand la maire est absente ?"
    assert sure(WRITTEN) > sure(WRITTEN, question=long)
    longer = sure(WRITTEN, question=f"{long} {long}")
    assert sure(WRITTEN, question=long) > longer > 0


def test_it_is_the_product_of_both_probabilities():
    right = Logistic({"cited": 1.0}, 1.0)
    assert sure(WRITTEN, right=right) == pytest.approx(0.8 * right({"cited": 0.9}))


def test_who_abstains_is_as_sure_as_of_the_sentence_that_it_would_quote():
    assert sure(Checked(()), least_likely=-1.0) == sure(QUOTED, least_likely=-1.0)


def test_how_much_less_likely_than_a_guess_says_no_more():
    guess, less = (
        answer_features(asked(least_likely=least), SELECTION, WRITTEN) for least in (-3.0, -9.0)
    )
    assert guess == less == {"least": -3.0, "quoted": 0.0, "cited": 0.9, "asked": math.log(2)}
    assert answer_features(asked(least_likely=-9.0), SELECTION, QUOTED)["least"] == 0.0


def test_where_nothing_was_fitted_it_is_that_there_is_an_answer():
    assert sure(WRITTEN, least_likely=-2.0, right=None) == 0.8
    told = Selection((), (), 1.0)  # by a measurement, which knows the sentences
    assert sure(WRITTEN, told, least_likely=-2.0) == 1.0
