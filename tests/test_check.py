import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import HashEncoder, ScriptedEntailment
from qa.check import check, clean, quotation, quotations
from qa.entail import Verdict, open_entailment
from qa.types import Citation
from tiny_cross import tiny_cross_encoder


def cited(text, start=0):
    return Citation("a.txt", "Essai", None, start, start + len(text), text, 0.9)


TROOPS = cited("Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie.")
SPEAKER = cited("Le porte-parole, le général Yahya Rasoul, a parlé à Bagdad.", 100)
ENCODER = HashEncoder()
STATEMENTS = Path(__file__).parent / "data" / "statements.toml"


@pytest.mark.parametrize(
    "case",
    tomllib.loads(STATEMENTS.read_text(encoding="utf-8"))["case"],
    ids=lambda case: case["said"],
)
def test_a_statement_is_shown_if_its_sentences_say_it(case):
    sources = tuple(cited(text, 1000 * place) for place, text in enumerate(case["sentences"]))
    checked = check(case["said"], sources, ENCODER)
    as_it_is = [s for s in checked.statements if s.support != "quoted"]
    assert bool(as_it_is) is case["shown"]


@pytest.mark.parametrize(
    ("draft", "support"),
    [
        ("2500 soldats.", "supported"),
        ("2 500", "supported"),
        ("Environ 2500 soldats sont en Irak.", "supported"),
        ("3500 soldats.", "quoted"),
        ("2500 soldats en 2014.", "quoted"),
        ("2500 soldats au Koweït.", "quoted"),
        ("Une grande parade militaire nocturne.", "quoted"),
    ],
)
def test_numbers_dates_and_names_must_be_in_the_cited_sentences(draft, support):
    (statement,) = check(draft, (TROOPS,), ENCODER).statements
    assert statement.support == support
    assert statement.citations == (TROOPS,)


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Le nouveau siège social est à Paris.", "Le siège social est dirigé par Jean Valjean."),
        ("La réunion est chez Marie le soir.", "La réunion est mardi soir chez le maire."),
        ("Le chef du projet est Martin.", "Le chef du projet est allé au marché."),
        ("Le repas est à Danstown.", "Le repas est dans la salle."),
    ],
)
def test_a_name_is_no_other_word_that_begins_like_it(statement, source):
    (checked,) = check(statement, (cited(source),), ENCODER).statements
    assert checked.support == "quoted"


@pytest.mark.parametrize(
    ("statement", "source", "support"),
    [
        ("Le dépôt est remboursable.", "Le dépôt de garantie n'est pas remboursable.", "quoted"),
        ("Le dépôt n'est pas remboursable.", "Le dépôt n’est pas remboursable.", "supported"),
        ("The deposit is refundable.", "The deposit is not refundable.", "quoted"),
        ("The deposit isn't refundable.", "The deposit is refundable.", "quoted"),
        ("Les animaux sont admis.", "Aucun animal n'est admis dans les chambres.", "quoted"),
        (
            "Les espèces et les chèques.",
            "Les espèces et les chèques ne sont pas admis.",
            "supported",
        ),
        ("Il est remboursable sur demande.", "Il n'est remboursable que sur demande.", "supported"),
    ],
)
def test_what_the_sentences_deny_is_not_said(statement, source, support):
    (checked,) = check(statement, (cited(source),), ENCODER).statements
    assert checked.support == support


def test_what_an_entailment_model_upholds_denies_nothing():
    source = cited("Il n'est pas interdit de fumer.")
    upheld = ScriptedEntailment(Il=Verdict(0.9, 0.05))
    (checked,) = check("Il est interdit de ne pas fumer.", (source,), ENCODER, upheld).statements
    assert checked.support == "supported"


def test_numbers_of_two_sentences_make_no_third_one():
    one, other = cited("Studio pour 1"), cited("200 € par mois", 20)
    (statement,) = check("Le studio est à 1 200 € par mois.", (one, other), ENCODER).statements
    assert statement.support == "quoted"
    (statement,) = check("Studio pour 1 : 200 € par mois.", (one, other), ENCODER).statements
    assert statement.support == "supported"
    wrapped = cited("Le loyer est de 1\n500 euros.")
    (statement,) = check("1500 euros.", (wrapped,), ENCODER).statements
    assert statement.support == "supported"


@pytest.mark.parametrize(
    ("statement", "source", "support"),
    [
        ("15 €.", "La prime est de 15 k€.", "quoted"),
        ("15 000 €.", "La prime est de 15 k€.", "supported"),
        ("17h30.", "La séance est levée à 17 h 30.", "supported"),
        ("20,00 €.", "L'entrée est à 20 €.", "supported"),
    ],
)
def test_a_number_is_proved_by_its_value(statement, source, support):
    (checked,) = check(statement, (cited(source),), ENCODER).statements
    assert checked.support == support


