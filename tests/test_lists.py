"""What names an item, a row or a part of a document, above it."""

import random

import pytest

from qa.lists import heads, lead, leads, named_cells
from qa.sentences import split_sentences
from qa.types import Document


def led(text):
    """Return {sentence: what names it above} of those that have such a thing."""
    sentences = split_sentences(Document("d", "d", text))
    above = list(leads(sentences))
    assert above == [lead(sentence, sentences) for sentence in sentences]
    return {s.text: a.sentence.text for s, a in zip(sentences, above, strict=True) if a is not None}


def test_a_list_is_led_in_by_the_line_that_ends_in_a_colon():
    text = (
        "Ne le prenez jamais si :\n- vous êtes allergique ;\n- vous avez moins de 6 ans.\n"
        "Appelez un médecin si ces signes durent plus de trois jours.\n\n"
        "En cas de doute :\n\na) relisez la notice ;\nb) demandez."
    )
    assert led(text) == {
        "- vous êtes allergique ;": "Ne le prenez jamais si :",
        "- vous avez moins de 6 ans.": "Ne le prenez jamais si :",
        "a) relisez la notice ;": "En cas de doute :",
        "b) demandez.": "En cas de doute :",
    }


def test_a_list_is_led_in_by_a_line_without_a_mark():
    text = (
        "Le vent était fort.\nCroiseurs A, 18 milles\n1. Anouk Lestrevel, 2 h 14\n"
        "2. Mathurin Gosselain, 2 h 19\nCroiseurs B, 14 milles\n1. Clémence Ratovel, 2 h 12\n"
    )
    assert led(text) == {
        "1. Anouk Lestrevel, 2 h 14": "Croiseurs A, 18 milles",
        "2. Mathurin Gosselain, 2 h 19": "Croiseurs A, 18 milles",
        "1. Clémence Ratovel, 2 h 12": "Croiseurs B, 14 milles",
    }


def test_an_item_of_several_sentences_does_not_end_its_list():
    text = "Il faut :\n- payer. Les chèques sont refusés.\n- signer.\n"
    assert led(text) == {
        "- payer.": "Il faut :",
        "Les chèques sont refusés.": "- payer.",
        "- signer.": "Il faut :",
    }


def test_only_what_is_short_and_on_its_line_needs_its_item():
    text = (
        "Il faut :\n- payer.\n- signer. Les élèves de moins de seize ans font signer leurs parents "
        "ou un autre adulte. Cela suffit.\n- attendre\nInscription obligatoire.\n\nCela suffit.\n"
    )
    items = ("- payer.", "- signer.", "- attendre")
    assert led(text) == dict.fromkeys(items, "Il faut :")


@pytest.mark.parametrize(
    "text",
    [
        "Il faut :\n\n## Frais\n\n- payer.\n",
        "Il a dit : « Bien. » Puis il est parti. Nul ne le revit.\n- Payer.\n",
        "Il faut :\nPayer. Signer.\n- Attendre.\n",
        "- Payer.\n- Signer.\n",
        "Contacts utiles.\n- Marie Dupont\n06 12 34 56 78\n- Paul Martin\n06 98 76 54 32\n",
        "Des villes.\nVille | Mai | Juin\nParis | 30 | 31\n- chiffres provisoires\n",
        "> - vous êtes malade\n- je viens quand même\n",
    ],
)
def test_what_stands_between_ends_what_leads_in(text):
    assert not {item for item in led(text) if item.startswith("-")}


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (  # a paragraph between two lists
            "N'en prenez pas si :\n- vous toussez ;\n\nLes doses sont celles-ci.\n\n- Adultes : 2.",
            "- Adultes : 2.",
        ),
        (
            "Ordre du jour :\n- travaux\n\nFait à Lyon.\n\n- Paul Martin, président",
            "- Paul Martin, président",
        ),
        ("Il faut :\n1. payer\n2. signer\n\n1. Accueil", "1. Accueil"),  # it begins anew
        ("Sont interdits :\n- les chiens\nSont admis\n- les chats", "- les chats"),
        ("Apportez :\n- de l'eau ;\n- un fruit ;\nmais pas\n- d'alcool", "- d'alcool"),
        ("Agences :\n- Lyon\n  12 rue Neuve\n  69001 Lyon\n- Paris", "- Paris"),
        ("Ne prenez pas :\n- d'aspirine\n  - paracétamol possible", "- paracétamol possible"),
        ("Il est interdit :\n- de fumer\n- de boire\n\n• Accueil : 8 h", "• Accueil : 8 h"),
        ("Il faut :\n1. Un dossier. Il comprend :\n- une photo\n2. Un stylo", "2. Un stylo"),
        ("Exclus :\n- les animaux. Sont admis :\n  - les chats\n- les vélos", "- les vélos"),
        ("Elle demanda :\n- Tu as payé la facture ?\n- Oui, hier.", "- Oui, hier."),
        ("Il est interdit :\n- d'entrer, sauf :\n- les chiens\n- de sortir", "- de sortir"),
        (
            "Marie demanda :\n— Où est Paul ?\n— Je ne sais pas, répondit Jean.",
            "— Je ne sais pas, répondit Jean.",
        ),
    ],
)
def test_in_doubt_nothing_leads_in(text, lost):
    assert lost not in led(text)
    assert led(text)


