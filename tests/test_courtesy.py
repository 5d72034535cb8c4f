"""What a polite question asks."""

import pytest

from qa.courtesy import plainly


@pytest.mark.parametrize(
    ("polite", "plain"),
    [
        ("Pourriez-vous me dire combien il y en a ?", "combien il y en a ?"),
        ("Bonjour, peux-tu m’indiquer où il est ? Merci.", "Bonjour, où il est ? Merci."),
        ("J’aimerais savoir en quelle année il est né", "en quelle année il est né"),
        ("est-ce que vous pouvez me dire, svp, ce que dit le maire ?", "ce que dit le maire ?"),
        ("Savez-vous pourquoi ?", "pourquoi ?"),
        ("Could you please tell me who pays?", "who pays?"),
        ("I'd like to know what it costs.", "what it costs."),
    ],
)
def test_the_courtesy_before_a_question_is_left_out(polite, plain):
    assert plainly(polite) == plain


@pytest.mark.parametrize(
    "question",
    [
        "Qui peut me dire oui ?",
        "Dites-moi tout.",
        "Pouvez-vous écrire un poème ?",
        "Pouvez-vous me dire bonjour ?",
        "Que doit savoir le locataire ?",
        "Can you tell me a joke?",
        "Les élèves doivent-ils savoir nager ?",
    ],
)
def test_other_questions_stay_as_they_are(question):
    assert plainly(question) == question
