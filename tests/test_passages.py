from qa.passages import passage
from qa.sentences import split_sentences
from qa.types import Document


def read(text, wanted, shown=()):
    sentences = split_sentences(Document("d", "d", text))
    by_text = {" ".join(s.text.split()): s for s in sentences}
    return passage(by_text[wanted], sentences, [by_text[one] for one in shown])


FAQ = (
    "Bibliothèque de Bellerive\n\nCombien coûte la carte ?\nRien pour les moins de 18 ans. "
    "Pour les autres, 12 € par an.\n\nPuis-je prolonger un prêt ?\nOui, une fois."
)


def test_an_answer_is_read_with_the_question_above_it():
    assert read(FAQ, "Pour les autres, 12 € par an.") == (
        "Combien coûte la carte ? Pour les autres, 12 € par an."
    )
    assert read(FAQ, "Oui, une fois.") == "Puis-je prolonger un prêt ? Oui, une fois."


def test_a_sentence_that_points_back_is_read_with_the_one_before():
    text = "Anne Roch dirige le chantier. Elle démissionne en 1952. Le port ferme."
    assert read(text, "Elle démissionne en 1952.") == (
        "Anne Roch dirige le chantier. Elle démissionne en 1952."
    )
    assert read(text, "Le port ferme.") == "Le port ferme."
    assert read("The valve leaks. It was made in 1990.", "It was made in 1990.") == (
        "The valve leaks. It was made in 1990."
    )


def test_what_is_shown_anyway_is_not_read_twice():
    text = "Anne Roch dirige le chantier. Elle démissionne en 1952."
    before = "Anne Roch dirige le chantier."
    assert read(text, "Elle démissionne en 1952.", [before]) == "Elle démissionne en 1952."


def test_the_title_leads_nothing_in_and_a_heading_does():
    text = "# Contrat de bail\n\nIl lie les parties.\n\n## Loyer\n\nIl s’élève à 685 €."
    assert read(text, "Il lie les parties.") == "Il lie les parties."
    assert read(text, "Il s’élève à 685 €.") == "Loyer : Il s’élève à 685 €."


def test_the_edge_of_a_code_block_leads_nothing_in():
    for mark in ("", "> "):
        code = f"{mark}```sh\n{mark}run\n{mark}```"
        text = f"Un guide.\n\n{mark}## Port\n\n{code}\n\nIl écoute sur le 80."
        assert read(text, "Il écoute sur le 80.").startswith("Port : Il écoute")


def test_a_long_sentence_before_is_cut_at_its_beginning():
    long = "Le conseil " + "examine longuement " * 30 + "la toiture."
    text = read(f"{long} Elle fuit.", "Elle fuit.")
    assert text.startswith("… ")
    assert text.endswith("la toiture. Elle fuit.")
    assert len(text) < 230


def test_a_list_of_questions_needs_no_title():
    text = "Combien coûte la carte ?\nRien avant 18 ans.\n\nEt après ?\nDouze euros par an."
    assert read(text, "Rien avant 18 ans.") == "Combien coûte la carte ? Rien avant 18 ans."


def test_a_sentence_whose_neighbours_are_not_known_is_read_alone():
    sentence = split_sentences(Document("d", "d", FAQ))[-1]
    assert passage(sentence, ()) == "Oui, une fois."
