import pytest

from fakes import ScriptedModel
from qa.llm.meter import Meter
from qa.translation import translated
from test_pipeline import opened, says  # noqa: F401


def asked(reply):
    return Meter(ScriptedModel(default=lambda prompt: reply))


def test_a_question_is_put_in_the_documents_language():
    ask = asked("Combien de soldats en 2014 ?\n")
    assert translated("How many soldiers in 2014?", "fr", ask) == "Combien de soldats en 2014 ?"


@pytest.mark.parametrize(
    "reply", ["", "Combien de soldats ?", "Combien en 2015 ?", "En 2014, " + "il y avait " * 20]
)
def test_a_translation_that_cannot_be_right_is_not_used(reply):
    assert translated("How many soldiers in 2014?", "fr", asked(reply)) == (
        "How many soldiers in 2014?"
    )


def test_an_english_question_on_a_french_text_is_sought_in_french_and_answered(opened):  # noqa: F811
    french = "Combien de soldats américains sont déployés en Irak ?"
    english = "How many American soldiers are deployed in Iraq?"

    def reply(prompt):
        user = prompt.messages[-1].content
        if prompt.schema is not None:
            return '{"ids":[1]}'
        if prompt.max_tokens == 1:
            return says(5.0 if "2500" in user and french in user else -5.0)
        return french if user == english else "2500 soldiers."

    model = ScriptedModel(default=reply)
    answer = opened(model).ask(english)
    assert answer.text == "2500 soldiers."
    assert answer.question == english
    writing = [p.messages[-1].content for p in model.prompts if "2500" in p.messages[-1].content]
    assert english in writing[-1]


def test_a_question_in_the_documents_language_is_not_translated(opened):  # noqa: F811
    def reply(prompt):
        if prompt.schema is not None:
            return '{"ids":[1]}'
        return says(5.0) if prompt.max_tokens == 1 else "2500 soldats."

    model = ScriptedModel(default=reply)
    opened(model).ask("Combien de soldats américains sont déployés en Irak ?")
    assert not [p for p in model.prompts if p.messages[0].content.startswith("Tradui")]


def test_a_model_that_cannot_translate_is_named_and_the_question_answered(opened):  # noqa: F811
    from qa.errors import ModelUnavailable

    def reply(prompt):
        if prompt.messages[0].content.startswith("Tradui"):
            raise ModelUnavailable("gone")
        if prompt.schema is not None:
            return '{"ids":[1]}'
        return says(5.0) if prompt.max_tokens == 1 else "2500 soldiers."

    answer = opened(ScriptedModel(default=reply)).ask("How many soldiers are there in Irak?")
    assert answer.answered
    assert any("not translated" in notice for notice in answer.notices)
