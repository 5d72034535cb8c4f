import pytest

from qa.sentences import split_sentences
from qa.types import Document

PROSE = (
    "Le texte qui suit est une phrase bien plus longue, qui finit par un point. En voici une autre."
)


def _headings(text: str) -> list[str]:
    document = Document(id="essai.txt", title="essai", text=text)
    return [s.text for s in split_sentences(document) if s.heading]


def _between(line: str) -> str:
    return f"Une phrase précède.\n\n{line}\n\n{PROSE}"


@pytest.mark.parametrize(
    "line",
    [
        "LE LOYER EST DE 800 EUROS PAR MOIS",
        "LES CHIENS SONT INTERDITS DANS LE PARC",
        "LOYER 800 EUROS",
        "LOYER 1200 EUROS",
        "LOYER 1800 EUROS",
        "MENU ENFANT 9 €",
        "• MENU ENFANT 9€",
        "LUNDI 9 H – 12 H",
        "OUVERT DE 9H30 À 12H",
        "12 RUE DE LA PAIX, 75002 PARIS",
        "THE OFFICE WILL CLOSE AT NOON",
        "DIE KINDER SIND ZU HAUSE",
        "2. Le loyer est de 800 euros",
        "2) Le loyer est de huit cents euros",
        "a) Le loyer est de 800 euros",
        "- Le loyer est de 800 euros",
        "2.1 Le loyer est de huit cents euros",
        "IV. Le bail dure trois ans",
        "Article 4. Le bail dure trois ans",
        "Article 4 – Le bail dure 3 ans",
        "ARTICLE 4 : LE BAIL DURE TROIS ANS",
        "Le loyer est de 800 euros",
        "Le loyer est de huit cents euros",
        "Menu enfant 9 €",
        "Lundi 9 h – 12 h",
        "Lundi 9h-12h",
        "Le bail dure trois ans",
        "Léa : Le bail commence demain",
        "Peux-tu m'envoyer le contrat avant le 15 mars ?",
        "Pouvez-vous m'envoyer le contrat ?",
        "Venez-vous demain ?",
        "Léa : Qui vient ?",
    ],
)
def test_a_line_that_states_something_is_no_heading(line):
    assert _headings(_between(line)) == []


@pytest.mark.parametrize(
    "line",
    [
        "Article 4 – Durée",
        "Article 4",
        "ARTICLE 4 – DURÉE",
        "Article 3 – Ce qui est compris dans le loyer",
        "2. Modalités de paiement",
        "2. Comment est fixé le loyer",
        "5. Fête des vingt ans",
        "2.1 Ventes en France en 2024",
        "TARIFS 2025",
        "PHASE 3",
        "Pour vous inscrire",
        "PHASE 2 : TRAVAUX",
        "GARE DE L'EST À PARIS",
        "SAISON CULTURELLE DE L’EST",
        "WHAT IS INCLUDED IN THE PRICE",
        "Chapitre 3",
        "Chapitre IV : Le retour",
        "Horaires",
        "Élections de 2024",
        "Informations COVID-19",
        "Les éleveurs ne veulent pas payer",
        "Et maintenant ?",
        "# Le loyer est de 800 euros",
        "Q: How do I reset it?",
        "Annexe A. Tarifs",
        "FAQ. Questions fréquentes",
        "Nouveau ! La carte en ligne",
    ],
)
def test_a_heading_stays_one(line):
    assert _headings(_between(line)) == [line]


def test_a_first_line_is_a_headline_though_it_has_a_verb():
    for line in ("Budget 2024 : un exercice difficile", "La crue est partie, la colère reste"):
        assert _headings(f"{line}\n\n{PROSE}") == [line]


def test_a_first_line_in_which_a_sentence_ends_is_no_headline():
    line = "Le directeur a nommé Mme Leroy à la tête du service. Elle succède à"
    assert _headings(f"{line}\nM. Martin, qui a pris sa retraite au mois de mai. {PROSE}") == []


def test_a_line_of_a_quotation_is_no_heading_unless_it_is_marked():
    quoted = "> Peut-on se voir lundi pour le dossier ?\n> Merci de me dire.\n>\n> Paul"
    assert _headings(f"Oui.\n\n{quoted}\n\n{PROSE}") == [">"]
    assert _headings(f"> # Titre\n> {PROSE}") == ["> # Titre"]


def test_a_question_of_a_letter_is_no_heading():
    assert _headings("Peux-tu m'envoyer le contrat avant le 15 mars ?\nMerci,\nLéa") == []
    assert _headings(f"Bonjour,\n\nAvez-vous reçu la facture ?\n\n{PROSE}\n\nMerci,\nLéa") == []
    assert _headings("As-tu le contrat ?\nIl le faut.\n\nEt viendras-tu ?\nDis-le vite.") == []
    assert _headings("Avez-vous le contrat ?\nMerci,\n\nQui viendra ?\nCordialement,\nLéa") == []


def test_a_question_or_line_of_a_chat_is_no_heading():
    talk = "Léa : Tu as bien payé les 300 € hier ?\nTom : Oui, par virement, vers midi.\n"
    assert _headings(talk) == []
    assert _headings(talk + "Léa : Quand part-on ?\nTom : À huit heures, devant la gare.") == []
    assert _headings("Léa : On part ce soir\nTom : D'accord, je prends la voiture à la gare.") == []


def test_questions_head_their_answers():
    questions = ["Puis-je annuler sous 14 jours ?", "2. Combien coûte la carte ?"]
    text = f"{questions[0]}\nOui.\n\n{questions[1]}\nElle est gratuite."
    assert _headings(text) == questions
    assert _headings("Question 1 : Où signer ?\nIci.\n\nQuestion 2 : Quand ?\nDemain.") == [
        "Question 1 : Où signer ?",
        "Question 2 : Quand ?",
    ]


def test_the_only_question_heads_its_answer_unless_it_is_put_to_somebody():
    assert _headings("Puis-je annuler ?\nOui, sans frais.") == ["Puis-je annuler ?"]
    assert _headings("Pouvez-vous annuler ?\nOui, sans frais.") == []


def test_an_underlined_line_with_a_fact_is_no_heading():
    assert _headings("Le loyer est de 800 euros\n---\n\nFin du texte.") == ["---"]
    assert _headings("Rapport de 2024\n---\n\nFin du texte.") == ["Rapport de 2024", "---"]


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("## Directrice\n\nMarie Dupont\n\n## Adresse\n\nParis\n", ["Directrice", "Adresse"]),
        ("## Is parking free?\n\nYes\n\n## Hours\n\nAll day.\n", ["Is parking free?", "Hours"]),
    ],
)
def test_a_few_words_between_two_headings_are_what_the_first_is_about(text, headings):
    assert [heading.strip("# ") for heading in _headings(text)] == headings
