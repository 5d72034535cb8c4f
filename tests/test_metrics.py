import math

import numpy as np
import pytest

from qa_eval import weighted
from qa_eval.answers import containment, exact, normalised, token_f1
from qa_eval.bootstrap import difference, interval
from qa_eval.metrics import auroc, best_set, citation_scores, ece, sufficient
from qa_eval.weighted import Columns

ONE = np.ones((1, 4))


@pytest.mark.parametrize(
    ("text", "accepted", "f1", "contained", "same"),
    [
        ("2500 soldats", ["2500"], 2 / 3, 1.0, 0.0),
        ("Les États-Unis", ["états-unis"], 1.0, 1.0, 1.0),
        ("1 200,50 €", ["1200,50 €"], 1.0, 1.0, 1.0),
        ("1 200,50", ["1 200,50 €"], 2 / 3, 0.5, 0.0),
        ("l’Iran", ["Iran", "Irak"], 1.0, 1.0, 1.0),
        ("le 1er mars", ["1 mars"], 1.0, 1.0, 1.0),
        ("80 % des cas", ["80 %"], 4 / 5, 1.0, 0.0),
        ("", ["Iran"], 0.0, 0.0, 0.0),
        ("Iran", ["le"], 0.0, 0.0, 0.0),
        ("", ["un"], 0.0, 0.0, 0.0),
        ("", ["…"], 0.0, 0.0, 0.0),
        ("Un.", ["un"], 1.0, 1.0, 1.0),
        ("Il y en a un.", ["un"], 0.0, 1.0, 0.0),
        ("Du café.", ["du thé"], 0.0, 0.0, 0.0),
        ("Un thé.", ["the"], 1.0, 1.0, 1.0),
        ("Un an.", ["an"], 1.0, 1.0, 1.0),
        ("The general", ["general"], 1.0, 1.0, 1.0),
    ],
)
def test_answers_are_compared_after_french_normalisation(text, accepted, f1, contained, same):
    assert token_f1(text, accepted) == pytest.approx(f1)
    assert containment(text, accepted) == pytest.approx(contained)
    assert exact(text, accepted) == same


def test_accents_may_be_kept():
    assert exact("marche", ["marché"]) == 1.0
    assert exact("marche", ["marché"], accents=True) == 0.0
    assert normalised("Qu’il a été élu", accents=True) == ["qu", "il", "été", "élu"]


def test_citations_are_scored_against_the_gold_set_that_fits_best():
    gold = [[(0, 5)], [(10, 20), (30, 40)]]
    assert citation_scores([(0, 5)], gold) == (1.0, 1.0, 1.0)
    assert citation_scores([(10, 20)], gold) == (1.0, 0.5, pytest.approx(2 / 3))
    assert citation_scores([], gold) == (0.0, 0.0, 0.0)
    assert best_set([(30, 40)], gold) == gold[1]
    assert best_set([(7, 8)], gold) == gold[0]


def test_citations_are_sufficient_when_they_hold_a_whole_set():
    gold = [[(0, 5)], [(10, 20), (30, 40)]]
    assert sufficient([(10, 20), (30, 40), (50, 60)], gold)
    assert not sufficient([(10, 20)], gold)


def test_auroc_counts_ties_half_and_is_not_a_number_without_both_sides():
    assert auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx(3.5 / 4)
    assert math.isnan(auroc([], [0.1]))


def test_ece_is_zero_when_confidence_equals_accuracy():
    assert ece([0.5, 0.5], [True, False]) == 0.0
    assert ece([1.0, 1.0], [False, False]) == 1.0
    assert ece([0.95, 0.15], [True, False]) == pytest.approx((0.05 + 0.15) / 2)


def test_a_question_weighed_twice_counts_like_two():
    scores, side = np.array([0.9, 0.4, 0.6, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])
    twice = weighted.auroc(scores, side, np.array([[1.0, 2.0, 1.0, 1.0]]))
    assert twice[0] == pytest.approx(auroc([0.9, 0.4, 0.4], [0.6, 0.1]))
    values = np.array([1.0, 0.0, np.nan, 0.5])
    assert weighted.mean(values, np.array([[2.0, 1.0, 5.0, 0.0]]))[0] == pytest.approx(2 / 3)


