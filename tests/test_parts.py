"""A question that asks two things is cut; one that asks one thing never is."""

from __future__ import annotations

import pytest

from qa.parts import question_parts


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "Qui tient la caisse, et qui ferme la salle ?",
            ("Qui tient la caisse ?", "qui ferme la salle ?"),
        ),
        (
            "Quand ouvre le marché et à quel prix sont les tomates ?",
            ("Quand ouvre le marché ?", "à quel prix sont les tomates ?"),
        ),
        (
            "Who signed the lease and when does it end?",
            ("Who signed the lease ?", "when does it end ?"),
        ),
        (
            "Quand part le bateau ? Et combien coûte la traversée ?",
            ("Quand part le bateau ?", "combien coûte la traversée ?"),
        ),
        (
            "Qui a nommé la directrice et jusqu’à quelle date reste-t-il en poste ?",
            ("Qui a nommé la directrice ?", "jusqu’à quelle date reste-t-il en poste ?"),
        ),
        (
            "Quel est le prix que paie le locataire, et quel est le délai ?",
            ("Quel est le prix que paie le locataire ?", "quel est le délai ?"),
        ),
    ],
)
def test_each_interrogative_is_a_part(question, parts):
    assert question_parts(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "Combien de soldats et de civils ont été tués ?",
        "Où vivent Paul et Marie ?",
        "Qui a gagné, et où ?",  # the second part alone says nothing
        "Quels sont le nom et l’adresse du locataire ?",
        "What do Ann and Bob want?",
        "Le prix a-t-il été inauguré en 1931?oui",
        "et qui ?",
        "",
        "?",
        "Qui ? Quoi ? Où ? Quand ? Comment ?",
        "Quel est le loyer ? Merci d’avance !",
        "What is the rent? Please answer in French.",
        "Quel est le locataire qui a signé le bail et qui habite à Lyon ?",
    ],
)
def test_one_question_stays_whole(question):
    assert question_parts(question) == (question,)


def test_more_than_three_parts_stay_whole():
    question = " et ".join(f"qui a peint le grand mur {n}" for n in range(4)) + " ?"
    assert question_parts(question) == (question,)