def test_names_with_an_apostrophe_and_of_short_answers_are_checked():
    signed = cited("The lease was signed by Sean O'Brien in the presence of the notary.")
    (statement,) = check("It was signed by Sean O’Brien.", (signed,), ENCODER).statements
    assert statement.support == "supported"
    (statement,) = check("Sean Smith.", (signed,), ENCODER).statements
    assert statement.support == "quoted"


def test_a_replaced_statement_is_the_sentence_itself_and_is_named():
    checked = check("9999 soldats.", (TROOPS,), ENCODER)
    assert checked.statements[0].text == f"« {TROOPS.text} »"
    assert "9999" in checked.notices[0]


def test_each_statement_keeps_only_the_sentences_that_it_needs():
    checked = check(
        "2500 soldats en Irak. Le général Yahya Rasoul a parlé.", (TROOPS, SPEAKER), ENCODER
    )
    assert [statement.citations for statement in checked.statements] == [(TROOPS,), (SPEAKER,)]


def test_a_statement_over_two_sentences_cites_both():
    checked = check("Yahya Rasoul parle des 2500 soldats.", (TROOPS, SPEAKER), ENCODER)
    assert checked.statements[0].citations == (TROOPS, SPEAKER)


def test_what_was_read_beside_a_sentence_is_cited_where_it_proves_the_rest():
    draft = "2500 soldats, selon Yahya Rasoul."
    troops = cited(TROOPS.text, 200)
    (statement,) = check(draft, (troops,), ENCODER).statements
    assert statement.support == "quoted"
    (statement,) = check(draft, (troops,), ENCODER, None, (SPEAKER,)).statements
    assert (statement.text, statement.citations) == (draft, (troops, SPEAKER))
    (statement,) = check("2500 soldats.", (troops,), ENCODER, None, (SPEAKER,)).statements
    assert statement.citations == (troops,)


def test_a_name_of_the_sentence_before_is_cited_with_the_sentence_that_leans_on_it():
    named = cited("Amina Belkadi préside le collectif.", 10)
    asks = cited("Elle réclame une analyse des suies.", 50)
    other = cited("Le maire, lui, attend.", 90)
    (statement,) = check("Amina Belkadi.", (other, asks), ENCODER, None, (named,)).statements
    assert statement.citations == (asks, named)


def test_what_the_writer_did_not_find_beside_what_it_found_is_left_out():
    checked = check("2500 soldats. Introuvable.", (TROOPS,), ENCODER)
    assert [statement.text for statement in checked.statements] == ["2500 soldats."]
    assert not checked.refused
    assert "did not find a part" in checked.notices[0]
    named = check("Pertes : introuvable. Effectif : 2500 soldats.", (TROOPS,), ENCODER)
    assert [statement.text for statement in named.statements] == ["Effectif : 2500 soldats."]
    assert check("Pertes : introuvable.", (TROOPS,), ENCODER).refused
    said = cited("Auteur : introuvable.", 10)
    assert not check("Auteur : introuvable.", (said,), ENCODER).refused
    talk = "Le texte ne précise pas la date. Il parle de 2500 soldats."
    assert check(talk, (TROOPS,), ENCODER).refused


@pytest.mark.parametrize(
    "draft",
    [
        "",
        "   ",
        "[1]",
        "Le texte ne contient pas la réponse.",
        "The text does not say.",
        "Je ne sais pas.",
    ],
)
def test_nothing_or_the_writers_own_refusal_gives_no_statement(draft):
    checked = check(draft, (TROOPS,), ENCODER)
    assert checked.statements == ()
    assert checked.refused


def test_a_failed_statement_is_quoted_once():
    checked = check("9999 chars. 8888 avions.", (TROOPS,), ENCODER)
    assert len(checked.statements) == 1


@pytest.mark.parametrize(
    ("draft", "text"),
    [
        ("Réponse : 2500 [1].", "2500."),
        ("**2500** soldats【1】", "2500 soldats"),
        ("« 2500 soldats ».", "2500 soldats"),
        ("Il dit « non » et « oui »", "Il dit « non » et « oui »"),
    ],
)
def test_what_models_put_around_an_answer_is_taken_away(draft, text):
    assert clean(draft) == text


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        ("La première case est data[0].", "La première case est data[0], la suivante data[1]."),
        ("Il faut `__init__.py` [1].", "Il faut __init__.py dans chaque dossier."),
        ("Le mot de passe est **a**b__c**.", "Le mot de passe est a**b__c."),
    ],
)
def test_what_the_sentence_writes_so_is_no_marker_and_no_emphasis(draft, source):
    (statement,) = check(draft, (cited(source),), ENCODER).statements
    assert statement.support == "supported"
    assert statement.text.split()[-1].strip("[1].") in source
    assert "`" not in statement.text


@pytest.mark.parametrize("draft", ["Non.", "No, it is not.", "Jamais.", "Tous.", "Elle."])
def test_a_bare_no_is_not_said_of_a_sentence_that_denies_nothing(draft):
    admitted = cited("Les animaux sont admis dans les chambres.")
    (statement,) = check(draft, (admitted,), ENCODER).statements
    assert statement.support == "quoted"


