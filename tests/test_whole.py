"""Requests for the whole of a document."""

import json
from pathlib import Path

import pytest

from fakes import HashEncoder
from qa import pipeline
from qa.embed import load_encoder
from qa.errors import InputError
from qa.settings import Settings
from qa.types import Turn
from qa.weights import encoder_available
from qa.whole import foreignness, is_overview, sounds_whole
from qa.words import tokens
from test_pipeline import opened, says, scripted  # noqa: F401

EVAL = Path(__file__).parents[1] / "eval"
HELD_OUT = EVAL / "whole" / "held-out.jsonl"


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
        "Résumé en 5 points",
        "Sum it up in five sentences",
        "Quel est le message central du texte ?",
        "Quels sont les arguments de chaque côté ?",
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
        "Sujet de sa these",
        "Theme de leur exposition",
        "Qui parle ?",
        "Parle-moi de lui",
        "Que dit-elle ?",
        "Dis-moi pourquoi",
        "Quand parle-t-il ?",
        "Tell me about her",
        "Résume en cinq mots : « Le train est annulé et nous dormirons à la gare »",
        "Quel est l'avis de chaque habitant sur le stade ?",
    ],
)
def test_questions_about_something_are_not(question):
    assert not is_overview(question)


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


def test_no_request_is_a_question_of_the_question_sets():
    def questions(path, field):
        rows = map(json.loads, (EVAL / path).read_text(encoding="utf-8").splitlines())
        return {" ".join(tokens(row[field])) for row in rows}

    splits = ("dev.jsonl", "calibration.jsonl", "test.jsonl", "off-topic.jsonl")
    asked = set().union(*(questions(split, "question") for split in splits))
    assert not asked & questions("whole/train.jsonl", "q")
    typed = questions("typed/questions.jsonl", "question")
    assert not (asked | typed) & questions("whole/chatty.jsonl", "q")
    assert not asked & questions("whole/tasks.jsonl", "q")


@pytest.fixture(scope="module")
def bundled():
    cache = Settings().cache
    if not encoder_available(cache):
        pytest.skip("the package of the extra [encoder] is not installed")
    return load_encoder("bundled", cache)


@pytest.mark.e2e
def test_requests_of_another_hand_are_told_from_questions_that_sound_like_them(bundled):
    from qa_eval.whole import load_requests

    requests = load_requests(HELD_OUT)
    vectors = bundled.encode([request.question for request in requests], query=True)

    def rates(whole, foreign):
        side = [
            [sounds_whole(vector, bundled.id, refused=refused) for refused in (False, True)]
            for vector, request in zip(vectors, requests, strict=True)
            if (request.whole, request.foreign) == (whole, foreign)
        ]
        return [sum(heard) / len(side) for heard in zip(*side, strict=True)]

    found, found_refused = rates(whole=True, foreign=False)
    assert found >= 0.7
    assert found_refused >= 0.82
    mistaken, mistaken_refused = rates(whole=False, foreign=False)
    assert mistaken <= 0.06
    assert mistaken_refused <= 0.1
    mistaken, mistaken_refused = rates(whole=False, foreign=True)
    assert mistaken <= 0.1
    assert mistaken_refused <= 0.2


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Jusqu'à quelle date la coalition reste-t-elle en Irak ?", "no answer"),
        ("Hello, how many people does the coalition send to Irak?", "no answer"),
        ("Qu'est-ce que la coalition compte faire en Irak ?", "overview"),
    ],
)
def test_who_asks_when_or_how_much_gets_no_summary(
    opened,  # noqa: F811
    monkeypatch,
    question,
    kind,
):
    monkeypatch.setattr(pipeline, "sounds_whole", lambda *_, **__: True)
    assistant = opened(scripted("Introuvable.", vote='{"ids":[]}', probes=lambda user: says(-5.0)))
    assert assistant.ask(question).kind == kind


@pytest.mark.e2e
def test_people_who_tell_why_they_ask_ask_one_thing(bundled):
    questions = [
        "Bonjour, ma fille rend sa fiche lundi, savez-vous en quelle année ce pont a été fini ?",
        "Je suis un peu perdu avec toutes ces dates, jusqu'à quand peut-on encore s'inscrire ?",
        "Mon voisin prétend qu'il a le droit de garer sa caravane dans la cour, est-ce permis ?",
        "Merci pour votre aide hier ! Encore une chose : qui a signé la lettre au nom du club ?",
        "On sera huit dimanche et je n'ai qu'un petit four, combien de temps faut-il cuire ?",
        "Excusez-moi de vous déranger, j'ai égaré le courrier, à combien s'élève la caution déjà ?",
        "Hi there, I missed the call because of my train, who is going to write the next budget?",
        "My landlord never told me about this, so how many weeks of notice do I have to give him?",
        "I spoke to a friend about the trial last night, how many patients dropped out of it?",
        "Sorry if this is obvious, but where should I put the filter after I have rinsed it?",
    ]
    vectors = bundled.encode(questions, query=True)
    heard = [sounds_whole(vector, bundled.id, refused=True) for vector in vectors]
    assert sum(heard) <= 1


