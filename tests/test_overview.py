import pytest

from qa.overview import central_sentences, is_overview
from qa.types import Sentence
from test_pipeline import opened  # noqa: F401


@pytest.mark.parametrize(
    "question",
    [
        "Résume ce document.",
        "De quoi parle ce document ?",
        "De quoi s’agit-il ?",
        "Peux-tu résumer l'article ?",
        "Fais un résumé en quelques lignes",
        "Quels sont les points principaux ?",
        "Summarize this document",
        "What is this text about?",
        "tldr",
        "Que dit chaque camp ?",
        "Quelle est la position de chacun ?",
        "What does each side say?",
        "What are these meeting minutes about?",
        "Donne-moi les grandes lignes de ce document",
        "Quelles sont les informations principales de cet article ?",
        "C'est quoi ce document ?",
        "Que faut-il retenir de ce texte ?",
        "Résume-moi ça stp",
        "Sur quoi porte ce rapport ?",
        "Pouvez-vous me faire une synthèse du rapport, s'il vous plaît ?",
        "Quels sujets sont abordés dans ce texte ?",
        "Que disent les différents camps ?",
        "What is this e-mail thread about?",
        "What are the key takeaways?",
        "Give me the gist of this document.",
        "What does this document say?",
    ],
)
def test_requests_for_the_whole_are_overviews(question):
    assert is_overview(question)


@pytest.mark.parametrize(
    "question",
    [
        "Combien de soldats sont en Irak ?",
        "Résume la position de Bagdad sur les pourparlers.",
        "De quoi parle le général Yahya Rasoul à Bagdad ?",
        "Qui a écrit le résumé des débats de la coalition ?",
        "What is the coalition's initial goal?",
        "Quel est le thème de l'exposition ?",
        "Quel est le but de la coalition ?",
        "De quoi parle le maire dans son discours ?",
        "Quand ce document a-t-il été signé ?",
        "Que contient la pâte ?",
        "Que dit ce général ?",
        "Que faut-il retenir pour la caution ?",
        "What does the article say about Tomasz?",
        "What is the bank about to do?",
    ],
)
def test_questions_about_something_are_not(question):
    assert not is_overview(question)


def sentences(count):
    texts = [
        f"Le maire de la ville numéro {n} parle du budget de la commune." for n in range(count)
    ]
    return [Sentence("a.txt", n, 100 * n, 100 * n + len(t), t) for n, t in enumerate(texts)]


@pytest.mark.parametrize(("count", "chosen"), [(0, 0), (1, 1), (2, 2), (9, 3), (12, 4), (90, 6)])
def test_an_overview_has_three_to_six_sentences_from_different_parts(count, chosen):
    parts = central_sentences(sentences(count), "one paragraph")
    assert len(parts) == chosen
    indexes = [hit.sentence.index for part in parts for hit in part]
    assert indexes == sorted(set(indexes))
    if count == 90:
        assert [index // 15 for index in indexes] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("mark", ["\n", "\n\n"])
@pytest.mark.parametrize("count", [3, 4, 7, 11, 13, 30])
def test_two_thirds_of_the_paragraphs_are_heard(mark, count):
    texts = [f"Le maire numéro {n} parle du budget." for n in range(count)]
    text = mark.join(texts)
    found = [
        Sentence("a.txt", n, text.index(one), text.index(one) + len(one), one)
        for n, one in enumerate(texts)
    ]
    parts = central_sentences(found, text)
    assert 3 <= len(parts) <= 6
    heard = [hit.sentence.index for part in parts for hit in part]
    assert heard == sorted(set(heard))
    assert len(heard) >= count * 2 / 3


def test_headings_are_left_out():
    heading = Sentence("a.txt", 0, 0, 5, "Titre", heading=True)
    assert central_sentences([heading], "Titre") == ()


def test_an_overview_is_answered_with_quotations_that_slice_back(opened):  # noqa: F811
    assistant = opened(None)
    answer = assistant.ask("De quoi parle ce document ?")
    assert answer.answered
    assert 3 <= len(answer.statements) <= 6
    assert {statement.support for statement in answer.statements} == {"quoted"}
    assert answer.text.count("\n") == len(answer.statements) - 1
    for citation in answer.citations:
        text = assistant.document(citation.document).text
        assert text[citation.start : citation.end] == citation.text


@pytest.mark.parametrize(
    ("question", "title", "whole"),
    [
        ("Peux-tu résumer la vie d’Anne Roch ?", "Anne Roch, ingénieure", True),
        ("Peux-tu résumer la vie d’Anne Roch ?", "Le port de Valmer", False),
        ("Quelles sont les principales règles de cette piscine ?", "Piscine : questions", True),
        ("Summarise the trial, its findings and its limits.", "A twelve-week trial", True),
        ("Donne-moi un aperçu de cette ville : histoire, économie.", "Valmer", True),
        ("Que dit chacun des acteurs à propos de cette crue ?", "Crue de la Vernelle", True),
        ("Quel est le but de la coalition ?", "La coalition en Irak", False),
        ("Résume la position de Bagdad.", "La coalition en Irak", False),
    ],
)
def test_what_the_title_names_is_the_whole(question, title, whole):
    assert is_overview(question, title) is whole