@pytest.mark.parametrize(
    "source",
    [
        "Les animaux ne sont pas admis.",
        "La plupart des animaux sont admis.",
        "Seuls les chiens guides sont admis.",
        "Dogs are excluded.",
        "La maison est fermée le dimanche.",
    ],
)
def test_a_bare_no_is_said_of_a_sentence_that_denies_or_limits(source):
    (statement,) = check("Non.", (cited(source),), ENCODER).statements
    assert (statement.text, statement.support) == ("Non.", "partly")


def test_a_bare_no_is_cited_with_the_first_sentence_that_denies_alone():
    texts = ("Les animaux sont admis.", "Ils dorment ici.", "Rien n’est servi.", "Pas de bruit.")
    several = tuple(cited(text, 40 * place) for place, text in enumerate(texts))
    (statement,) = check("Non.", several, ENCODER, needed=lambda text, among: among[:1]).statements
    assert [citation.text for citation in statement.citations] == ["Rien n’est servi."]


@pytest.mark.parametrize(
    ("draft", "source"),
    [
        ("Il fait 5 °C.", "Il fait -5 °C."),
        ("Il fait moins 5 degrés.", "Il fait 5 °C."),
        ("La remise est de 10 %.", "La remise est de 10 €."),
        ("5 g de sel.", "5 mg de sel."),
    ],
)
def test_a_number_keeps_the_unit_and_the_sign_that_it_has_in_its_sentence(draft, source):
    (statement,) = check(draft, (cited(source),), ENCODER).statements
    assert statement.support == "quoted"
    (statement,) = check(source, (cited(source),), ENCODER).statements
    assert statement.support == "supported"


def test_a_marker_is_taken_away_though_the_sentences_have_their_own():
    source = cited("La ville est ancienne[1]. Le pont date de 1990.")
    (statement,) = check("Le pont date de 1990 [1].", (source,), ENCODER).statements
    assert statement.text == "Le pont date de 1990."


def test_what_several_documents_say_in_the_same_words_is_quoted_once():
    text = "Le pass coûte 12 euros par mois."
    same = [
        replace(cited(wrapped), document=name)
        for name, wrapped in (
            ("a.txt", text),
            ("b.txt", text),
            ("c.txt", text.replace("12 euros", "12\neuros")),
        )
    ]
    first, second = quotations([same[0], TROOPS, *same[1:]])
    assert (first.text, first.citations) == (f"« {text} »", tuple(same))
    assert second == quotation(TROOPS)


def test_a_quotation_that_holds_quotation_marks_uses_others():
    inner = cited("Il a dit « non ».")
    assert quotation(inner).text == "“Il a dit « non ».”"


YES, NO = Verdict(0.9, 0.05), Verdict(0.05, 0.9)
# Of TROOPS' words, half: partly by words alone. None: not proved. Nearly all: supported.
HALF, NONE, MOST = (
    "Soldats américains déployés là-bas en Irak",
    "Une grande parade militaire",
    "Environ soldats déploient en Irak",
)


@pytest.mark.parametrize(
    ("draft", "verdict", "support"),
    [
        (HALF, None, "partly"),
        (HALF, YES, "supported"),
        (HALF, NO, "quoted"),
        (HALF, Verdict(0.4, 0.4), "partly"),
        (NONE, None, "quoted"),
        (NONE, YES, "partly"),
        (MOST, None, "supported"),
        (MOST, NO, "quoted"),
        # Numbers and names are not for the model to judge.
        ("Soldats 3500 en Irak", YES, "quoted"),
        ("Soldats au Koweït déployés", YES, "quoted"),
    ],
)
def test_an_entailment_model_upholds_and_its_contradiction_fails(draft, verdict, support):
    first = draft.split()[0]
    entailment = ScriptedEntailment(**({first: verdict} if verdict else {}))
    (statement,) = check(draft, (TROOPS,), ENCODER, entailment).statements
    assert statement.support == support
    if verdict is None:
        (without,) = check(draft, (TROOPS,), ENCODER).statements
        assert without == statement


def test_the_model_is_asked_about_the_cited_sentences_and_sentences_alone():
    entailment = ScriptedEntailment()
    check(
        "2500 soldats. Yahya Rasoul parle des 2500 soldats.", (TROOPS, SPEAKER), ENCODER, entailment
    )
    assert entailment.pairs == [
        (f"{TROOPS.text} {SPEAKER.text}", "Yahya Rasoul parle des 2500 soldats.")
    ]


def test_a_model_that_cannot_be_loaded_leaves_the_words_and_is_named(tmp_path):
    folder = tiny_cross_encoder(tmp_path / "damaged")
    entailment = open_entailment(str(folder))
    (folder / "model.safetensors").write_bytes(b"{nothing")
    checked = check("2500 soldats sont en Irak.", (TROOPS,), ENCODER, entailment)
    assert [statement.support for statement in checked.statements] == ["supported"]
    assert "damaged" in checked.notices[0]
