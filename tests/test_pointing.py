import pytest

from fakes import HashEncoder
from qa.check import check
from qa.pointing import pointing
from qa.types import Citation

TEXTS = (
    "Le devis Mauger s’élève à 9 870 €.",
    "Le devis Sirot s’élève à 3 250 €.",
    "Le conseil retient le devis Mauger par quatre voix.",
)


def sentences(*scores):
    return tuple(
        Citation("a.txt", "Essai", None, 100 * place, 100 * place + len(text), text, score)
        for place, (text, score) in enumerate(zip(TEXTS, scores, strict=True))
    )


def chosen(question, said, scores, *, also=0.8, cover=8.0):
    needed = pointing(question, also=also, cover=cover)
    return [TEXTS.index(one.text) for one in needed(said, sentences(*scores))]


@pytest.mark.parametrize(
    ("said", "scores", "cited"),
    [
        ("9 870 €.", (0.5, 0.6, 0.4), [0]),  # the number is only there
        ("3 250 €.", (0.6, 0.5, 0.4), [1]),
        ("9 870 € et 3 250 €.", (0.5, 0.4, 0.1), [0, 1]),  # neither holds both
        ("9 870 €, par quatre voix.", (0.5, 0.1, 0.0), [0, 2]),  # it was never asked about
        ("9 870 €.", (0.5, 0.1, 0.95), [2, 0]),  # likely by itself
        ("Le moins cher.", (0.2, 0.7, 0.4), [1]),  # no sentence holds its words
        ("9 870 €.", (0.0, 1.0, 0.0), [1, 0]),  # certain, and yet not what is said
    ],
)
def test_what_is_said_and_what_is_likely_choose_together(said, scores, cited):
    assert chosen("Combien coûte le plus cher ?", said, scores) == cited


def test_words_of_the_question_say_nothing_where_there_are_others():
    question = "Combien coûte le devis Mauger que le conseil retient ?"
    assert chosen(question, "Le devis Mauger retenu coûte 9 870 €.", (0.4, 0.1, 0.5)) == [0]
    # «Oui, le conseil le retient» says nothing else.
    assert chosen(question, "Le conseil retient le devis Mauger.", (0.5, 0.1, 0.5)) == [2]


def test_without_the_words_the_likely_ones_are_cited_and_three_at_most():
    assert chosen("Et ?", "3 250 €.", (0.5, 0.1, 0.9), cover=0.0) == [2]
    assert chosen("Et ?", "3 250 €.", (0.81, 0.1, 0.9), cover=0.0) == [2, 0]
    assert len(chosen("Et ?", "9 870 €.", (0.9, 0.9, 0.9), cover=0.0)) == 3


def test_each_statement_of_an_answer_points_for_itself():
    needed = pointing("Combien coûtent-ils ?", also=0.8, cover=8.0)
    given = sentences(0.6, 0.5, 0.1)
    checked = check("Mauger : 9 870 €. Sirot : 3 250 €.", given, HashEncoder(), needed=needed)
    assert [[TEXTS.index(c.text) for c in s.citations] for s in checked.statements] == [[0], [1]]


def test_what_the_likely_sentences_do_not_prove_is_held_against_all_that_were_read():
    needed = pointing("Combien coûtent-ils ?", also=0.99, cover=1.0)
    given = sentences(0.9, 0.0, 0.0)
    (statement,) = check("9 870 € et 3 250 €.", given, HashEncoder(), needed=needed).statements
    assert statement.support == "supported"
    assert [TEXTS.index(c.text) for c in statement.citations] == [0, 1]
