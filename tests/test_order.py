"""The order in which sentences are read."""

import json
from dataclasses import replace
from importlib.resources import files

import pytest

from qa.order import ORDERED, in_order
from qa.types import Hit, Sentence

ENCODER = json.loads((files("qa") / "data" / "order.json").read_text())["fitted"]["encoder"]
QUESTION = "Qui a reconstruit le pont de Lanvec ?"


def hit(rank, text, dense=0.85, lexical=5.0):
    return Hit(Sentence("d", rank, 0, len(text), text), 1.0 / rank, rank, dense, lexical)


def test_a_sentence_that_says_something_goes_before_one_that_repeats_the_question():
    echo = hit(1, "Le pont de Lanvec.")
    telling = hit(
        2, "Le pont de Lanvec, détruit en 1944, doit sa forme à l’ingénieur Marcel Treuil."
    )
    assert [one.sentence for one in in_order(QUESTION, (echo, telling), ENCODER)] == [
        telling.sentence,
        echo.sentence,
    ]


def test_meaning_outweighs_shared_words():
    worded = hit(1, "Le pont de Lanvec est long de cent dix mètres.", dense=0.80, lexical=9.0)
    meant = hit(2, "L’ouvrage doit sa forme actuelle à Marcel Treuil.", dense=0.88, lexical=0.0)
    assert in_order(QUESTION, (worded, meant), ENCODER)[0].sentence == meant.sentence


def test_only_ranks_change_and_what_is_far_behind_stays_behind():
    texts = [f"Phrase numéro {number} sur le pont." for number in range(1, ORDERED + 4)]
    hits = tuple(
        hit(rank, text, dense=0.8 + rank / 1000) for rank, text in enumerate(texts, start=1)
    )
    ordered = in_order(QUESTION, hits, ENCODER)
    assert [one.rank for one in ordered] == list(range(1, len(hits) + 1))
    assert ordered[ORDERED:] == hits[ORDERED:]
    assert ordered[0].sentence == hits[ORDERED - 1].sentence
    back = {one.sentence: replace(one, rank=0) for one in ordered}
    assert back == {one.sentence: replace(one, rank=0) for one in hits}


def test_another_encoder_keeps_the_order_of_retrieval():
    hits = (hit(1, "Le pont de Lanvec.", dense=0.1), hit(2, "Marcel Treuil.", dense=0.9))
    assert in_order(QUESTION, hits, "another encoder") == hits


def test_equal_hits_keep_their_order_and_nothing_is_no_fault():
    twins = (hit(1, "Le pont."), hit(2, "Le pont."))
    assert in_order(QUESTION, twins, ENCODER) == twins
    assert in_order(QUESTION, (), ENCODER) == ()


def test_the_fit_learns_what_tells_gold_apart():
    pytest.importorskip("sklearn")
    from qa_eval.order import Found, fit, recalls

    founds = [
        Found(
            QUESTION,
            (
                hit(1, f"Le pont de Lanvec, numéro {n}.", dense=0.80 + n / 1000, lexical=9.0),
                hit(2, f"Marcel Treuil, ingénieur numéro {n}.", dense=0.86 + n / 1000, lexical=3.0),
            ),
            (False, True),
        )
        for n in range(20)
    ]
    weights = fit(founds)
    assert set(weights) == {"dense", "lexical", "new"}
    assert weights["dense"] > 0 > weights["lexical"]
    assert recalls(founds)["R@1"] == 0
    assert recalls(founds, ENCODER)["R@1"] == 1
