"""The two tests of the tests: other numbers in the document, other sentences beside a statement."""

from fakes import HashEncoder
from qa.types import Turn
from qa_eval.counterfactual import changed
from qa_eval.data import Item
from qa_eval.predictions import Pointer, Prediction, Said
from qa_eval.swap import swap_values

TEXT = (
    "Le bail commence le 14 mars 1998. Le loyer est de 12 640 €. Mme Roy habite au 3. Le chat dort."
)
RENT = (34, 60)


def item(id_, question, answers, *spans, **fields):
    return Item(id_, "a.txt", question, "answerable", answers, (spans,), **fields)


def test_numbers_that_answer_are_changed_wherever_they_stand():
    rent = item("rent", "Que coûte 12 640 €, le loyer ?", ("12 640 €", "douze mille"), RENT)
    who = item("who", "Qui habite au 3 ?", ("Mme Roy",), (61, 81))
    (asked,), texts = changed([rent, who], {"a.txt": TEXT})
    assert len(texts["a.txt"]) == len(TEXT)
    (answer,) = asked.answers
    assert answer != "12 640 €"
    assert answer in texts["a.txt"][slice(*RENT)]
    assert "12 640" not in texts["a.txt"]
    assert answer in asked.question
    assert "au 3" in texts["a.txt"]  # nobody asks for it


def test_days_stay_days_and_years_keep_their_century():
    start = item(
        "start", "Quand ?", ("14 mars 1998",), (0, 33), history=(Turn("Et le 14 ?", "Oui."),)
    )
    (asked,), texts = changed([start], {"a.txt": TEXT})
    day, month, year = asked.answers[0].split()
    assert (10 <= int(day) <= 31, month, year[:2]) == (True, "mars", "19")
    assert (day, year) != ("14", "1998")
    assert asked.history[0].question == f"Et le {day} ?"
    assert f"{day} mars {year}" in texts["a.txt"]


def test_a_number_that_finds_no_other_one_is_not_asked_for():
    text = "Les pages 1 2 3 4 5 6 7 8 9 manquent. Il reste 3 copies."
    left = item("left", "Combien de copies ?", ("3",), (38, len(text)))
    assert changed([left], {"a.txt": text})[0] == ()


def shown(text, support="supported"):
    cited = (Pointer("a.txt", *RENT),)
    statement = Said(text, support, cited)
    return Prediction("q", "Quel loyer ?", True, text, cited, 0.9, statements=(statement,))


def test_a_statement_beside_other_sentences_is_flagged():
    assert swap_values(shown("Le loyer est de 12 640 €."), {"a.txt": TEXT}, HashEncoder()) == {
        "swapped": 1.0,
        "swapped_flagged": 1.0,
    }


def test_what_any_sentence_would_prove_is_not_flagged():
    twice = "Le chat dort ici. " * 3
    cited = (Pointer("a.txt", 0, 17),)
    said = Said("Le chat dort ici.", "supported", cited)
    prediction = Prediction("q", "?", True, "Le chat dort ici.", cited, 0.9, statements=(said,))
    values = swap_values(prediction, {"a.txt": twice}, HashEncoder())
    assert values == {"swapped": 1.0, "swapped_flagged": 0.0}


def test_quotations_and_documents_too_short_to_swap_are_left_out():
    assert swap_values(shown("« x »", "quoted"), {"a.txt": TEXT}, HashEncoder()) == {}
    one = {"a.txt": TEXT[slice(*RENT)]}
    whole = Prediction("q", "?", True, "12", (Pointer("a.txt", 0, 26),), 0.9)
    assert swap_values(whole, one, HashEncoder()) == {}