def test_what_has_no_score_is_left_out_of_the_auroc():
    scores, side = np.array([0.9, np.nan, 0.1]), np.array([1.0, 1.0, 0.0])
    assert weighted.auroc(scores, side, np.ones((1, 3)))[0] == 1.0
    assert np.isnan(weighted.auroc(np.full(3, np.nan), side, np.ones((1, 3)))[0])


def test_a_weighted_quantile_is_that_of_the_questions_as_often_as_they_count():
    values = np.array([5.0, 1.0, np.nan, 3.0])
    assert list(weighted.quantile(values, np.ones((1, 4)), 0.5)) == [3.0]
    counts = np.array([[4.0, 1.0, 9.0, 1.0], [0.0, 2.0, 1.0, 1.0], [0.0, 0.0, 2.0, 0.0]])
    medians = weighted.quantile(values, counts, 0.5)
    assert (medians[0], medians[1], np.isnan(medians[2])) == (5.0, 1.0, True)
    assert list(weighted.quantile(values, counts[:2], 0.95)) == [5.0, 3.0]


def test_the_risk_curve_takes_the_surest_first_and_ties_together():
    curve = weighted.risk_coverage(
        np.array([0.9, 0.8, 0.5, 0.5]), np.array([1.0, 1.0, 0.0, 1.0]), ONE
    )
    assert curve.coverage.tolist() == [[0.25, 0.5, 1.0]]
    assert curve.accuracy.tolist() == [[1.0, 1.0, 0.75]]
    assert curve.area()[0] == pytest.approx((0 + 0 + 0.25 + 0.25) / 4)
    assert curve.accuracy_at(0.5)[0] == 1.0
    assert curve.accuracy_at(0.8)[0] == 0.75
    assert curve.coverage_at(0.95)[0] == 0.5


def test_micro_averages_divide_sums():
    hits, cited = np.array([1.0, 0.0, np.nan, 2.0]), np.array([1.0, 3.0, np.nan, 2.0])
    assert weighted.ratio(hits, cited, ONE)[0] == pytest.approx(3 / 6)


def mean_interval(values, documents):
    return interval(lambda w: weighted.mean(np.array(values), w), documents, rounds=2000)


def test_the_interval_draws_whole_documents_and_is_seeded():
    together = mean_interval([1.0] * 10 + [0.0] * 10, ["a"] * 10 + ["b"] * 10)
    assert together == (0.5, 0.0, 1.0)
    apart = mean_interval([1.0] * 10 + [0.0] * 10, [f"{n}" for n in range(20)])
    assert 0.2 < apart[1] < 0.4 < 0.6 < apart[2] < 0.8
    assert apart == mean_interval([1.0] * 10 + [0.0] * 10, [f"{n}" for n in range(20)])
    assert mean_interval([0.5, 0.5], ["a", "a"]) == (0.5, None, None)


def test_a_bootstrap_interval_covers_the_truth_about_nineteen_times_of_twenty():
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        values = (draw.random(60) < 0.7).astype(float)
        _, low, high = mean_interval(values, [str(n) for n in range(60)])
        held += low <= 0.7 <= high
    assert 180 <= held <= 199


def differ(first, second, documents):
    columns = [Columns(len(documents), {"x": np.array(values)}) for values in (first, second)]
    return difference(lambda of, w: weighted.mean(of["x"], w), *columns, documents, rounds=2000)


def test_a_paired_difference_has_an_interval_and_a_p_value():
    documents = [str(n // 2) for n in range(40)]
    better = differ([0.0] * 20 + [1.0] * 20, [1.0] * 40, documents)
    assert better.difference == pytest.approx(0.5)
    assert better.low > 0
    assert better.p < 0.01
    same = differ([0.0, 1.0] * 20, [1.0, 0.0] * 20, documents)
    assert (same.difference, same.p) == (0.0, 1.0)


def test_one_document_shows_no_interval_of_a_difference():
    one = differ([0.0, 1.0], [1.0, 1.0], ["a", "a"])
    assert (one.difference, one.low, one.high, one.p) == (0.5, None, None, 1.0)


def test_with_few_documents_every_way_of_swapping_is_tried():
    three = differ([0.0] * 3, [1.0] * 3, ["a", "b", "c"])
    assert three.p == pytest.approx(2 / 8)  # only none swapped and all swapped are as far apart
