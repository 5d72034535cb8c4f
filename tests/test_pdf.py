"""PDFs: reading order, joined lines, pages, and the place of every character."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pypdf
import pypdfium2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from make_files import lines, pdf, printed
from qa.documents import Limits, Parser, Source, read_document
from qa.documents.canonical import canonical_text
from qa.documents.pdf import read_layout
from qa.documents.pdf.glyphs import spelt
from qa.errors import InputError
from qa.sentences import split_sentences
from qa.types import Document

PROSE = (
    "Le conseil municipal a voté le budget en décembre, et l’office du tourisme\n"
    "a affiché un résultat positif pour la troisième année de suite. Le maire\n"
    "se réjouit de la nouvelle."
)
JOINED = PROSE.replace("\n", " ")

REPORT = """<!doctype html><html lang=fr><meta charset=utf-8><title>Rapport annuel 2026</title>
<style>
@page{size:A4;margin:2cm;@top-center{content:"Commune de Saint-Affrique"}
      @bottom-right{content:"Page " counter(page) " / " counter(pages)}}
body{font:12pt/1.4 serif;text-align:justify}
.long{orphans:1;widows:1} .two{columns:2;column-gap:1cm}
td,th{border:1px solid;padding:4px}
</style>
<h1>Rapport annuel</h1>
<p>L’efficacité des services a progressé. L’office ﬁnancier a affiché un résultat positif pour la
troisième année de suite<sup>1</sup>.</p>
<div class=two><h2>Les écoles</h2><p>La première école accueille deux cent quarante élèves répartis
dans dix classes. Les enseignants ont signalé une insuf&shy;fi&shy;sance chro&shy;nique de
ma&shy;té&shy;riel infor&shy;ma&shy;tique dans les éta&shy;blis&shy;se&shy;ments de la
circons&shy;crip&shy;tion admi&shy;nis&shy;tra&shy;tive dépar&shy;te&shy;men&shy;tale.</p>
<p>La deuxième école ferme ses portes en juillet. Les parents ont manifesté devant la mairie pendant
plusieurs jours. Le maire a reçu une délégation.</p>
<h2>Les routes</h2><p>Les travaux de la départementale ont commencé en mars. Ils doivent durer
dix-huit mois selon le calendrier prévisionnel communiqué par l’entreprise. La circulation sera
alternée pendant toute cette période.</p></div>
<h2>Le budget</h2><table><tr><th>Poste<th>2025<th>2026</tr>
<tr><td>Écoles et crèches<td>1 200 €<td>1 350 €</tr><tr><td>Routes<td>800 €<td>950 €</tr></table>
FILLING</html>"""
FILLING = (
    "Le hameau numéro {n} attend toujours la réfection du chemin rural qui le relie au bourg, et "
    "ses {m} habitants ont écrit une nouvelle fois à la préfecture pour demander une aide, car les "
    "véhicules de secours, le camion du boulanger et le car de ramassage scolaire ne peuvent plus "
    "y passer depuis que la crue de la rivière a emporté le pont de pierre que leurs aïeux avaient "
    "bâti au siècle dernier, et que la commune, faute de moyens, n’a toujours pas reconstruit."
)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as opened:
        yield opened


@pytest.fixture(scope="session")
def report(tmp_path_factory) -> Path:
    filling = " ".join(FILLING.format(n=n, m=3 * n) for n in range(30))
    filling = f"<p class=long>{filling}</p>"
    return printed(tmp_path_factory.mktemp("printed"), REPORT.replace("FILLING", filling))


def text_of(pages) -> str:
    return read_layout(pdf(pages), "a.pdf", Limits())[0].text


def read(parser: Parser, path: Path) -> Document:
    return read_document(Source(path.name, path, path.parent), parser=parser)


def squeezed(text: str) -> str:
    """Return the letters and digits alone: what is seen, however it is spaced or hyphenated."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text))


