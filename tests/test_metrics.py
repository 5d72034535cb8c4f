import math

import pytest

from qa_eval.metrics import auroc, citation_scores, containment, ece, exact, interval, token_f1


@pytest.mark.parametrize(
    ("text", "accepted", "f1", "contained", "same"),
    [
        ("2500 soldats", ["2500"], 2 / 3, 1.0, 0.0),
        ("Les États-Unis", ["états-unis"], 1.0, 1.0, 1.0),
        ("1 200,50 €", ["1200,50"], 1.0, 1.0, 1.0),
        ("l’Iran", ["Iran", "Irak"], 1.0, 1.0, 1.0),
        ("", ["Iran"], 0.0, 0.0, 0.0),
    ],
)
def test_answers_are_compared_after_french_normalisation(text, accepted, f1, contained, same):
    assert token_f1(text, accepted) == pytest.approx(f1)
    assert containment(text, accepted) == pytest.approx(contained)
    assert exact(text, accepted) == same


def test_citations_are_scored_against_the_gold_set_that_fits_best():
    gold = [[(0, 5)], [(10, 20), (30, 40)]]
    assert citation_scores([(0, 5)], gold) == (1.0, 1.0, 1.0)
    assert citation_scores([(10, 20)], gold) == (1.0, 0.5, pytest.approx(2 / 3))
    assert citation_scores([], gold) == (0.0, 0.0, 0.0)


def test_auroc_counts_ties_half_and_is_not_a_number_without_both_sides():
    assert auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert math.isnan(auroc([], [0.1]))


def test_ece_is_zero_when_confidence_equals_accuracy():
    assert ece([0.5, 0.5], [True, False]) == 0.0
    assert ece([1.0, 1.0], [False, False]) == 1.0


def test_the_interval_draws_whole_documents():
    low, high = interval({"a": [1.0] * 10, "b": [0.0] * 10})
    assert (low, high) == (0.0, 1.0)
    assert interval({"a": [0.5, 0.5]}) == (0.5, 0.5)
