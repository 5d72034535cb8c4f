import pytest

from qa.smalltalk import reply, small_talk, without_small_talk
from qa.types import Turn


@pytest.mark.parametrize(
    ("utterance", "kind"),
    [
        ("Bonjour", "greeting"),
        ("bonjour à tous !", "greeting"),
        ("Salut, ça va ?", "greeting"),
        ("Bonjour comment vas-tu ?", "greeting"),
        ("Hello there!", "greeting"),
        ("👋 Hi", "greeting"),
        ("Good morning, how are you?", "greeting"),
        ("Merci", "thanks"),
        ("Merci beaucoup pour ton aide !", "thanks"),
        ("Super, merci 🙏", "thanks"),
        ("thanks a lot", "thanks"),
        ("Thank you so much!", "thanks"),
        ("Merci pour la réponse !", "thanks"),
        ("merci pour les infos", "thanks"),
        ("Merci pour ces informations", "thanks"),
        ("merci bcp pour l’explication", "thanks"),
        ("merci de votre réponse", "thanks"),
        ("merci pour tout", "thanks"),
        ("Thanks for your answers", "thanks"),
        ("thanks for that", "thanks"),
        ("thank you for all the information", "thanks"),
        ("ok", "thanks"),
        ("Nice ?", "thanks"),
        ("Oui.", "yes or no"),
        ("non", "yes or no"),
        ("yes", "yes or no"),
        ("Oui, merci", "thanks"),
        ("Merci et bonne journée", "goodbye"),
        ("au revoir", "goodbye"),
        ("À bientôt !", "goodbye"),
        ("Bye!", "goodbye"),
        ("Que peux-tu faire ?", "help"),
        ("Qu’est-ce que tu sais faire ?", "help"),
        ("qu'est-ce que vous pouvez faire pour moi ?", "help"),
        ("Bonjour, que peux-tu faire ?", "help"),
        ("Qui es-tu ?", "help"),
        ("Quels documents as-tu ?", "help"),
        ("What can you do?", "help"),
        ("Hi! Who are you?", "help"),
        ("help", "help"),
    ],
)
def test_an_utterance_that_is_only_small_talk_is_known(utterance, kind):
    assert small_talk(utterance) == kind


@pytest.mark.parametrize(
    "utterance",
    [
        "Bonjour, combien coûte le pain ?",
        "Merci, et en Syrie ?",
        "Merci pour la réponse, et en Syrie ?",
        "Oui, mais combien ?",
        "non-lieu",
        "Et Nice ?",
        "Hello, how many soldiers are in Iraq?",
        "Qui est le porte-parole ?",
        "Que peut faire la coalition ?",
        "Qui es-tu venu voir ?",
        "What can you do with a rusty nail?",
        "Comment dit-on merci en arabe ?",
        "Que signifie « bonjour » ?",
        "Super combien ?",
        "Et toi ?",
        "aide humanitaire",
        "",
        "?!",
        "👍",
        "ok " * 60 + "combien ?",
        "\ud800",
    ],
)
def test_anything_else_is_a_question(utterance):
    assert small_talk(utterance) is None
    assert reply(utterance, ["Irak"]) is None


@pytest.mark.parametrize(
    ("utterance", "says"),
    [
        ("Bonjour", ["Bonjour", "phrase exacte", "1 document : Irak."]),
        ("Que peux-tu faire ?", ["assistant", "phrase exacte", "Irak"]),
        ("Hi!", ["Hello", "exact sentence", "1 document: Irak."]),
        ("ok, what can you do?", ["assistant", "exact sentence", "Irak"]),
        ("thanks", ["welcome"]),
        ("merci", ["plaisir"]),
        ("oui", ["Quelle est votre question"]),
        ("no", ["What is your question"]),
    ],
)
def test_the_reply_is_in_the_persons_language_and_names_the_documents(utterance, says):
    answer = reply(utterance, ["Irak"], "scripted")
    for part in says:
        assert part in answer.text
    assert (answer.kind, answer.answered, answer.confidence) == ("small talk", False, 1.0)
    assert answer.statements == answer.citations == answer.nearest == ()
    assert (answer.question, answer.backend) == (utterance, "scripted")


def test_a_name_with_a_question_mark_goes_on_from_a_question():
    assert small_talk("Nice ?", goes_on=True) is None
    assert reply("Nice ?", ["Ports"], goes_on=True) is None
    for utterance in ("Nice !", "nice", "Merci.", "Aide ?", "Bonjour ?"):
        assert small_talk(utterance, goes_on=True)


def test_turns_of_small_talk_are_left_out_of_the_conversation():
    said = ["Bonjour", "Nice ?", "Où est Brest ?", "Merci !", "Nice ?"]
    turns = [Turn(question, "") for question in said]
    assert without_small_talk(turns) == [turns[2], turns[4]]


def test_many_documents_are_counted_and_long_titles_cut():
    text = reply("Bonjour", [f"{number} " + "x" * 200 for number in range(12)]).text
    assert "12 documents" in text
    assert "et 7 autres" in text
    assert len(text) < 700


def test_without_documents_the_reply_says_to_add_one():
    assert "ajoutez-en un" in reply("Bonjour", []).text
    assert "add one" in reply("Hello", []).text


def test_no_utterance_takes_long():
    for unit in ("ok ", "merci ", "bonjour a vous ", "hello there ", "help me ", "et "):
        small_talk(unit * 200)
        small_talk((unit * 40)[:119] + "x")
