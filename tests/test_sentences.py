import tomllib
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.sentences import (
    boundaries,
    full_stops,
    has_more_sentences,
    split_sentences,
    split_text,
)
from qa.sentences.abbreviations import Kind, load_abbreviations
from qa.sentences.boundaries import MAX_SENTENCE_CHARS
from qa.types import Document

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data" / "sentences"


def _cases(name: str) -> list[dict]:
    return tomllib.loads((DATA / name).read_text(encoding="utf-8"))["case"]


CASES = [case for name in ("cases", "held_out", "messy") for case in _cases(f"{name}.toml")]

# fmt: off
PIECES = [
    ".", "..", "...", "…", "!", "?", "?!", "。", "؟", "»", "«", "“", "”", '"', "'", "(", ")", "[",
    "]", ",", ";", ":", "—", "–", "-", "*", "#", "|", "\n", "\n\n", "\t", "M.", "Dr.", "art.", "12",
    "L.", "J.", "A", "1.", "a)", "I.", "etc.", "le", "Le", "The", "il", "Il", "mot", "Mot", "MOT",
    "https://a.b/?q=1", "3,5", "你好", "كتاب", "😀", "¹", "[1]", "é", "e\u0301", "```",
    "===", "---", "U.S.", "av.", "J.-C.", "\u200b", "\ufeff", "\u00a0", "\u202f", "\f", "\u2028",
    "\x85", "\r", "\x00", "\x1c", " ", " ", " ", " ", "\u0301", "> ", "\n> ", ">", "a:",
]
# fmt: on

# Text that meets the rules more often than random characters do.
TEXTS = st.one_of(
    st.text(),
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
    st.lists(st.sampled_from('abé .!?»«"\n\u00a0—A1。'), max_size=200).map("".join),
)


def _document(text: str) -> Document:
    return Document(id="essai.txt", title="essai", text=text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_hard_case_is_split_as_written(case):
    sentences = split_sentences(_document(case["text"].replace("‖", "")))
    assert [s.text for s in sentences] == [unit.strip() for unit in case["text"].split("‖")]
    assert [s.text for s in sentences if s.heading] == case.get("headings", [])


def test_there_are_enough_hard_cases_and_their_names_differ():
    assert len(CASES) >= 85
    assert len({case["rule"] for case in CASES}) == len(CASES)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_spans_are_ordered_disjoint_and_trimmed(text):
    end_before = 0
    for start, end in split_text(text):
        assert end_before <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        end_before = end


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_spans_cover_every_character_but_white_space(text):
    covered = "".join(text[start:end] for start, end in split_text(text))
    assert "".join(covered.split()) == "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_sentences_slice_back_and_keep_something_to_cite(text):
    sentences = split_sentences(_document(text))
    for index, sentence in enumerate(sentences):
        assert sentence.index == index
        assert text[sentence.start : sentence.end] == sentence.text
        assert sentence.document == "essai.txt"
        assert len(sentence.text) <= MAX_SENTENCE_CHARS
    assert any(not s.heading for s in sentences) == bool(text.strip())


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_a_blank_line_keeps_two_texts_apart(one, two):
    border = len(one)
    for start, end in split_text(f"{one}\n\n{two}"):
        assert end <= border or start >= border


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_a_sentence_on_a_line_of_its_own_is_not_split_again(case):
    for unit in (" ".join(unit.split()) for unit in case["text"].split("‖")):
        assert split_text(unit) == ((0, len(unit)),)


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "\u00a0\u202f"])
def test_text_without_characters_has_no_sentence(text):
    assert split_text(text) == ()
    assert split_sentences(_document(text)) == ()


def test_first_document_has_twelve_sentences_and_one_heading():
    path = ROOT / "index" / "documents" / "irak-coalition.txt"
    if not path.exists():
        pytest.skip("index/documents/irak-coalition.txt is not here")
    text = path.read_text(encoding="utf-8")
    sentences = split_sentences(_document(text))
    assert [s.text for s in sentences] == text.strip().split("\n")
    assert [s.text for s in sentences if s.heading] == ["Évaluation de la situation militaire"]


