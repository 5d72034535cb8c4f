import pytest

from qa.overview import central_sentences, covering
from qa.sentences import split_sentences
from qa.types import Document, Sentence
from test_pipeline import opened  # noqa: F401


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


@pytest.mark.parametrize("first", [1, 2, 3, 6, 12])
def test_of_two_paragraphs_both_are_heard(first):
    texts = [f"Le maire numéro {n} parle du budget de la commune." for n in range(13)]
    text = " ".join(texts[:first]) + "\n\n" + " ".join(texts[first:])
    found = [
        Sentence("a.txt", n, text.index(one), text.index(one) + len(one), one)
        for n, one in enumerate(texts)
    ]
    parts = central_sentences(found, text)
    assert 3 <= len(parts) <= 6
    assert {hit.sentence.index < first for part in parts for hit in part} == {True, False}


def test_a_greeting_is_no_paragraph_to_quote():
    texts = [f"Le maire numéro {n} parle du budget de la commune." for n in range(9)]
    text = "Bonjour à tous,\n\n" + " ".join(texts)
    found = [
        Sentence("a.txt", n, text.index(one), text.index(one) + len(one), one)
        for n, one in enumerate(["Bonjour à tous,", *texts])
    ]
    heard = [hit.sentence.index for part in central_sentences(found, text) for hit in part]
    assert len(heard) == 3
    assert 0 not in heard


LISTED = (
    "La consultation porte sur les lampadaires de la commune.\n\n"
    "Les candidats joignent à leur offre :\n- trois références de lampadaires de la commune ;\n"
    "- la liste des lampadaires de la commune.\n\n"
    "Les lampadaires de la commune sont garantis.\n- Les offres de la commune sont ouvertes.\n\n"
    "La commune choisit l'offre la moins chère."
)


def test_what_says_something_by_itself_is_quoted_rather_and_an_item_after_its_lead_in():
    every = split_sentences(Document("a.txt", "a.txt", LISTED))
    heard = [hit.sentence.text for part in central_sentences(every, LISTED) for hit in part]
    assert "Les lampadaires de la commune sont garantis." in heard
    assert "- Les offres de la commune sont ouvertes." not in heard
    place = heard.index("Les candidats joignent à leur offre :")
    assert heard[place + 1].startswith("- ")
    assert len(set(heard)) == len(heard)


def test_a_lead_in_that_is_quoted_already_is_not_quoted_again():
    items = [f"- Les offres de la commune numéro {n} sont ouvertes." for n in range(4)]
    text = "\n\n".join(["Les offres de la commune sont celles de la commune :", *items])
    every = split_sentences(Document("a.txt", "a.txt", text))
    heard = [hit.sentence.index for part in central_sentences(every, text) for hit in part]
    assert len(set(heard)) == len(heard) >= 3
    assert 0 in heard


def test_rows_and_inner_items_are_quoted_after_all_that_names_them():
    text = (
        "La piscine municipale de Valmer rouvre le 3 février après deux mois de travaux.\n\n"
        "Tarifs\nPublic | Entrée | Abonnement\n--- | --- | ---\nAdultes | 4,20 € | 38 €\n\n"
        "Sont interdits :\n\n- les animaux, sauf :\n  - les chiens guides ;\n- les bouteilles."
    )
    every = split_sentences(Document("a.txt", "a.txt", text))
    parts = [[hit.sentence.text for hit in part] for part in central_sentences(every, text)]
    assert parts[1:] == [
        ["Public | Entrée | Abonnement", "Adultes | 4,20 € | 38 €"],
        ["Sont interdits :", "- les animaux, sauf :", "- les chiens guides ;"],
    ]


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


def test_of_several_documents_every_one_is_told():
    parts = covering([(sentences(90), "one paragraph"), (sentences(9), "one paragraph")])
    assert [len(part) for part in parts] == [1] * 6
    assert covering([(sentences(9), "one paragraph")]) == central_sentences(
        sentences(9), "one paragraph"
    )


HARBOUR = "Le port de Valmer accueille trente bateaux. Il a été creusé en 1820. Le phare est vert."


def test_a_request_that_names_nothing_means_every_document(opened):  # noqa: F811
    assistant = opened(None, {"port.txt": HARBOUR})
    told = assistant.ask("De quoi parlent ces documents ?")
    assert {citation.document for citation in told.citations} == {"irak.txt", "port.txt"}
    assert len(told.statements) == 6
    one = assistant.ask("Résume ce document.", documents=["port.txt"])
    assert {citation.document for citation in one.citations} == {"port.txt"}
    named = assistant.ask("Résume le port.")
    assert {citation.document for citation in named.citations} == {"port.txt"}
    assert not told.notices


def test_of_more_documents_than_statements_some_are_told_and_that_is_said(opened):  # noqa: F811
    assistant = opened(None, {f"port-{n}.txt": HARBOUR for n in range(7)})
    told = assistant.ask("Résume tout.")
    assert len({citation.document for citation in told.citations}) == 6
    assert told.notices == (
        "the question means 8 documents, and these are 6 of them; choose among the documents to be "
        "told of others",
    )
