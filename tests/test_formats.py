"""What is read from html, docx, epub and eml files, and from archives of documents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import docx
import docx.enum.style
import pytest
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

import make_files
from qa.documents import Parser, Source, boilerplate, find_sources, read_document
from qa.documents.blocks import to_text
from qa.documents.markup import parse_html
from qa.lists import leads, named_cells
from qa.sentences import split_sentences
from qa.types import Document


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as opened:
        yield opened


def read(parser: Parser, folder: Path, name: str, data: bytes | str) -> Document:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_document(Source(name, path, folder), parser=parser)


def test_a_web_page_is_its_main_text_with_headings_items_and_rows(parser, tmp_path):
    document = read(
        parser,
        tmp_path,
        "page.html",
        "<!doctype html><title>Ville</title><style>p{}</style><script>alert('x')</script>"
        "<header><a href=/>Accueil</a></header><nav><ul><li>Plan du site</ul></nav>"
        "<div class='cookie-banner'>Acceptez les cookies</div><div hidden>caché</div>"
        "<h1>Le <em>bud</em>get</h1><p>Une   phrase&nbsp;:\n oui.<br>Autre ligne.</p>"
        "Texte <b>nu</b>."
        "<ul><li>Un</li><li>Deux</li></ul>"
        "<table><caption>Dépenses</caption><tr><th>Poste<th>2024<tr><td>Éco<b>les</b><td>12&nbsp;€"
        "<tr><td>Routes<br>et ponts<td></table><footer>Mentions légales</footer>",
    )
    assert document.text == (
        "# Le budget\n\nUne phrase\u00a0: oui.\nAutre ligne.\n\nTexte nu.\n\n- Un\n- Deux\n\n"
        "Dépenses\nPoste | 2024\n--- | ---\nÉcoles | 12\u00a0€\nRoutes et ponts |"
    )
    assert document.title == "Le budget"


def test_the_main_part_of_a_page_is_read_alone_if_it_is_named(parser, tmp_path):
    page = "<body><p>Publicité.</p><main><header><h1>Titre</h1></header><p>Le texte.</main>"
    assert read(parser, tmp_path, "a.html", page).text == "# Titre\n\nLe texte."


@pytest.mark.parametrize(
    "named",
    ["id=content-sidebar-wrap", "class='wrapper sticky-footer'", "class='site has-cookie-notice'"],
)
def test_a_layout_named_after_what_is_beside_the_text_is_read(parser, tmp_path, named):
    side = "<div class=sidebar><p>Météo : il pleut.</p></div>"
    texts = ("<h1>Horaires</h1><p>Ouvert à 9 h.", "<p>La mairie est ouverte de 9 h à 12 h.")
    for number, text in enumerate(texts):
        page = f"<p>{'Un bandeau. ' * (3 - 3 * number)}</p><div {named}>{text}{side}</div>"
        found = read(parser, tmp_path, f"{number}.html", page).text
        assert "9 h" in found
        assert "Météo" not in found


def test_a_banner_with_a_linked_title_is_no_text(parser, tmp_path):
    page = "<div class=masthead><h1><a href=/>Ville</a></h1>Bienvenue</div><p>Le budget est voté."
    assert read(parser, tmp_path, "a.html", page).text == "Le budget est voté."


@pytest.mark.parametrize("named", ["class='cookie-banner'", "id=cookies", "class='box social'"])
def test_a_long_banner_on_a_short_page_is_not_its_text(parser, tmp_path, named):
    banner = f"<div {named}><h1>Vos choix</h1><p>{'Nous utilisons des traceurs. ' * 20}</div>"
    for text in ("<p>Ouvert à 9 h.", "<div class=has-cookie-notice><p>Ouvert à 9 h.</p></div>"):
        assert read(parser, tmp_path, "a.html", banner + text).text == "Ouvert à 9 h."


def test_a_sidebar_with_a_title_before_the_page_is_not_its_text(parser, tmp_path):
    side = "<div class=sidebar><h1>Météo</h1><p>Il pleut.</div>"
    page = "<h1>Horaires</h1><p>La mairie est ouverte de 9 h à 12 h."
    text = "# Horaires\n\nLa mairie est ouverte de 9 h à 12 h."
    for around in (f"{side}<div>", f"<div>{side}", f"<div class=has-sidebar>{side}"):
        assert read(parser, tmp_path, "a.html", around + page).text == text


def test_of_lists_nested_deep_a_few_are_judged_since_each_is_read_for_it(monkeypatch):
    judged = []
    monkeypatch.setattr(boilerplate, "is_navigation", lambda element: bool(judged.append(element)))
    text = to_text(parse_html(b"<ul><li>" * 200 + b"mot"))
    assert text.endswith("mot")
    assert len(judged) < 20


def test_a_list_of_links_is_navigation_and_a_list_of_prose_with_links_is_not(parser, tmp_path):
    links = "".join(f"<li><a href=x>lien numéro {n}</a></li>" for n in range(6))
    prose = "".join(
        f"<li>Une longue phrase qui parle de choses et d’autres avec <a>{n}</a>.</li>"
        for n in range(6)
    )
    text = read(parser, tmp_path, "a.html", f"<p>Début.</p><ul>{links}</ul><ul>{prose}</ul>").text
    assert "lien numéro" not in text
    assert text.count("- Une longue phrase") == 6


def test_a_page_inside_a_form_is_read_and_its_controls_are_not(parser, tmp_path):
    page = (
        "<body><form id=aspnetForm><p>Le loyer est de 800 euros.</p><input value=a>"
        "<select><option>Oui</select><textarea>Avis</textarea><button>Envoyer</button></form>"
    )
    assert read(parser, tmp_path, "a.html", page).text == "Le loyer est de 800 euros."


@pytest.mark.parametrize("tag", ["h2", "h3", "summary", "dt"])
def test_a_button_that_is_a_heading_is_read(parser, tmp_path, tag):
    page = f"<{tag}><span><button>Quel est le prix ?</button></span></{tag}><p>Il est de 30 €."
    text = read(parser, tmp_path, "a.html", page).text
    assert text.lstrip("# ") == "Quel est le prix ?\n\nIl est de 30 €."


def test_a_button_beside_a_heading_is_no_part_of_it(parser, tmp_path):
    page = "<h2>Les prix <button>Copier</button></h2><p>Il est de 30 €."
    assert read(parser, tmp_path, "a.html", page).text == "## Les prix\n\nIl est de 30 €."


def test_a_table_that_lays_out_a_page_is_read_as_its_cells(parser, tmp_path):
    inner = "<table><tr><td>a</td><td>b</td></tr></table>"
    page = f"<table><tr><td><p>Un.</p></td><td><p>Deux.</p>{inner}</td></tr></table>"
    assert read(parser, tmp_path, "a.html", page).text == "Un.\n\nDeux.\n\na | b"


@pytest.mark.parametrize("depth", [2, 3, 4, 600])
def test_tables_in_tables_in_tables_are_read(parser, tmp_path, depth):
    page = "<table><tr><td>" * depth + "Le vol part à 10 h 35." + "</table>" * depth
    assert read(parser, tmp_path, "a.html", page).text == "Le vol part à 10 h 35."


def test_rows_around_an_inner_table_stay_rows(parser, tmp_path):
    page = (
        "<table><caption>Brest</caption><tr><th>Région<td>Bretagne<tr><td>"
        "<table><tr><td>2020<td>139 926</table><tr><th>Maire<td></td><tr><th>Code<td>29200</table>"
    )
    assert read(parser, tmp_path, "a.html", page).text == (
        "Brest\n\nRégion | Bretagne\n2020 | 139 926\n\nMaire\n\nCode | 29200"
    )


def test_a_table_of_a_single_column_is_read_as_blocks_if_it_holds_some(parser, tmp_path):
    box = "<h2>Tarifs</h2><p>Le timbre coûte 86 €</p><ul><li>sur place</li></ul>"
    text = "## Tarifs\n\nLe timbre coûte 86 €\n\n- sur place"
    page = f"<table><tr><td width=9></td><td>{box}<tr><td colspan=2>Fin<br>ici</table>"
    assert read(parser, tmp_path, "a.html", page).text == f"{text}\n\nFin\nici"
    page = "<table><tr><th>Jour</th></tr><tr><td><p>Lundi</p></td></tr></table>"
    assert read(parser, tmp_path, "b.html", page).text == "Jour\nLundi"
    page = "<table><tr><td>Prix<td><ul><li>12 €</ul></table>"
    assert read(parser, tmp_path, "c.html", page).text == "Prix | 12 €"


def test_what_is_hidden_in_a_table_is_not_read_and_what_follows_a_comment_is(parser, tmp_path):
    page = (
        "<table><tr><th>Date<th>Prix<tr><td><span style='display:none'>20240312</span>12 mars"
        "<td hidden>brouillon<td>10<!-- --> €<tbody style='display: none'><tr><td>x<td>y</table>"
    )
    assert read(parser, tmp_path, "a.html", page).text == ("Date | Prix\n--- | ---\n12 mars | 10 €")


@pytest.mark.parametrize(
    "data",
    [
        "<p>déjà vu".encode(),
        "<meta charset=iso-8859-1><p>déjà vu".encode("latin-1"),
        "<p>déjà vu".encode("utf-16"),
    ],
    ids=["utf-8-undeclared", "declared", "utf-16"],
)
def test_the_encoding_of_a_page_is_found(parser, tmp_path, data):
    assert read(parser, tmp_path, "a.htm", data).text == "déjà vu"


def named_rows(document: Document) -> list[str]:
    """Return the rows that have names, as they are read."""
    sentences = split_sentences(document)
    return [
        named_cells(above.sentence.text, sentence.text)
        for sentence, above in zip(sentences, leads(sentences), strict=True)
        if above is not None and above.kind == "columns"
    ]


LONG = " ".join(["mot"] * 40)
HEAD = "<tr><th>Jour<th>Ouverture"
NAMED = ["Jour : Lundi ; Ouverture : matin"]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (f"{HEAD}<tr><th scope=row>Lundi<td>matin", NAMED),
        ("<thead><tr><td>Jour<td>Ouverture<tbody><tr><td>Lundi<td>matin", NAMED),
        (f"<tr><th colspan=2>Horaires{HEAD}<tr><td>Lundi<td>matin", NAMED),
        (f"<caption>1 | Horaires</caption>{HEAD}<tr><td>Lundi<td>matin", NAMED),
        (
            f"{HEAD}<tr><td>Lundi<td>matin<tfoot><tr><th>Total<th>12",
            [*NAMED, "Jour : Total ; Ouverture : 12"],
        ),
        ("<tr><th>Jour<td><th><tr><td>Lundi<td>matin<td>9 h", []),
        # Other names further down, in two rows, over two columns, of columns that are empty.
        (
            f"{HEAD}<tr><td>Lundi<td>matin<tr><th>Âge<th>Tarif<tr><td>Adulte<td>plein",
            [*NAMED, "Âge : Adulte ; Tarif : plein"],
        ),
        (
            "<tr><th rowspan=2>Ville<th colspan=2>Prix<tr><th>min<th>max"
            "<tr><td>Lyon<td>bas<td>haut",
            ["Ville : Lyon ; min : bas ; max : haut"],
        ),
        (
            "<tr><th colspan=2>Lieu<th>Appel<tr><td>École<td>rue Y<td><tr><td>Gare<td><td>oui",
            ["Lieu : École ; Lieu : rue Y", "Lieu : Gare ; Appel : oui"],
        ),
        ("<tr><th><th>Prix<th>Lieu<tr><td><td>bas<td>Lyon", ["Prix : bas ; Lieu : Lyon"]),
        (
            f"<tr><th>Note<th>Nom<th>Lieu<tr><td rowspan=2>{LONG}<td>un<td>Lyon"
            "<tr><td>deux<td>Nice",
            [f"Note : {LONG} ; Nom : un ; Lieu : Lyon", "Nom : deux ; Lieu : Nice"],
        ),
    ],
)
def test_columns_that_are_named_name_the_cells_below(parser, tmp_path, rows, named):
    assert named_rows(read(parser, tmp_path, "a.html", f"<table>{rows}</table>")) == named


@pytest.mark.parametrize("between", ["", "<hr>", "<p></p>"])
def test_the_names_of_a_table_do_not_reach_into_the_next(parser, tmp_path, between):
    first = f"<table>{HEAD}<tr><td>Lundi<td>matin</table>"
    other = "<table><tr><td>Adulte<td>plein<tr><td>Enfant<td>demi</table>"
    for page in (first + between + other, other + between + first):
        assert named_rows(read(parser, tmp_path, "a.html", page)) == NAMED


@pytest.mark.parametrize(
    "rows",
    [
        "<tr><td>Lundi<td>matin<tr><td>Mardi<td>soir",
        "<tr><th>Lundi<td>matin<tr><th>Mardi<td>soir",
        "<tr><th scope=row>Lundi<th>matin<tr><td>Mardi<td>soir",
        "<tr><th>Lundi<th>matin<tr><th>Mardi<th>soir",  # heads all over: which is the last?
    ],
)
def test_a_row_of_facts_names_no_columns(parser, tmp_path, rows):
    text = read(parser, tmp_path, "a.html", f"<table>{rows}</table>").text
    assert text == "Lundi | matin\nMardi | soir"


def test_items_of_an_inner_list_stand_further_in(parser, tmp_path):
    page = (
        "<p>Sont interdits :<ul><li>les animaux, sauf<ul><li>les chiens<ol><li>petits</ol>"
        "</ul><li>les vélos</ul>"
    )
    assert read(parser, tmp_path, "a.html", page).text == (
        "Sont interdits :\n\n- les animaux, sauf\n  - les chiens\n    1. petits\n- les vélos"
    )
    deep = "<ul><li>mot" * 150
    assert len(read(parser, tmp_path, "a.html", deep).text) < 150 * 16


def test_items_of_an_inner_list_of_a_word_file_stand_further_in(parser, tmp_path):
    document = docx.Document()
    document.add_paragraph("les animaux", style="List Bullet")
    document.add_paragraph("les chiens", style="List Bullet 2")
    numbered = parse_xml(
        f'<w:pPr {nsdecls("w")}><w:numPr><w:ilvl w:val="2"/><w:numId w:val="1"/></w:numPr></w:pPr>'
    )
    document.add_paragraph("les petits")._p.insert(0, numbered)
    document.add_paragraph("les vélos", style="List Paragraph")
    assert read(parser, tmp_path, "a.docx", saved(document)).text == (
        "- les animaux\n  - les chiens\n    - les petits\n- les vélos"
    )


def word_table(*rows: str, heads: int = 1, value: str = "1") -> docx.document.Document:
    """Return a Word file with a table, and another one; the first rows are said on each page."""
    document = docx.Document()
    for number, lines in enumerate((rows, ("Adulte | plein | non", "Enfant | demi | non"))):
        table = document.add_table(rows=0, cols=3)
        for line in lines:
            for cell, text in zip(table.add_row().cells, line.split(" | "), strict=True):
                cell.text = text
        for row in table.rows[: heads * (not number)]:
            mark = parse_xml(f'<w:tblHeader {nsdecls("w")} w:val="{value}"/>')
            row._tr.get_or_add_trPr().append(mark)
        document.add_paragraph()
    return document


def test_the_head_of_a_table_of_a_word_file_names_its_columns(parser, tmp_path):
    rows = ("Jour | Matin | Soir", "Lundi | ouvert | ", "Mardi |  | ouvert")
    document = read(parser, tmp_path, "a.docx", saved(word_table(*rows)))
    assert named_rows(document) == ["Jour : Lundi ; Matin : ouvert", "Jour : Mardi ; Soir : ouvert"]
    title = word_table("Horaires |  | ", *rows, heads=2)
    title.tables[0].rows[0].cells[0].merge(title.tables[0].rows[0].cells[2])
    assert len(named_rows(read(parser, tmp_path, "a.docx", saved(title)))) == 2
    off = word_table(*rows, value="0")
    assert named_rows(read(parser, tmp_path, "a.docx", saved(off))) == []
    all_heads = word_table(*rows, heads=3)
    assert named_rows(read(parser, tmp_path, "a.docx", saved(all_heads))) == []


def test_two_columns_of_a_word_file_are_not_named_by_the_first_row(parser, tmp_path):
    # LibreOffice marks the first row of every table: «Marque | Ostrel» may be a fact.
    document = docx.Document()
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ("Marque", "Ostrel", "Prix", "bas"), strict=True):
        cell.text = text
    table.rows[0]._tr.get_or_add_trPr().append(parse_xml(f"<w:tblHeader {nsdecls('w')}/>"))
    assert named_rows(read(parser, tmp_path, "a.docx", saved(document))) == []


def test_a_list_style_of_a_name_of_ones_own_makes_items(parser, tmp_path):
    document = docx.Document()
    document.styles.add_style("Liste à puces maison", docx.enum.style.WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("les vélos", style="Liste à puces maison")
    assert read(parser, tmp_path, "a.docx", saved(document)).text == "- les vélos"


def test_a_term_and_its_explanation_are_one_line(parser, tmp_path):
    page = (
        "<dl><dt>Plein</dt><dd>12 €</dd><dd>ou 13 €</dd>"
        "<dt>Réduit</dt><dd><p>6 €</p><p>sur place</p></dd></dl>"
    )
    assert read(parser, tmp_path, "a.html", page).text == (
        "Plein : 12 €\n\nou 13 €\n\nRéduit\n\n6 €\n\nsur place"
    )


def test_a_cell_that_reaches_over_rows_is_said_in_each(parser, tmp_path):
    page = (
        "<table><tr><th rowspan=2>Jour<th colspan=2>Heures<tr><th>de<th>à"
        "<tr><td>Lundi<td rowspan=2>9 h<td>12 h<tr><td>Mardi<td>17 h<tr><td>Jeudi<td>8 h</table>"
    )
    assert read(parser, tmp_path, "a.html", page).text == (
        "Jour | Heures |\n\nJour | de | à\n--- | --- | ---\n"
        "Lundi | 9 h | 12 h\nMardi | 9 h | 17 h\nJeudi | 8 h"
    )
    long = f"<table><tr><td rowspan=999>{'mot ' * 99}<td>a" + "<tr><td>b" * 998 + "</table>"
    assert len(read(parser, tmp_path, "a.html", long).text) < 5000


def test_an_aside_of_a_book_is_read_and_one_of_a_page_is_not(parser, tmp_path):
    body = "<p>Le texte.</p><aside><p>1. La note.</p></aside>"
    assert read(parser, tmp_path, "a.html", body).text == "Le texte."
    data = make_files.epub({"a.xhtml": body})
    assert read(parser, tmp_path, "a.epub", data).text == "Le texte.\n\n1. La note."


def saved(document: docx.document.Document) -> bytes:
    data = io.BytesIO()
    document.save(data)
    return data.getvalue()


def test_merged_cells_of_a_word_file_are_said_in_each_row(parser, tmp_path):
    document = docx.Document()
    table = document.add_table(rows=3, cols=3)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells],
        ("Jour", "Heures", "", "Lundi", "9 h", "12 h", "", "14 h", "17 h"),
        strict=True,
    ):
        cell.text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(2, 0))
    assert read(parser, tmp_path, "a.docx", saved(document)).text == (
        "Jour | Heures\nLundi | 9 h | 12 h\nLundi | 14 h | 17 h"
    )


def test_a_box_in_a_word_file_is_read_as_its_paragraphs(parser, tmp_path):
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "À retenir"
    cell.add_paragraph("Elle est valable un an", style="List Bullet")
    assert read(parser, tmp_path, "a.docx", saved(document)).text == (
        "À retenir\n\n- Elle est valable un an"
    )


def test_a_table_in_a_cell_of_a_word_file_is_read_once_after_its_row(parser, tmp_path):
    document = docx.Document()
    table = document.add_table(rows=3, cols=2)
    for number, text in enumerate(("Poste", "Détail", "Travaux", "par lot", "Total", "200 €")):
        table.cell(number // 2, number % 2).text = text
    inner = table.cell(1, 1).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "Lot 1", "200 €"
    assert read(parser, tmp_path, "a.docx", saved(document)).text == (
        "Poste | Détail\nTravaux | par lot\nLot 1 | 200 €\nTotal | 200 €"
    )


def test_tables_in_a_word_file_nested_deep_are_read_in_one_go(parser, tmp_path):
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    for _ in range(40):
        cell = cell.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "Au fond."
    assert read(parser, tmp_path, "a.docx", saved(document)).text == "Au fond."


def _strike_end(paragraph: docx.text.paragraph.Paragraph) -> None:
    mark = paragraph._p.get_or_add_pPr()
    run = mark.makeelement(qn("w:rPr"))
    run.append(mark.makeelement(qn("w:del")))
    mark.append(run)


def test_a_paragraph_whose_end_is_struck_out_goes_on_in_the_next(parser, tmp_path):
    document = docx.Document()
    for text in ("Le contrat est signé", " par les parties.", "Il court."):
        paragraph = document.add_paragraph(text)
        if text != " par les parties.":
            _strike_end(paragraph)
        paragraph._p.addnext(paragraph._p.makeelement(qn("w:bookmarkEnd")))
    cells = document.add_table(rows=1, cols=2).rows[0].cells
    cells[0].text, cells[1].text = "Sans inter", "Prix"
    _strike_end(cells[0].paragraphs[0])
    cells[0].add_paragraph("ruption")
    cells[1].add_paragraph("12 €")
    assert read(parser, tmp_path, "a.docx", saved(document)).text == (
        "Le contrat est signé par les parties.\n\nIl court.\n\nSans interruption | Prix 12 €"
    )


def test_the_paragraphs_of_a_note_in_a_word_file_stay_apart(parser, tmp_path):
    document = docx.Document()
    notes = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in ("Voir ici.", "Et là."))
    part = Part(
        PackURI("/word/footnotes.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml",
        f"<w:footnotes {nsdecls('w')}><w:footnote>{notes}</w:footnote></w:footnotes>".encode(),
    )
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    document.add_paragraph("Le texte.")
    assert read(parser, tmp_path, "a.docx", saved(document)).text == "Le texte.\n\nVoir ici. Et là."


def test_hidden_text_of_a_word_file_is_not_read_and_raised_digits_stay_apart(parser, tmp_path):
    document = docx.Document()
    paragraph = document.add_paragraph("À 17 h 30")
    paragraph.add_run("1").font.superscript = True
    paragraph.add_run(", le 1")
    paragraph.add_run("er").font.superscript = True
    paragraph.add_run(" caché").font.hidden = True
    paragraph.add_run(" mai.").font.hidden = False
    assert read(parser, tmp_path, "a.docx", saved(document)).text == "À 17 h 30¹, le 1er mai."


def test_a_word_file_keeps_order_headings_items_and_rows(parser, tmp_path):
    document = read(parser, tmp_path, "a.docx", make_files.word())
    assert document.text == (
        "# Rapport\n\nL’été a été chaud.\n\n## Le budget\n\n- Écoles\n- Routes\n\n"
        "Poste | 2024\nÉcoles | 12 €\n\nLe conseil a voté."
    )
    assert document.title == "Rapport de la commune"


def test_tracked_changes_are_read_as_they_would_be_accepted(parser, tmp_path):
    data = io.BytesIO()
    document = docx.Document()
    document.add_paragraph("Le prix est de 10 €.")
    document.save(data)
    changed = io.BytesIO()
    with zipfile.ZipFile(data) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/document.xml":
                content = content.replace(
                    "<w:t>Le prix est de 10 €.</w:t></w:r>".encode(),
                    "<w:t xml:space='preserve'>Le prix est de </w:t></w:r><w:del><w:r><w:delText>9"
                    "</w:delText></w:r></w:del><w:ins><w:r><w:t>10 €.</w:t></w:r></w:ins>".encode(),
                )
            new.writestr(name, content)
    assert read(parser, tmp_path, "a.docx", changed.getvalue()).text == "Le prix est de 10 €."


def test_an_e_book_is_its_chapters_in_reading_order_without_the_contents(parser, tmp_path):
    data = make_files.epub(
        {"b.xhtml": "<h1>Un</h1><p>Il neige.</p>", "a b.xhtml": "<h1>Deux</h1><p>Il pleut.</p>"}
    )
    document = read(parser, tmp_path, "a.epub", data)
    assert document.text == "# Un\n\nIl neige.\n\n# Deux\n\nIl pleut."
    assert document.title == "Le livre"


def test_the_contents_that_the_guide_of_a_book_names_are_not_read_unless_they_hold_text(
    parser, tmp_path
):
    links = "".join(f"<li><a href=a.xhtml>Chapitre {number}</a></li>" for number in range(9))
    text = "<p>Il neige sur la ville depuis ce matin, et les enfants jouent dehors.</p>" * 9
    for name, body, found in (("a", "", False), ("b", text, True)):
        data = make_files.epub({"toc.xhtml": f"<ul>{links}</ul>{body}", "a.xhtml": "<p>Fin.</p>"})
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            files = {one: packed.read(one) for one in packed.namelist()}
        guide = b"</spine><guide><reference type='toc' href='toc.xhtml#top'/></guide>"
        files["OPS/book.opf"] = files["OPS/book.opf"].replace(b"</spine>", guide)
        read_text = read(parser, tmp_path, f"{name}.epub", make_files.zipped(files)).text
        assert ("Chapitre 3" in read_text) is found
        assert read_text.endswith("Fin.")


def test_a_chapter_that_is_missing_is_said_and_the_others_are_read(parser, tmp_path):
    data = make_files.epub({"a.xhtml": "<p>Il neige.</p>", "b.xhtml": "<p>Il pleut.</p>"})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if not name.endswith("a.xhtml"):
                new.writestr(name, old.read(name))
    document = read(parser, tmp_path, "a.epub", out.getvalue())
    assert document.text == "Il pleut."
    assert "a.xhtml" in document.notices[0]


def test_a_mail_is_its_headers_then_its_text_part(parser, tmp_path):
    document = read(parser, tmp_path, "a.eml", make_files.mail(attachment="plan.pdf"))
    assert document.text == (
        "From: Zoé Lefèvre <zoe@exemple.fr>\nTo: mairie@exemple.fr\n"
        "Date: Mon, 16 Nov 2026 09:12:00 +0100\nSubject: Réunion à l’école\n\n"
        "La réunion est jeudi.\n\nÀ bientôt\n\n\nAttachments: plan.pdf"
    )
    assert document.title == "Réunion à l’école"
    assert document.notices == ("attachments are not read: plan.pdf",)


def test_a_mail_of_html_alone_is_read_too(parser, tmp_path):
    text = read(parser, tmp_path, "a.eml", make_files.mail(html=True)).text
    assert text.endswith("\n\nLa réunion est jeudi.")


def test_a_mail_whose_text_part_is_blank_is_read_from_its_html(parser, tmp_path):
    message = EmailMessage()
    message["Subject"] = "Loyer"
    message.set_content(" \n\n")
    message.add_alternative("<p>Il est de 800 €.</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bail.pdf")
    text = read(parser, tmp_path, "a.eml", message.as_bytes()).text
    assert [line for line in text.split("\n") if line.strip()] == [
        "Subject: Loyer",
        "Il est de 800 €.",
        "Attachments: bail.pdf",
    ]


def test_a_mail_without_a_word_is_its_headers(parser, tmp_path):
    message = EmailMessage()
    message["Subject"] = "Voir la pièce jointe"
    message.set_content("\n")
    message.add_alternative("\n", subtype="html")
    text = read(parser, tmp_path, "a.eml", message.as_bytes()).text
    assert text.strip() == "Subject: Voir la pièce jointe"


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii"])
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_western_mail_is_read_as_browsers_do(parser, tmp_path, kind, charset):
    head = f"Subject: a\nContent-Type: text/{kind}; charset={charset}\n\n".encode()
    text = read(parser, tmp_path, "a.eml", head + "L’été coûte 5 €".encode("cp1252")).text
    assert text == "Subject: a\n\nL’été coûte 5 €"


def test_a_mail_saved_from_a_mailbox_is_read(parser, tmp_path):
    data = "From zoe@exemple.fr Mon Nov 16 09:12:00 2026\nSubject: Vote\n\nIl est clos.\n"
    assert read(parser, tmp_path, "a.eml", data).text.strip() == "Subject: Vote\n\nIl est clos."


def test_what_a_mail_carries_is_named_and_all_of_its_text_read(parser, tmp_path):
    message = EmailMessage()
    message["Subject"] = "Compte rendu"
    message.set_content("Avant le plan.")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    message.add_attachment("Après le plan.", disposition="inline")
    message.add_attachment(b"\0", maintype="application", subtype="octet-stream")
    inner = EmailMessage()
    inner["Subject"] = "Le vote"
    inner.set_content("Pour.")
    message.add_attachment(inner)
    document = read(parser, tmp_path, "a.eml", message.as_bytes())
    names = "plan.pdf, application/octet-stream, Le vote.eml"
    assert document.text == (
        f"Subject: Compte rendu\n\nAvant le plan.\n\n\nAprès le plan.\n\n\nAttachments: {names}"
    )
    assert document.notices == (f"attachments are not read: {names}",)


def _attached(kind: str, *parts: EmailMessage | str) -> EmailMessage:
    """Return a mail of parts; a text that begins with < is HTML."""
    message = EmailMessage()
    message["Content-Type"] = f"multipart/{kind}"
    for part in parts:
        if isinstance(part, str):
            text, part = part, EmailMessage()
            part.set_content(text, subtype="html" if text.startswith("<") else "plain")
        message.attach(part)
    return message


def _plan() -> EmailMessage:
    part = EmailMessage()
    part.set_content(b"%PDF", maintype="application", subtype="pdf", filename="plan.pdf")
    return part


@pytest.mark.parametrize(
    "parts",
    [
        _attached("mixed", "<p>Avant.</p>", _plan(), "<p>Après.</p>"),
        _attached("signed", _attached("mixed", "Avant.", _plan(), "Après.")),
        _attached(
            "mixed",
            _attached("alternative", "Avant.", _attached("related", "<p>Avant !</p>")),
            _plan(),
            "<p>Après.</p>",
        ),
        _attached(
            "alternative",
            "Voir www.a.fr",
            _attached("mixed", f"<p>{'Avant. ' * 9}", _plan(), "<p>Après.</p>"),
        ),
    ],
    ids=["html", "signed", "alternative", "stub"],
)
def test_text_after_an_attachment_or_beside_a_stub_is_read(parser, tmp_path, parts):
    text = read(parser, tmp_path, "a.eml", b"Subject: a\n" + parts.as_bytes()).text
    assert list(dict.fromkeys(text.split())) == [
        *("Subject:", "a", "Avant.", "Après.", "Attachments:", "plan.pdf"),
    ]


@pytest.mark.parametrize("kind", ["mixed", "related"])
def test_the_same_words_as_text_and_as_html_are_read_once(parser, tmp_path, kind):
    parts = _attached(kind, "Le vote\nest clos.", "<p>Le <b>vote</b> est clos.", "Suite.", "👍")
    text = read(parser, tmp_path, "a.eml", b"Subject: a\n" + parts.as_bytes()).text
    assert text.split() == ["Subject:", "a", "Le", "vote", "est", "clos.", "Suite.", "👍"]


@pytest.mark.parametrize(
    "more",
    [f"<blockquote>{'Un mail plus ancien. ' * 20}</blockquote>", "<p>-- <p>Paul, 12 rue Foch"],
)
def test_a_short_reply_is_read_without_what_its_html_quotes(parser, tmp_path, more):
    parts = _attached("alternative", "Oui.", f"<p>Oui.</p>{more}")
    text = read(parser, tmp_path, "a.eml", b"Subject: a\n" + parts.as_bytes()).text
    assert text.strip() == "Subject: a\n\nOui."


def test_an_html_part_without_a_word_harms_no_mail(parser, tmp_path):
    message = _attached("alternative", "Il est clos.", "<!-- rien -->")
    text = read(parser, tmp_path, "a.eml", b"Subject: a\n" + message.as_bytes()).text
    assert text.split() == ["Subject:", "a", "Il", "est", "clos."]


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_a_mail_that_says_ascii_and_is_in_utf8_is_read(parser, tmp_path, kind):
    data = f"Subject: a\nContent-Type: text/{kind}; charset=us-ascii\n\nL’été coûte 5 €"
    assert read(parser, tmp_path, "a.eml", data).text == "Subject: a\n\nL’été coûte 5 €"


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_headers_that_are_not_encoded_are_read(parser, tmp_path, charset):
    data = "From: Zoé <z@a.fr>\nSubject: Réunion\n\nElle est jeudi."
    document = read(parser, tmp_path, "a.eml", data.encode(charset))
    assert document.title == "Réunion"
    assert document.text == data


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("", "Elle est\ndéplacée \nà jeudi."),
        ("; format=flowed", "Elle est\ndéplacée à jeudi."),
        ("; format=flowed; delsp=yes", "Elle est\ndéplacéeà jeudi."),
    ],
)
def test_lines_that_a_mail_says_are_broken_are_joined(parser, tmp_path, more, text):
    head = f"Subject: a\nContent-Type: text/plain; charset=utf-8{more}\n\n"
    quoted = text.replace("\n", "\n> ")
    broken = "Elle est\ndéplacée \nà jeudi."
    data = f"{head}{broken}\n-- \nZoé\n> {broken.replace(chr(10), chr(10) + '> ')} \n>> Non.\n"
    assert read(parser, tmp_path, "a.eml", data).text.strip() == (
        f"Subject: a\n\n{text}\n-- \nZoé\n> {quoted} \n>> Non."
    )


def test_preformatted_text_keeps_its_lines(parser, tmp_path):
    page = "<p>Un\ntexte.</p><pre><code>a = 1\nb = <b>2</b>\nc</code></pre><p>La\nfin.</p>"
    assert read(parser, tmp_path, "a.html", page).text == "Un texte.\n\na = 1\nb = 2\nc\n\nLa fin."


def test_members_with_colons_or_backslashes_in_their_names_are_read(parser, tmp_path):
    files = {"Note: budget.txt": "Il est voté.", "notes\\été.txt": "Il neige."}
    (tmp_path / "a.zip").write_bytes(make_files.zipped(files))
    sources = find_sources([tmp_path / "a.zip"], parser)
    assert [source.id for source in sources] == ["a.zip/Note: budget.txt", "a.zip/notes/été.txt"]
    assert [read_document(one, parser=parser).text for one in sources] == list(files.values())


def test_a_members_name_in_utf8_is_read_though_the_archive_does_not_say_so(parser, tmp_path):
    for number, encoding in enumerate(("utf-8", "cp437")):
        name = "Réunion été.txt".encode(encoding)
        data = make_files.zipped({"x" * len(name): "Elle est jeudi."})
        (tmp_path / f"{number}.zip").write_bytes(data.replace(b"x" * len(name), name))
        [source] = find_sources([tmp_path / f"{number}.zip"], parser)
        assert source.id == f"{number}.zip/Réunion été.txt"
        assert read_document(source, parser=parser).text == "Elle est jeudi."


def test_the_members_of_an_archive_are_documents_named_after_it(parser, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.zip").write_bytes(
        make_files.zipped(
            {
                "notes/budget-2024.md": "# Le budget\n\nIl est voté.",
                "rapport.docx": make_files.word(),
                "photo.png": b"\x89PNG",
                "__MACOSX/notes/._budget.md": b"\0\1",
                ".cache/x.txt": "caché",
                f"{'long' * 75}.txt": "Un nom de trois cents lettres.",
            }
        )
    )
    sources = find_sources([tmp_path / "docs"], parser)
    assert [source.id for source in sources] == [
        f"a.zip/{'long' * 75}.txt",
        "a.zip/notes/budget-2024.md",
        "a.zip/rapport.docx",
    ]
    texts = [read_document(source, parser=parser).text for source in sources]
    assert texts[0] == "Un nom de trois cents lettres."
    assert texts[1] == "# Le budget\n\nIl est voté."
    assert "Le conseil a voté." in texts[2]
    assert read_document(sources[1], parser=parser).title == "Le budget"
    [alone] = find_sources([tmp_path / "docs/a.zip/rapport.docx"], parser)
    assert read_document(alone, parser=parser).text == texts[2]
