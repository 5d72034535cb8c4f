from qa.passages import leans_on, passage
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


def test_an_item_is_read_with_what_leads_its_list_in_once():
    text = "Ne le prenez pas si :\n- vous êtes asthmatique ;\n- vous conduisez.\n"
    assert read(text, "- vous êtes asthmatique ;") == (
        "Ne le prenez pas si : - vous êtes asthmatique ;"
    )
    both = ["- vous êtes asthmatique ;", "- vous conduisez."]
    assert read(text, both[0], both) == "Ne le prenez pas si : - vous êtes asthmatique ;"
    assert read(text, both[1], both) == "- vous conduisez."


def test_a_short_sentence_of_an_item_is_read_with_it():
    text = (
        "- Véhicule de prêt : gratuit trois jours. Le carburant reste à votre charge. Il est rendu."
    )
    assert read(text, "Le carburant reste à votre charge.") == (
        "- Véhicule de prêt : gratuit trois jours. Le carburant reste à votre charge."
    )
    assert read(text, "Il est rendu.") == "Le carburant reste à votre charge. Il est rendu."


def test_a_title_of_items_is_read_with_a_colon():
    text = "Un vent fort.\nCroiseurs A, 18 milles\n1. Anouk Roch, 2 h 14\n2. Ysolde Parmentel, 3 h"
    assert read(text, "2. Ysolde Parmentel, 3 h") == (
        "Croiseurs A, 18 milles : 2. Ysolde Parmentel, 3 h"
    )


def test_a_row_is_read_with_the_names_of_its_columns_beside_others_too():
    rows = ["| Huile | 5 | 49,00 |", "| Filtre | 1 | 11,90 |"]
    text = "| Pièce | Qté | Total |\n|---|--:|--:|\n" + "\n".join(rows)
    for row, cells in zip(
        rows, ["Huile ; Qté : 5 ; Total : 49,00", "Filtre ; Qté : 1 ; Total : 11,90"], strict=True
    ):
        assert read(text, row, rows) == f"Pièce : {cells}"


def test_a_reply_is_read_with_its_question():
    text = "Le maire s’explique. Quand la piscine rouvrira-t-elle ? Pas avant septembre. On verra."
    assert read(text, "Pas avant septembre.") == (
        "Quand la piscine rouvrira-t-elle ? Pas avant septembre."
    )
    assert read(text, "On verra.") == "On verra."


def test_what_follows_a_part_is_read_with_its_name_and_the_next_part_is_not():
    text = (
        "PROCÈS-VERBAL\n\nLes présents ont voté.\n\nRésolution 4 – Syndic (art. 25)\n\nAdoptée.\n\n"
        "Résolution 5 – Budget 2025 : 88 000 €\n\nRejetée.\n"
    )
    assert read(text, "Adoptée.") == "Résolution 4 – Syndic (art. 25) : Adoptée."
    assert read(text, "Rejetée.") == "Résolution 5 – Budget 2025 : 88 000 € : Rejetée."
    assert "Résolution 4" not in read(text, "Résolution 5 – Budget 2025 : 88 000 €")


def test_what_names_a_sentence_may_be_cited_beside_it():
    text = "Ne le prenez pas si :\n- vous toussez ;\n- vous conduisez.\n\nA | B | C\nx | 1 | 2"
    sentences = split_sentences(Document("d", "d", text))
    named = {s.text: one.text for s in sentences if (one := leans_on(s, sentences))}
    assert named == {
        "- vous toussez ;": "Ne le prenez pas si :",
        "- vous conduisez.": "Ne le prenez pas si :",
        "x | 1 | 2": "A | B | C",
    }