def seen_in(path: Path, boxes) -> str:
    """Return what pdfium finds inside boxes, in their order."""
    found = []
    with pypdfium2.PdfDocument(path) as document:
        for box in boxes:
            page = document[box.page - 1]
            width, height = page.get_size()
            found.append(
                page.get_textpage().get_text_bounded(
                    left=box.left * width,
                    right=box.right * width,
                    top=height - box.top * height,
                    bottom=height - box.bottom * height,
                )
            )
    return "".join(found)


# --- a document that a browser printed


def test_two_columns_are_read_one_after_the_other_and_hyphens_are_taken_out(parser, report):
    text = read(parser, report).text
    assert (
        "La première école accueille deux cent quarante élèves répartis dans dix classes. Les "
        "enseignants ont signalé une insuffisance chronique de matériel informatique dans les "
        "établissements de la circonscription administrative départementale.\n\nLa deuxième école "
        "ferme ses portes en juillet. Les parents ont manifesté devant la mairie pendant plusieurs "
        "jours. Le maire a reçu une délégation.\n\n## Les routes\n\nLes travaux" in text
    )
    assert "dix-huit mois" in text


def test_ligatures_are_spelt_out_and_raised_digits_stay_apart(parser, report):
    text = read(parser, report).text
    assert "L’efficacité des services" in text
    assert "L’office financier a affiché" in text
    assert "année de suite¹." in text


def test_a_table_is_a_line_a_row(parser, report):
    assert (
        "## Le budget\n\nPoste | 2025 | 2026\nÉcoles et crèches | 1 200 € | 1 350 €\n"
        "Routes | 800 € | 950 €\n\n" in read(parser, report).text
    )


def test_running_headers_and_page_numbers_are_left_out_and_no_text_with_them(parser, report):
    document = read(parser, report)
    assert len(document.pages) > 2
    assert "Saint-Affrique" not in document.text
    assert "Page " not in document.text
    for n in range(30):
        assert FILLING.format(n=n, m=3 * n) in document.text
    assert document.title == "Rapport annuel 2026"


def test_a_sentence_that_crosses_a_page_is_one_sentence_of_the_page_where_it_begins(parser, report):
    document = read(parser, report)
    crossing = [
        one
        for one in split_sentences(document)
        if document.page_at(one.start) != document.page_at(one.end - 1)
    ]
    assert crossing
    assert all(one.text.startswith("Le hameau") for one in crossing)
    for one in crossing:
        pages = {box.page for box in parser.boxes(report, document, one.start, one.end)}
        assert pages == {document.page_at(one.start), document.page_at(one.end - 1)}


def test_what_is_inside_the_boxes_of_a_sentence_is_the_sentence(parser, report):
    document = read(parser, report)
    sentences = [one for one in split_sentences(document) if not one.heading]
    assert len(sentences) > 35
    for one in sentences:
        boxes = parser.boxes(report, document, one.start, one.end)
        assert all(
            0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in boxes
        )
        # A raised digit is written as such in the text.
        assert squeezed(seen_in(report, boxes)) == squeezed(one.text)


def test_pages_cover_the_text_and_hold_what_stands_on_them(parser, report):
    document = read(parser, report)
    assert [page.number for page in document.pages] == list(range(1, len(document.pages) + 1))
    assert (document.pages[0].start, document.pages[-1].end) == (0, len(document.text))
    for page, following in zip(document.pages, document.pages[1:], strict=False):
        assert page.end == following.start
    assert document.page_at(document.text.index("La deuxième école")) == 1
    assert document.page_at(document.text.index("hameau numéro 29")) == len(document.pages)


def test_a_page_is_shown_as_a_picture_as_wide_as_asked(parser, report):
    picture = Image.open(io.BytesIO(parser.page_png(report, 2, 400)))
    assert (picture.format, picture.width) == ("PNG", 400)
    assert picture.height == pytest.approx(400 * 297 / 210, abs=3)
    assert len(picture.convert("L").getcolors()) > 10
    with pytest.raises(InputError, match="no page 99"):
        parser.page_png(report, 99, 400)