def test_each_list_in_another_is_told_by_how_far_in_it_stands():
    text = "Interdits :\n- chiens, sauf\n  - guides :\n    - en laisse\n  - policiers\n- chats\n"
    assert led(text) == {
        "- chiens, sauf": "Interdits :",
        "- en laisse": "- guides :",
        "- chats": "Interdits :",
    }
    flat = "- Interdits :\n  - chiens, sauf\n    - guides\n  - chats\n"
    inner = ("- chiens, sauf", "- chats")
    assert led(flat) == dict.fromkeys(inner, "- Interdits :")


def test_what_is_said_in_a_dialogue_is_no_list():
    text = "— Rodolphe est un ami, mais il se trompe. Je le lui ai dit.\n— Et la place ?\n"
    assert led(text) == {}


def test_an_inner_list_is_led_in_by_its_item_and_the_outer_one_goes_on():
    text = "Préparez :\n1. la pâte :\n- 200 g de farine\n- un œuf\n2. la garniture\n"
    assert led(text) == {
        "1. la pâte :": "Préparez :",
        "- 200 g de farine": "1. la pâte :",
        "- un œuf": "1. la pâte :",
        "2. la garniture": "Préparez :",
    }


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (
            "Sont interdits :\n- les animaux, sauf :\n  - les chiens guides ;\n- les vélos ;",
            {"- les chiens guides ;": "- les animaux, sauf :", "- les vélos ;": "Sont interdits :"},
        ),
        (
            "Il ne peut exiger :\na) un dépôt, sauf :\n(i) s'il est meublé ;\nb) un chèque.",
            {
                "(i) s'il est meublé ;": "a) un dépôt, sauf :",
                "b) un chèque.": "Il ne peut exiger :",
            },
        ),
        (
            "Sont admis :\n1. les chiens, sauf :\n- ceux de catégorie :\n2. les chats",
            {"2. les chats": "Sont admis :"},
        ),
        ("Il faut :\n- manger.\nEffets rares :\n- toux.", {"- toux.": "Effets rares :"}),
        (
            "(b) the monthly fee, being:\n(i) the rent;\n(ii) the water;\n(c) taxes.",
            {"(ii) the water;": "(b) the monthly fee, being:"},
        ),
        ("Sont admis :\n- **Animaux :**\n  * chiens", {"* chiens": "- **Animaux :**"}),
        ("Sont exclus, sauf :\n- les animaux :\n- les chiens", {"- les chiens": "- les animaux :"}),
    ],
)
def test_an_inner_list_is_led_in_by_what_stands_right_above(text, inner):
    assert inner.items() <= led(text).items()


def test_the_row_above_a_rule_names_the_columns_of_all_rows_below():
    text = "| An | 2023 | 2024 |\n|---|--:|--:|\n| Visites | 12 | 15 |\n| Prêts | 7 | 9 |\n\nFin."
    names = "| An | 2023 | 2024 |"
    assert led(text) == {"| Visites | 12 | 15 |": names, "| Prêts | 7 | 9 |": names}


