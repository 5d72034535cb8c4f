from dataclasses import replace

import pytest

from fakes import ScriptedModel
from qa.conversation import leans_on_history, standalone, turn
from qa.errors import ModelUnavailable
from qa.llm.meter import Meter
from qa.types import Answer, Turn

HISTORY = (Turn("Combien de soldats américains sont en Irak ?", "2500 soldats."),)


@pytest.mark.parametrize(
    "question",
    [
        "Et en Syrie ?",
        "Pourquoi ?",
        "Quel est son grade ?",
        "Qui les a tués ?",
        "And in Syria?",
        "Où sont-ils ?",
        "What is its goal?",
        "Depuis quand ?",
        "POURQUOI ?",
        "Merci. Et en Syrie ?",
        "OK, and in Syria?",
        "D’accord, et pour Lyon ?",
        "Ah bon, et pour quel motif ?",
        "Vraiment ? Pourquoi ?",
        "Oh really, why is that?",
        "En 2023 ?",
        "Pour Paris ?",
        "Non pardon, je voulais dire l’isolation des façades nord",
        "Je parlais de l’accord signé avec la mairie de Lyon en 2012",
        "I meant the meeting of the finance committee in Paris",
    ],
)
def test_questions_that_point_back_lean_on_the_history(question):
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question",
    [
        "Quelle est la capitale du Japon ?",
        "Combien de soldats sont déployés en Syrie ?",
        "En quelle année la coalition internationale a-t-elle été formée ?",
        "Who is the spokesman of the Iraqi army?",
        "Qui est Marie Curie ?",
        "Where is Paris?",
        "Bon, combien coûte la carte annuelle ?",
        "Well water quality of the Harlow spring?",
        "Bien-être au travail : quelles mesures annoncées ?",
        "Well-being room opening hours?",
        "Ou se trouve le siege de la societe Arvel ?",
        "Is there a swimming pool at the Grand Hotel in Nice?",
        "Combien de jours y a-t-il entre le dépôt et la réponse ?",
        "Il faut combien de jours pour livrer un colis à Lyon ?",
    ],
)
def test_questions_with_their_own_subject_stand_alone(question):
    assert not leans_on_history(question)


def test_a_faithful_rewriting_is_used():
    model = ScriptedModel(["Combien de soldats américains sont en Syrie ?"])
    question = standalone("Et en Syrie ?", HISTORY, Meter(model), "fr")
    assert question == "Combien de soldats américains sont en Syrie ?"
    assert "2500 soldats." in model.prompts[0].messages[-1].content


@pytest.mark.parametrize(
    "said",
    ["Il y a 900 soldats.", "Combien de soldats en 1987 ?", "Que fait Napoléon en Syrie ?", ""],
)
def test_a_rewriting_that_answers_or_invents_is_not_used(said):
    question = standalone("Et en Syrie ?", HISTORY, Meter(ScriptedModel([said])), "fr")
    assert question == "Combien de soldats américains sont en Irak ? Et en Syrie ?"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("Et en Syrie ?", "Combien de soldats américains sont en Irak ?"),  # the same again
        ("Et leur salaire ?", "Combien de soldats américains gardent la base d'Irak ?"),
        ("Alors ?", "Combien de soldats américains sont en Irak ?"),
    ],
)
def test_a_rewriting_that_leaves_out_what_is_asked_is_not_used(asked, said):
    question = standalone(asked, HISTORY, Meter(ScriptedModel([said])), "fr")
    assert question == f"Combien de soldats américains sont en Irak ? {asked}"


def test_a_rewriting_that_keeps_the_value_before_is_not_used():
    history = (Turn("Que devient mon acompte si j'annule trois mois avant le départ ?", "Rendu."),)
    said = "Que devient mon acompte si j'annule trois mois avant le départ prévu ?"
    asked = "et à une semaine du départ ?"
    question = standalone(asked, history, Meter(ScriptedModel([said])), "fr")
    assert question == f"{history[0].question} {asked}"


def test_a_correction_says_what_it_corrects_to():
    history = (Turn("Combien de voix pour les panneaux solaires ?", "26 voix contre 19."),)
    said = "Combien de voix pour l’isolation ?"
    asked = "non pardon je voulais dire l’isolation"
    assert standalone(asked, history, Meter(ScriptedModel([said])), "fr") == said


def test_a_question_word_is_something_else_to_ask():
    history = (Turn("Quand a lieu le concert ?", "Lundi."),)
    said = "Où a lieu le concert ?"
    assert standalone("Et où ?", history, Meter(ScriptedModel([said])), "fr") == said


def test_a_rewriting_may_say_a_part_of_what_is_asked_in_other_words():
    said = "Combien de soldats américains étaient en Syrie cette année-là ?"
    asked = "Et en Syrie, la même année ?"
    assert standalone(asked, HISTORY, Meter(ScriptedModel([said])), "fr") == said


def test_a_follow_up_in_another_language_is_rewritten_in_its_own():
    before = "How many American soldiers are in Iraq?"
    model = ScriptedModel([before, "How many American soldiers are in Syria?"])
    assert standalone("And in Syria?", HISTORY, Meter(model), "en").endswith("in Syria?")
    translation, rewriting = (prompt.messages[-1].content for prompt in model.prompts)
    assert HISTORY[0].question in translation
    assert before in rewriting
    assert HISTORY[0].question not in rewriting


def test_a_follow_up_that_cannot_be_rewritten_follows_the_translation():
    model = ScriptedModel(["How many American soldiers are in Iraq?", ""])
    question = standalone("And in Syria?", HISTORY, Meter(model), "en")
    assert question == "How many American soldiers are in Iraq? And in Syria?"


def test_without_a_model_the_last_question_is_put_before():
    assert standalone("Et en Syrie ?", HISTORY, None, "fr").endswith("Irak ? Et en Syrie ?")


def test_a_later_question_leans_on_the_one_before_as_it_was_understood():
    meant = "Combien de soldats américains sont en Syrie ?"
    answer = Answer("900 soldats.", True, 0.9, (), (), (), meant, "scripted")
    assert turn("Et en Syrie ?", answer) == Turn(meant, "900 soldats.")
    long = replace(answer, question=f"{meant} " * 9)
    assert turn("Et en Syrie ?", long) == Turn("Et en Syrie ?", "900 soldats.")


def test_a_failing_model_is_the_callers_matter():
    with pytest.raises(ModelUnavailable):
        standalone("Et en Syrie ?", HISTORY, Meter(ScriptedModel([ModelUnavailable("gone")])), "fr")