def test_boxes_are_refused_for_a_file_that_changed_and_none_for_other_formats(parser, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([lines(PROSE)]))
    document = read(parser, path)
    path.write_bytes(pdf([lines(PROSE.replace("maire", "préfet"))]))
    with pytest.raises(InputError, match=r"a\.pdf.*changed.*qa index"):
        parser.boxes(path, document, 0, 5)
    with pytest.raises(InputError, match="no part"):
        parser.boxes(path, document, 0, len(document.text) + 1)
    path.unlink()
    with pytest.raises(InputError, match=r"no file.*a\.pdf"):
        parser.boxes(path, document, 0, 5)
    assert parser.boxes(tmp_path / "a.txt", document, 0, 5) == ()


# --- the rules, each on a page made for it


def test_lines_are_joined_and_paragraphs_kept():
    short = "Un autre paragraphe commence ici, plus bas dans la même page que le premier\net finit."
    text = text_of([lines(PROSE) + lines(short, top=680)])
    assert text == f"{JOINED}\n\n{short.replace(chr(10), ' ')}"


def test_a_short_line_ends_a_paragraph_and_an_indent_begins_one():
    two = [
        *lines(PROSE),
        (85, 719.6, 12, "Ensuite vient une phrase en retrait qui est assez longue"),
    ]
    assert text_of([two]) == f"{JOINED}\n\nEnsuite vient une phrase en retrait qui est assez longue"


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        ("nous avons vu la circons-", "cription du nord", "la circonscription du nord"),
        ("nous pensons que cela est peut-", "être une bonne idée", "est peut-être une bonne"),
        ("la circulation reprend à Saint-", "Denis demain matin", "à Saint-Denis demain"),
        ("pendant la période allant de 2019-", "2021 tout fut calme", "de 2019-2021 tout"),
        ("il cherche un sous-marin ou le sous-", "marin perdu en mer", "le sous-marin perdu"),
        ("un mot connu : informatique ; infor-", "matique encore une", "; informatique encore"),
        ("les livres occupent tout le rez-", "de-chaussée du bâtiment", "le rez-de-chaussée du"),
        ("le bail est signé pour quarante-", "huit mois entiers", "quarante-huit mois"),
        ("the meeting was attended by twenty-", "five people in all", "by twenty-five people"),
        ("le contrat est décrit ci-", "après par le bailleur", "décrit ci-après par"),
        ("le montant est au-", "delà de ce qui est prévu", "est au-delà de"),
        ("la séance a fait l’objet d’un procès-", "verbal complet", "d’un procès-verbal complet"),
        ("la mairie est fermée le week-", "end du mois de mai", "le week-end du"),
        ("this is what they plan in the long-", "term view of it", "the long-term view"),
        ("la femme de ménage et le million-", "naire parlent ici", "le millionnaire parlent"),
        ("exem-", "plaire", "exemplaire"),
        ("le jardin est au pied de l’arc-en-", "ciel de la ville", "l’arc-en-ciel de la"),
        (
            "la page se trouve sur www.vil-",
            "affrique.fr depuis mai",
            "sur www.vil-affrique.fr depuis",
        ),
        (
            "la page se trouve sur www.a.fr/b?a=1&",
            "p=2 depuis mai",
            "sur www.a.fr/b?a=1&p=2 depuis",
        ),
    ],
)
def test_a_hyphen_at_a_line_end_goes_unless_it_belongs_to_the_word(first, second, joined):
    assert joined in text_of([lines(f"{first}\n{second}")])


def test_columns_written_row_by_row_are_read_column_by_column():
    left = (
        "Les enseignants ont signalé\nune insuffisance chronique\nde matériel informatique\n"
        "dans toute la commune."
    )
    right = (
        "Les travaux de voirie ont\ncommencé au mois de mars\net doivent durer dix-huit\n"
        "mois selon la mairie."
    )
    rows = [piece for pair in zip(lines(left), lines(right, x=320), strict=True) for piece in pair]
    head = [(70, 800, 20, "Le journal de la commune et du canton")]
    assert text_of([head + rows]) == (
        "# Le journal de la commune et du canton\n\n"
        f"{left.replace(chr(10), ' ')}\n\n{right.replace(chr(10), ' ')}"
    )


