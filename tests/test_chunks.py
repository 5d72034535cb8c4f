import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.chunks import CONTEXT_CHARS, make_chunks
from qa.sentences import split_sentences
from qa.types import Chunk, Document

TEXT = """# Rapport d'activité

Le comité s'est réuni en mars. Il a adopté
le budget.

## Ventes

Elles ont doublé.

* * *

Elles baisseront.
"""


def _chunks(text: str, title: str = "") -> tuple[Chunk, ...]:
    document = Document(id="essai", title=title, text=text)
    return make_chunks(document, split_sentences(document))


def test_every_sentence_but_headings_has_one_chunk_in_order():
    document = Document(id="essai", title="", text=TEXT)
    sentences = split_sentences(document)
    chunks = make_chunks(document, sentences)
    assert [chunk.sentence for chunk in chunks] == [s for s in sentences if not s.heading]


def test_context_is_title_heading_and_previous_sentence():
    assert [chunk.context for chunk in _chunks(TEXT, "Bilan 2024")] == [
        "Bilan 2024. Rapport d'activité.",
        "Bilan 2024. Rapport d'activité. Le comité s'est réuni en mars.",
        "Bilan 2024. Ventes.",
        "Bilan 2024. Ventes.",
    ]


def test_title_that_is_also_the_heading_stands_once():
    assert _chunks(TEXT, "Rapport d'activité")[0].context == "Rapport d'activité."


def test_title_that_is_also_the_sentence_is_left_out():
    assert _chunks("Réunion du lundi", "Réunion du lundi")[0].context == ""


def test_repeated_sentence_is_not_its_own_context():
    assert [chunk.context for chunk in _chunks("Oui. Oui. Non.")] == ["", "", "Oui."]


def test_code_fence_is_no_heading():
    text = "Un exemple suit.\n\n```python\nprint('bonjour')\n```\n\nIl affiche bonjour."
    assert _chunks(text)[-1].context == ""


def test_long_parts_are_cut_after_a_whole_word():
    long = "mot " * 150 + "fin."
    context = _chunks(f"{long} Il part.", "titre " * 60)[-1].context
    assert len(context) <= CONTEXT_CHARS
    assert context.endswith("mot…")
    assert context.startswith("titre titre")


@pytest.mark.parametrize("text", ["", " \n "])
def test_document_without_sentences_has_no_chunks(text):
    assert _chunks(text) == ()


@given(
    st.lists(st.sampled_from(["# Titre", "Un. Deux.", "* * *", "```", "x" * 500, ""])),
    st.text(max_size=500),
)
def test_context_is_bounded_and_on_one_line(lines, title):
    for chunk in _chunks("\n".join(lines), title):
        assert len(chunk.context) <= CONTEXT_CHARS
        assert chunk.context == " ".join(chunk.context.split())


def test_an_item_a_row_and_what_a_part_holds_are_found_by_what_names_them():
    text = (
        "# Bail\n\nIl est interdit :\n- de fumer ;\n- de sous-louer.\n\n"
        "| Pièce | Prix |\n|---|---|\n| Cave | 20 € |\n| Box | 60 € |\n\n"
        "Résolution 1 – Budget (art. 3)\n\nAdoptée.\n\nRésolution 2 – Mandat (art. 4)\n\nRejetée.\n"
    )
    context = {chunk.sentence.text: chunk.context for chunk in _chunks(text)}
    assert "Il est interdit :" in context["- de sous-louer."]
    assert "de fumer" not in context["- de sous-louer."]
    assert "| Pièce | Prix |" in context["| Box | 60 € |"]
    assert "Résolution 2 – Mandat (art. 4)" in context["Rejetée."]
    assert "Résolution 1" not in context["Résolution 2 – Mandat (art. 4)"]