@pytest.mark.e2e
def test_what_no_document_could_answer_sounds_foreign_and_questions_do_not(bundled):
    from qa_eval.whole import load_requests

    requests = load_requests(HELD_OUT)
    vectors = bundled.encode([request.question for request in requests], query=True)
    heard = [foreignness(vector, bundled.id) > 2 for vector in vectors]  # more likely than not

    def share(task):
        side = [one for one, r in zip(heard, requests, strict=True) if r.task is task]
        return sum(side) / len(side)

    assert share(task=True) >= 0.75
    assert share(task=False) <= 0.05


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Raconte la vie de Napoléon", "no answer"),
        ("Raconte ce que la coalition fait en Irak", "overview"),
        ("raconte tout", "overview"),
    ],
)
def test_a_request_that_names_what_the_document_has_not_is_none(
    opened,  # noqa: F811
    monkeypatch,
    question,
    kind,
):
    monkeypatch.setattr(pipeline, "sounds_whole", lambda *a, **k: True)
    assistant = opened(scripted("Introuvable.", vote='{"ids":[]}', probes=lambda user: says(-5.0)))
    assert assistant.ask(question).kind == kind


def test_what_is_refused_as_a_question_and_sounds_whole_is_answered_as_a_whole(
    opened,  # noqa: F811
    monkeypatch,
):
    asked = []

    def sounds(vector, encoder, *, refused=False):
        asked.append(refused)
        return refused

    monkeypatch.setattr(pipeline, "sounds_whole", sounds)
    assistant = opened(scripted("Introuvable.", vote='{"ids":[]}', probes=lambda user: says(-5.0)))
    answer = assistant.ask("Mets-moi au courant.")
    assert answer.kind == "overview"
    assert asked == [False, True]
    asked.clear()
    known = [Turn("Combien de soldats sont en Irak ?", "2500.")]
    assert assistant.ask("Et au Mali ?", history=known).kind == "no answer"
    assert asked == []  # a follow-up says too little by itself


def test_with_another_encoder_nothing_sounds_like_a_request():
    encoder = HashEncoder()
    assert not sounds_whole(encoder.encode(["Résume."], query=True)[0], encoder.id)
    assert foreignness(encoder.encode(["Écris un poème."], query=True)[0], encoder.id) == 0


def test_the_fit_tells_requests_from_questions_that_share_their_words():
    pytest.importorskip("sklearn")
    from qa_eval.whole import Request, fit

    encoder = HashEncoder()
    requests = [Request("", f"brièvement tout numéro {n}", whole=True) for n in range(30)]
    requests += [Request("", f"brièvement clause numéro {n}", whole=False) for n in range(30)]
    plain = [f"quand numéro {n} ouvre" for n in range(60)]
    tasks = [
        Request("", f"écris vers numéro {n}", whole=False, foreign=True, task=True)
        for n in range(9)
    ]
    requests += [Request("", f"mont blanc numéro {n}", whole=False, foreign=True) for n in range(9)]
    model, figures = fit(requests, tasks, plain, encoder)
    asked = ["brièvement tout", "brièvement clause", "écris vers", "mont blanc"]
    vectors = encoder.encode(asked, query=True)
    whole, foreign = (
        [float(vector @ model[name]["weights"]) + model[name]["intercept"] for vector in vectors]
        for name in ("whole", "foreign")
    )
    assert whole[0] > 0 > max(whole[1:])
    assert foreign[2] > max(foreign[0], foreign[1], foreign[3])
    assert figures["tasks, likely foreign"] > figures["plain, likely foreign"] == 0
    assert figures["auroc"] == figures["found"] == 1
    assert figures["mistaken, foreign"] < 1
    assert 0 < model["threshold"] < 1


def test_a_bad_line_of_requests_is_named(tmp_path):
    from qa_eval.whole import load_requests

    path = tmp_path / "requests.jsonl"
    path.write_text(
        '{"title": "a", "q": "Quoi ?", "overview": true}\n{"title": "a", "q": ""}\n', "utf-8"
    )
    with pytest.raises(InputError, match=r"requests\.jsonl, line 2, field 'q'"):
        load_requests(path)