def test_long_line_without_a_stop_is_cut_at_semicolons_then_commas_then_spaces():
    clause = "le bailleur est tenu de délivrer la chose louée"
    for separator in ("; ", ", ", " "):
        text = separator.join([clause] * 200)
        spans = split_text(text)
        assert max(end - start for start, end in spans) <= MAX_SENTENCE_CHARS
        assert all(text[end - 1] == separator[0] for _, end in spans[:-1] if separator != " ")
        assert all(text[end - 1].isalpha() for _, end in spans[:-1] if separator == " ")


@pytest.mark.parametrize("number", ["5,56", "12 000", "1\u00a0200", "06 12 34 56 78"])
def test_a_forced_cut_spares_numbers_wherever_it_falls(number):
    for before in range(len(number) + 3):
        text = "-" * before + f"{number} kg " * 300
        assert sum(text[start:end].count(number) for start, end in split_text(text)) == 300


def test_a_line_of_numbers_alone_is_cut_between_them():
    for text in ("12 345 " * 400, "5,56 " * 400, "1,2,3,4," * 300):
        spans = split_text(text)
        assert max(end - start for start, end in spans) <= MAX_SENTENCE_CHARS
        assert all(text[end - 1] == "," or text[end] == " " for _, end in spans[:-1])


def _split_closely(text: str) -> tuple[tuple[int, int], ...]:
    """Split without the shortcuts past the rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "plainly_ends", lambda *_: False)
        patch.setattr(full_stops, "_is_plain", lambda *_: False)
        return split_text(text)


WORDS = st.sampled_from(["Le", "mot", "vingt", "réf", "Phl", "av. J.-C", "p. ex", "Dr", "M", "etc"])


@settings(max_examples=400, deadline=None)
@given(TEXTS | st.lists(WORDS | st.sampled_from([". ", ".", " ", "\n"]), max_size=40).map("".join))
def test_a_plain_end_is_one_by_the_rules_too(text):
    assert split_text(text) == _split_closely(text)


def test_abbreviations_are_no_plain_ends():
    words = load_abbreviations().kinds
    text = " ".join(f"Une phrase de plus de trente caractères {word}. Elle va." for word in words)
    assert split_text(text) == _split_closely(text)


def test_a_cut_in_a_line_without_spaces_keeps_letters_and_their_accents_together():
    text = "e\u0301" * 5000
    spans = split_text(text)
    assert max(end - start for start, end in spans) <= MAX_SENTENCE_CHARS
    assert all(text[start] == "e" for start, _ in spans)


def test_a_five_megabyte_line_gives_bounded_sentences_that_hold_everything():
    sentence = "Les États-Unis déploient environ 2500 soldats en Irak, dit M. Dupont (art. 3). "
    text = sentence * (5_000_000 // len(sentence))
    spans = split_text(text)
    assert len(spans) == len(text) // len(sentence)
    assert sum(end - start for start, end in spans) == len(spans) * len(sentence.strip())


@pytest.mark.parametrize("unit", ["! . ", "« ", '"', ".» ", "(((", "\u0301", "😀", "a | "])
def test_a_long_run_of_marks_is_split_and_loses_nothing(unit):
    text = unit * 100_000
    covered = "".join(text[start:end] for start, end in split_text(text))
    assert "".join(covered.split()) == "".join(text.split())


@settings(deadline=None)
@given(TEXTS, st.integers(0, 20))
def test_sentences_are_counted_as_they_are_split(text, most):
    more = has_more_sentences(text, most)
    assert more == (len(split_text(text)) > most) or text.count("\n") > 4 * most


def test_rules_and_fences_are_not_cited():
    text = "Première partie.\n\n* * *\n\n```python\nprint(1)\n```\n\nFin du texte."
    headings = [s.text for s in split_sentences(_document(text)) if s.heading]
    assert headings == ["* * *", "```python", "```"]


def _units(text: str) -> list[str]:
    return [s.text for s in split_sentences(_document(text))]


def test_wrapped_lines_of_a_quotation_are_joined():
    text = (
        "> Le bailleur doit être prévenu trois mois avant le départ, par\n> lettre.\n>\n"
        "> Ce délai est réduit à un mois dans une commune dans\n> laquelle on en manque. Il y\n"
        "> est affiché.\n"
        "> > Et ceci est une réponse plus ancienne, qui n'est pas de\n> la même personne."
    )
    assert _units(text) == [
        "> Le bailleur doit être prévenu trois mois avant le départ, par\n> lettre.",
        ">",
        "> Ce délai est réduit à un mois dans une commune dans\n> laquelle on en manque.",
        "Il y\n> est affiché.",
        "> > Et ceci est une réponse plus ancienne, qui n'est pas de",
        "> la même personne.",
    ]


def test_a_sentence_of_a_quotation_may_begin_with_its_line():
    text = (
        "> Le départ est annoncé trois mois avant, par une\n"
        "> lettre recommandée. Elle est à envoyer au bureau.\n> Il répond vite."
    )
    assert _units(text)[1:] == ["Elle est à envoyer au bureau.", "> Il répond vite."]


def test_the_last_words_of_a_quotation_may_stand_in_a_line_of_their_own():
    text = "> Le bailleur doit être prévenu trois mois avant, par lettre\nrecommandée avec avis."
    assert _units(text) == [text]
    assert len(_units(text.replace("recommandée", "Recommandée"))) == 2


def test_a_quotation_without_a_stop_is_joined_where_its_lines_are_full():
    text = (
        "> Le bailleur doit être prévenu au plus tard trois mois avant le jour\n"
        "> du départ, par lettre recommandée"
    )
    assert _units(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "> cd /usr/local/share/documents\n> ls -la --color=auto --all\n> git status --short --all",
        "> ouvrir le fichier de configuration\n> changer la valeur du port\n> enregistrer",
        "> la ligne nouvelle qui est dans le fichier\n> et une autre ligne qui la suit ici",
    ],
)
def test_commands_and_items_that_begin_like_a_quotation_stay_apart(text):
    assert _units(text) == text.split("\n")


def test_front_matter_is_lines_of_its_own():
    text = "---\ntitle: Piscine\nauthor: Mairie\ntags:\n  - eau\n---\n\nElle ouvre à 9 h."
    sentences = split_sentences(_document(text))
    assert [s.text for s in sentences if s.heading] == ["---", "---"]
    lines = ["title: Piscine", "author: Mairie", "tags:", "- eau", "Elle ouvre à 9 h."]
    assert [s.text for s in sentences if not s.heading] == lines
    assert len(_units("---\nUne phrase plutôt longue, que la ligne\nsuivante finit.\n---")) == 3


@pytest.mark.parametrize(
    "text",
    [
        "> ```\n> x = 1\n\nElle ouvre.\n\n# Titre\n\nFin du texte.",
        "```\n> ```\n> # x\n```\n\n# Titre\n\nFin du texte.",
        "> ```\n> > ```\n> # x\n> ```\n\n# Titre\n\nFin du texte.",
    ],
)
def test_a_fence_is_closed_at_its_own_depth_or_by_the_end_of_its_quotation(text):
    headings = [s.text for s in split_sentences(_document(text)) if s.heading]
    assert [one for one in headings if "`" not in one] == ["# Titre"]


def test_code_fenced_on_one_line_opens_no_block():
    text = "# Guide\n\n```pip install y```\n\n## Étape\n\nFin du texte."
    assert [s.text for s in split_sentences(_document(text)) if s.heading] == [
        "# Guide",
        "## Étape",
    ]


def test_a_document_of_headings_alone_is_cited():
    sentences = split_sentences(_document("# Titre\n\n---\n\n## Autre titre"))
    assert [(s.text, s.heading) for s in sentences] == [
        ("# Titre", False),
        ("---", True),
        ("## Autre titre", False),
    ]


def _lists() -> dict[str, dict[str, list[str]]]:
    folder = ROOT / "src" / "qa" / "data" / "abbreviations"
    return {path.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}


def test_no_abbreviation_is_of_two_kinds_in_any_language():
    kinds: dict[str, str] = {}
    for lists in _lists().values():
        for kind in get_args(Kind):
            for word in lists.get(kind, ()):
                assert kinds.setdefault(word, kind) == kind, word


def test_every_word_of_every_list_is_read_and_has_no_final_stop():
    words = load_abbreviations()
    for name, lists in _lists().items():
        for kind, entries in lists.items():
            known = getattr(words, kind, words.kinds)
            assert entries == [e for e in entries if e in known and e == e.strip(" .")], (
                name,
                kind,
            )