def test_columns_whose_first_lines_stand_at_different_heights_are_told_apart():
    texts = [
        "Les enseignants ont signalé\nune insuffisance chronique\nde matériel informatique\n"
        "dans la commune",
        "Les travaux de voirie ont\ncommencé au mois de mars\net doivent durer dix-huit\n"
        "mois selon la mairie",
        "La piscine municipale va\nfermer pendant deux mois\npour la réfection de son\n"
        "bassin extérieur en juillet",
    ]
    columns = [
        lines(text, x=40 + 175 * number, top=770 - 9 * (number == 0))
        for number, text in enumerate(texts)
    ]
    rows = sorted((piece for column in columns for piece in column), key=lambda piece: -piece[1])
    assert text_of([rows]) == "\n\n".join(text.replace("\n", " ") for text in texts)


@pytest.mark.parametrize(
    "text",
    [
        "Menuiserie Carrel\n4, quai des Forges\n29200 Brest",
        "Lundi : 9 h – 12 h\nMardi : 9 h – 12 h\nMercredi : 9 h – 12 h",
        "a. une salle de 60 m² ;\nb. une cuisine de 15 m² ;\nc. un cellier de 10 m².",
        "Entrées comptées à la porte ;\nPrêts enregistrés ;\nEnquête auprès de 412 lecteurs.",
    ],
    ids=["address", "hours", "letters", "list"],
)
@pytest.mark.parametrize("prose", ["", PROSE], ids=["alone", "above prose"])
def test_short_lines_that_each_begin_anew_are_not_joined(text, prose):
    assert text_of([lines(text) + lines(prose, top=650)]).startswith(text.replace("\n", "\n\n"))


def test_a_narrow_paragraph_is_joined_where_it_plainly_runs_on():
    text = "Le maire a salué la venue\nd’une délégation de la ville\nde Bellerive samedi."
    assert text_of([lines(text) + lines(PROSE, top=650)]).startswith(text.replace("\n", " "))


def test_an_exponent_that_the_file_draws_apart_stays_at_its_word():
    page = [
        (70, 770, 12, "Jeanne Arnoux"),
        (147.3, 775, 8, "1"),
        (151.8, 770, 12, ", Paul Tessier"),
    ]
    assert text_of([page]) == "Jeanne Arnoux¹, Paul Tessier"


def test_lines_of_a_cell_above_and_below_the_others_of_its_row_are_in_one_row():
    rows = [
        (70, 770, 10, "Désignation"), (300, 770, 10, "Quantité"), (400, 770, 10, "Prix"),
        (70, 740, 10, "Porte d’entrée en chêne massif avec"),
        (300, 734, 10, "1"), (400, 734, 10, "850 €"),
        (70, 728, 10, "double vitrage, pose comprise"),
        (70, 698, 10, "Étagère murale"), (300, 698, 10, "12"), (400, 698, 10, "45 €"),
    ]  # fmt: skip
    assert text_of([rows]) == (
        "Désignation | Quantité | Prix\n"
        "Porte d’entrée en chêne massif avec double vitrage, pose comprise | 1 | 850 €\n"
        "Étagère murale | 12 | 45 €"
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        *((0xFB03, "ffi"), (0xF0B7, "•"), (2, "-"), (0x2003, " "), (0xA0, "\u00a0"), (0xE9, "é")),
        *((0, ""), (0xD800, ""), (0x200B, ""), (0x110000, "")),
    ],
)
def test_characters_are_spelt_as_people_write_them(code, text):
    assert spelt(code) == text


