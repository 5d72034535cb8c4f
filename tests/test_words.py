"""Words: what counts as the same word, number or name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.words import (
    content_words,
    contradicts,
    fold,
    language,
    mismeasures,
    names,
    numbers,
    stems,
    terms,
    tokens,
    told_language,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Élève", "eleve"),
        ("E\u0301le\u0300ve", "eleve"),
        ("L’Œuvre", "l'oeuvre"),
        ("ﬁn", "fin"),
        ("STRASSE Straße", "strasse strasse"),
        ("हिन्दी", "हिन्दी"),
        ("ré\u00adsi\u00adlier", "resilier"),
    ],
)
def test_folding_drops_case_accents_and_typography(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("L'après-midi, jusqu’à l’aube", "apres midi a aube"),
        ("Qu’a-t-il dit aujourd'hui ?", "a il dit aujourdhui"),
        ("les États-Unis", "les etats unis"),
        ("John's don't O'Brien I'd", "john dont obrien i"),
        ("the U.S. Army", "the us army"),
        ("G20, 1er, 20h30, 2500¹ m²", "g20 1er 20h30 2500 m"),
        ("1½ l, 2⅓ l", "1.5 l 2 1⁄3 l"),
        ("日本の", "日本 本の"),
        (
            "La ré\u00adsi\u00adlia\u00adtion de l’abon\u200bne\u200dment",
            "la resiliation de abonnement",
        ),
        ("", ""),
    ],
)
def test_tokens_split_elisions_and_hyphens(text: str, words: str) -> None:
    assert tokens(text) == words.split()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1 200,50", "1200.50"),
        ("1\u202f200,50 €", "1200.50"),
        ("1\u00a0200\u00a0000", "1200000"),
        ("1,200.50", "1200.50"),
        ("2.500", "2500"),
        ("3,5", "3.5"),
        ("0,125", "0.125"),
        ("٢٥٠٠", "2500"),
    ],
)
def test_a_number_is_one_token_however_it_is_grouped(text: str, number: str) -> None:
    assert tokens(text) == [number]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("américaines", "americain"),
        ("l'armée irakienne", "armées irakiennes"),
        ("soldats", "SOLDAT"),
        ("attacked", "attacks"),
        ("the soldiers", "soldier"),
        ("ré\u00adsi\u00adlia\u00adtion", "résiliation"),
        ("chevaux", "cheval"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stems(one) == stems(other) != []


# fmt: off
PIECES = st.sampled_from([
    "L'armée", "l’œuvre", "a-t-il", "va", "-t", "t", "U.S.", "1", "200", "200,5", "1.200", "12²",
    "m²34", "²345", "٣", "٣٣٣", "½", "⑴", "漢字かな", "etc.", "«", "Bon", "»…", "www.a.fr", "don't",
    "É", "e\u0301", "\u0301", "Straße", "mot", "mots.", "MOTS,", "20h30", "1\u202f000",
    "ré\u00adsi", "\u200b", "1\u200b 200",
])
# fmt: on


@given(st.lists(PIECES | st.sampled_from(" \n\u00a0\u202f\u2009\x1c") | st.text(), max_size=20))
def test_pieces_between_spaces_have_the_stems_of_the_whole(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = [one for match in terms._matches(text) for one in terms._words(match)]
    assert stems(text) == [stem for word in whole if (stem := terms._stem(word))]


def test_function_words_have_no_stem_and_numbers_keep_theirs() -> None:
    assert stems("Combien de soldats ont-ils dans les 2 500 ?") == ["soldat", "2500"]
    assert content_words("Combien de soldats ont-ils dans les 2 500 ?") == {"soldat"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("trois soldats", "3"),
        ("vingt et un", "21"),
        ("twenty-one", "21"),
        ("soixante et onze ; quatre-vingts ; quatre-vingt-dix-sept", "71 80 97"),
        ("dix-sept", "17"),
        ("deux cent cinquante mille", "250000"),
        ("two hundred and five", "205"),
        ("mille neuf cent quatre-vingt-quatre", "1984"),
        ("deux ou trois, quatre", "2 3 4"),
        ("quatre et cinq", "4 5"),
        ("3,50 M€ et 2,5 Md€", "3500000 2500000000"),
        ("15 k€, £1.5m, $2 bn et 12 m", "15000 1500000 2000000000 12"),
        ("3 € 50 m 5 €", "3 50 5"),
        ("3 millions de 7 personnes", "3000000 7"),
        ("un million", "1000000"),
        ("1½ l ou 12¾ h", "1.5 12.75"),
        ("trois millions et demi, 2 milliards et demi", "3500000 2500000000"),
        ("two and a half million, a million and a half", "2500000 1500000"),
        ("two thousand and five", "2005"),
        ("two thousand and twenty-five people", "2025"),
        ("between two thousand and three thousand", "2000 3000"),
        ("between one thousand and two, between one hundred thousand and five", "1000 2 100000 5"),
        ("from two thousand and five to two thousand and ten", "2005 2010"),
        ("entre deux mille et trois mille", "2000 3000"),
        ("10 pour cent, dix pour cent", "10"),
        ("20h30", "20 30"),
        ("2e étage, 1er rang", "1 2"),
        ("article 121-3", "121 3"),
        ("version 1.2.3", "1.2.3"),
        ("12,0", "12"),
        ("une attaque au G20", ""),
        ("9" * 40, "9" * 40),
    ],
)
def test_numbers_in_figures_and_words_are_written_the_same(text: str, found: str) -> None:
    assert numbers(text) == set(found.split())


@pytest.mark.parametrize(
    "text", ["le 12 mars 2024", "12/03/2024", "2024-03-12", "March 12, 2024", "12 March 2024"]
)
def test_a_date_has_the_same_parts_however_it_is_written(text: str) -> None:
    assert numbers(text) == {"12", "month 3", "2024"}


def test_a_month_that_is_spelt_like_a_number_is_none() -> None:
    assert numbers("5 sept. 2024") == numbers("5 septembre 2024") == {"5", "month 9", "2024"}


@pytest.mark.parametrize(
    ("one", "other", "contrary"),
    [
        ("Les charges sont comprises.", "Les charges ne sont pas comprises.", True),
        ("Elle peut être annulée.", "Elle ne peut pas être annulée.", True),
        ("It can be cancelled.", "It cannot be cancelled.", True),
        ("Add vinegar.", "Never add vinegar.", True),
        ("Les animaux sont admis.", "Aucun animal n’est admis.", True),
        ("Il est garanti.", "Jamais garanti.", True),
        ("Ce n'est pas seulement cher.", "C'est cher.", False),
        ("Aucune victime.", "L'accident n'a fait aucune victime.", False),
        ("Les charges ne sont pas comprises.", "Charges non comprises.", False),
        ("Elle travaille à Lyon.", "Elle ne travaille plus à Paris mais à Lyon.", False),
        ("Guide dogs are allowed.", "Pets are not allowed, but guide dogs are.", False),
        ("Two hours at most.", "It does not last more than two hours.", False),
        ("5 pages.", "It must be no longer than 5 pages.", False),
        ("Chacun peut emprunter trois livres.", "Personne ne peut emprunter que ceux-là.", False),
        ("Il garde les plus beaux.", "Il ne garde que les plus beaux.", False),
        ("L'hôtel est à deux pas.", "L'hôtel n'est qu'à deux pas.", False),
        ("It is covered.", "Tyres are not covered; the engine is covered.", False),
        ("Le vol est couvert.", "La garantie ne comprend pas le vol.", False),  # no shared verb
        ("The tenant pays.", "It is due whether or not the tenant pays.", False),
        ("La gare est proche.", "À deux pas de la gare.", False),
        ("Non.", "Ce n'est pas permis.", False),
    ],
)
def test_a_text_is_told_from_its_opposite(one: str, other: str, contrary: bool) -> None:
    assert contradicts(one, other) == contradicts(other, one) == contrary
    assert not contradicts(one, one)


def test_a_month_without_a_day_or_year_is_no_number() -> None:
    assert numbers("en janvier dernier, it may be") == set()


@given(st.integers(0, 10**12))
def test_grouped_figures_read_back(value: int) -> None:
    grouped = f"{value:,}"
    for text in (str(value), grouped, grouped.replace(",", "\u202f"), grouped.replace(",", " ")):
        assert numbers(f"Il y a {text} lignes.") == {str(value)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Le général Yahya Rasoul a parlé.", "yahya rasoul"),
        ("Bagdad a parlé. Washington aussi.", ""),
        ("L’Irak et les États-Unis", "irak etats unis"),
        ("OTAN et ONU", "otan onu"),
        ("M. Dupont part.", "dupont"),
        ("Il lit « Le Monde ».", "monde"),
        ("Il dit : « Venez. » Paul vient.", ""),
        ("- Un\n- Deux mots à Rome", "rome"),
        ("QUEL EST LE MONTANT DU LOYER ?", ""),
        ("LA POSTE", "la poste"),
        ("Il va à Pa\u00adris.", "paris"),
    ],
)
def test_names_are_capitalised_words_inside_sentences_and_acronyms(text: str, found: str) -> None:
    assert names(text) == set(found.split())


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Combien de soldats sont en Irak ?", "fr"),
        ("How many soldiers are in Iraq?", "en"),
        ("Where is the capital?", "en"),
        ("Capitale du Japon ?", "fr"),
        ("Bagdad", "fr"),
        ("", "fr"),
        ("Peux-tu traduire « how are you this morning » en japonais ?", "fr"),
        ("What does “il est à la maison” mean?", "en"),
        ('"Who are you?"', "en"),
    ],
)
def test_language_is_told_by_function_words_and_is_french_when_undecided(
    text: str, code: str
) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("Where is the capital?", "en"), ("Capitale du Japon ?", "fr"), ("Bagdad", None), ("", None)],
)
def test_a_language_that_no_word_tells_is_not_told(text: str, code: str | None) -> None:
    assert told_language(text) == code


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert all(token and " " not in token for token in tokens(text) + stems(text))
    assert all(isinstance(one, str) for one in numbers(text) | names(text))


@pytest.mark.parametrize(
    ("statement", "source", "differ"),
    [
        ("12 km", "12 m", True),
        ("12 km", "12 kilomètres", False),
        ("1 200,50 €", "1200,50 euros", False),
        ("£5", "$5", True),
        ("5 %", "5 % en 2023, 5 € en 2024", False),
        ("12 €", "adulte : 12", False),  # the unit stands in the table's head
        ("2 œufs", "-2 œufs", False),  # a line of a list
        ("20 %", "-20 %", False),  # a reduction
        ("17 h", "17 heures", False),
        ("-3 °C", "−3 degrés Celsius", False),
        ("3 °C", "entre 1-3 °C", False),
        ("5 °C", "de 0 - 5 °C", False),
        ("-20 °C", "au moins 20 °C", True),
        ("2 °C", "plus ou moins 2 °C", False),
        ("18 °C", "à conserver à –18 °C", True),
        ("-18 °C", "**–18 °C**", False),
        ("5 degrés sous zéro", "moins 5 °C", False),
        ("5 degrees", "5 degrees below zero", True),
        ("12 kg", "la salle 12 m'a plu", False),
    ],
)
def test_a_unit_differs_only_where_both_texts_tell_it(
    statement: str, source: str, differ: bool
) -> None:
    assert mismeasures(statement, source) is differ