def test_without_a_rule_three_columns_without_a_number_are_names():
    text = (
        "Jour | Matin | Soir\nLundi | 9 h | 18 h\nMardi | 10 h | 19 h\n\n"
        "Des vélos.\nMarque | Ostrel\nPoids | 3 kg"
    )
    names = "Jour | Matin | Soir"
    assert led(text) == {"Lundi | 9 h | 18 h": names, "Mardi | 10 h | 19 h": names}


def test_cells_are_read_with_the_names_of_their_columns():
    assert named_cells("| Réf. | Prix | |", "| A-1 | 46,50 | neuf |") == (
        "Réf. : A-1 ; Prix : 46,50 ; neuf"
    )
    assert named_cells("Jour | Matin | Soir", "Lundi | | 18 h") == "Jour : Lundi ; Soir : 18 h"


def test_a_part_that_tells_a_fact_is_no_heading_but_names_what_follows():
    text = "Résolution 4 – Mandat du syndic (art. 25)\n\nPour : 521 – Contre : 187.\n"
    both = first, second = split_sentences(Document("d", "d", text))
    assert not first.heading
    assert heads(first, both)
    assert not heads(second, both)
    agenda = "* Résolution 1 – Comptes, 12 €\n* Résolution 2 – Travaux, 9 €\n\n"
    agenda += "Partie 1 : 20 points\nPartie 2 : 8\n"
    listed = split_sentences(Document("d", "d", agenda))
    assert not any(heads(one, listed) for one in listed)


def test_a_long_table_is_named_to_its_end():
    rows = "\n".join(f"Ville {n} | {n} | {n + 1}" for n in range(300))
    named = led(f"Ville | Hommes | Femmes\n{rows}")
    assert len(named) == 300


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Jour | Matin | Soir\nLundi | 9 h | 18 h\n\nNom | Âge | Ville\nPaul | 12 | Lyon", 2),
        ("| Hommes | Femmes | Total\nLyon | 12 | 15 | 27", 1),  # an empty corner
        ("Président | Jean Dupont | jean@ex.fr\nTrésorière | Anne Roux | 06 11 22 33 44", 0),
        ("Lundi | Piscine | fermée\nMardi | Piscine | 9 h – 18 h", 0),
        ("| Produit | Qté | Prix |\n|---|---|---|\n| Vis | 3 | 6 € |\n| Total | 6 € |", 1),
        ("Pain | 2 €\n---\nLait | 1 €", 0),
        ("Jean Dupont | Directeur | Lyon\nMarie Roux | Comptable | Paris", 0),  # no names there
        ("`cat journal | grep erreur | wc`\n`ls dossier | sort | head -3`", 0),
        ("P(A | B) = x | y | z\nP(C | D) = 3 | 4 | 5", 0),
        ("> | Ville | Mai |\n> |---|---|\n> | Lyon | 12 |", 1),
        ("Taille | Poids\n------+------\n12 | 15", 1),
    ],
)
def test_tables_begin_and_end(text, named):
    assert len(led(text)) == named


def test_an_empty_corner_shifts_no_column():
    assert named_cells("| Hommes | Femmes", "Lyon | 12 | 15") == "Lyon ; Hommes : 12 ; Femmes : 15"


def test_letters_go_on_after_h():
    items = "".join(f"{letter}) chose {letter}\n" for letter in "abcdefghij")
    assert len(led(f"Il faut :\n{items}")) == 10


SHAPES = (
    *("- un", "- deux :", "  - trois", "1. un", "2. deux", "a) un ;", "(i) un", "— Oui.", "– un ;"),
    *("Il faut :", "Un titre", "Une phrase. Une autre.", "une suite", "## Titre", "", "> - cité"),
    *("a | b | c", "1 | 2 | 3", "| A | B |", "|---|---|", "-----+-----", "- `a | b` : un", "Non."),
)


@pytest.mark.parametrize("seed", range(12))
def test_one_sentence_is_named_as_it_is_among_all(seed):
    draw = random.Random(seed)
    led("\n".join(draw.choices(SHAPES, k=260)))  # compares both