def test_items_of_a_list_are_kept_apart_and_their_lines_together():
    wide = "• un long élément qui tient toute la largeur de la page et qui continue à la"
    text = text_of([lines(f"{wide}\nligne suivante ;\n• un pain\n• deux œufs")])
    assert text == f"{wide} ligne suivante ;\n\n• un pain\n\n• deux œufs"


def test_running_titles_that_change_with_the_chapter_go_with_their_page_number():
    pages = [
        [
            (70, 815, 10, f"Chapitre {'un' if number < 3 else 'deux'}"),
            (500, 815, 10, str(number + 7)),
            *lines(PROSE.replace("décembre", f"décembre {2000 + number * number}")),
        ]
        for number in range(6)
    ]
    text = text_of(pages)
    assert "Chapitre" not in text
    assert text.count("Le conseil municipal") == 6


def test_numbers_at_the_top_that_do_not_count_the_pages_stay():
    pages = [[(70, 815, 12, f"Article {n * n + 40}"), *lines(PROSE)] for n in range(4)]
    assert text_of(pages).count("Article") == 4


def test_a_footnote_does_not_cut_the_sentence_that_goes_on_over_the_page():
    page = [*lines("Le conseil a voté une aide que la"), (70, 60, 8, "1. Voir le compte rendu.")]
    following = lines("préfecture doit encore approuver.")
    assert text_of([page, following]) == (
        "1. Voir le compte rendu.\n\n"
        "Le conseil a voté une aide que la préfecture doit encore approuver."
    )


def test_a_fact_in_large_letters_is_no_heading():
    text = text_of([[(70, 800, 24, "87 % des habitants"), *lines(PROSE)]])
    assert text.startswith("87 % des habitants")


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_text_is_read_and_its_boxes_are_turned_too(parser, tmp_path, angle):
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([lines(PROSE)])))
    writer.pages[0].rotate(angle)
    path = tmp_path / "turned.pdf"
    writer.write(path)
    document = read(parser, path)
    assert document.text == JOINED
    [first, second] = parser.boxes(path, document, 0, JOINED.index("Le maire"))
    along, across = ("right", "bottom") if angle == 180 else ("bottom", "right")
    back = {"right": "left", "bottom": "top"}
    assert getattr(first, along) - getattr(first, back[along]) > 0.3
    assert getattr(first, across) - getattr(first, back[across]) < 0.05
    before = {90: second.right <= first.right, 180: second.bottom <= first.bottom}
    assert before.get(angle, second.left >= first.left)


def test_pages_without_text_among_others_are_said(parser, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([lines(PROSE), [], [], lines(PROSE), []]))
    assert read(parser, path).notices == ("no text on pages 2–3, 5: empty, or scanned",)


WORDS = st.text(
    st.characters(codec="cp1252", exclude_categories=("Cc", "Cn")), min_size=1, max_size=60
)
PIECE = st.tuples(st.integers(0, 590), st.integers(0, 840), st.sampled_from([6, 12, 24]), WORDS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(PIECE, max_size=12), min_size=1, max_size=4))
def test_whatever_is_drawn_offsets_boxes_and_pages_hold(pages):
    visible = any(text.strip(" \u00a0\u00ad") for page in pages for *_, text in page)
    data = pdf(pages)
    if not visible:
        with pytest.raises(InputError, match="scanned"):
            read_layout(data, "a.pdf", Limits())
        return
    layout, _, _ = read_layout(data, "a.pdf", Limits())
    assert canonical_text(layout.text) == layout.text
    starts = [start for _, start in layout.pages]
    assert starts == sorted(starts)
    assert all(0 <= start <= len(layout.text) for start in starts)
    for at, char in enumerate(layout.text):
        boxes = layout.boxes(at, at + 1)
        assert len(boxes) <= 1
        if char.isalnum():
            assert boxes, f"{char!r} stands nowhere"
    drawn = squeezed("".join(text for page in pages for *_, text in page))
    assert set(squeezed(layout.text)) <= set(drawn)
