"""What is read from html, docx, epub and eml files, and from archives of documents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

import make_files
from qa.documents import Parser, Source, find_sources, read_document
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
        "Dépenses\nPoste | 2024\nÉcoles | 12\u00a0€\nRoutes et ponts"
    )
    assert document.title == "Le budget"


def test_the_main_part_of_a_page_is_read_alone_if_it_is_named(parser, tmp_path):
    page = "<body><p>Publicité.</p><main><header><h1>Titre</h1></header><p>Le texte.</main>"
    assert read(parser, tmp_path, "a.html", page).text == "# Titre\n\nLe texte."


def test_a_list_of_links_is_navigation_and_a_list_of_prose_with_links_is_not(parser, tmp_path):
    links = "".join(f"<li><a href=x>lien numéro {n}</a></li>" for n in range(6))
    prose = "".join(
        f"<li>Une longue phrase qui parle de choses et d’autres avec <a>{n}</a>.</li>"
        for n in range(6)
    )
    text = read(parser, tmp_path, "a.html", f"<p>Début.</p><ul>{links}</ul><ul>{prose}</ul>").text
    assert "lien numéro" not in text
    assert text.count("- Une longue phrase") == 6


def test_a_table_that_lays_out_a_page_is_read_as_its_cells(parser, tmp_path):
    inner = "<table><tr><td>a</td><td>b</td></tr></table>"
    page = f"<table><tr><td><p>Un.</p></td><td><p>Deux.</p>{inner}</td></tr></table>"
    assert read(parser, tmp_path, "a.html", page).text == "Un.\n\nDeux.\n\na | b"


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


def test_pages_nested_as_deep_as_the_parser_goes_are_read(parser, tmp_path):
    page = "<div>" * 200 + "<p>Au fond." + "</div>" * 200 + "<p>Dehors."
    assert read(parser, tmp_path, "a.html", page).text == "Au fond.\n\nDehors."


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


def test_preformatted_text_keeps_its_lines(parser, tmp_path):
    page = "<p>Un\ntexte.</p><pre><code>a = 1\nb = <b>2</b>\nc</code></pre><p>La\nfin.</p>"
    assert read(parser, tmp_path, "a.html", page).text == "Un texte.\n\na = 1\nb = 2\nc\n\nLa fin."


def test_members_with_colons_or_backslashes_in_their_names_are_read(parser, tmp_path):
    files = {"Note: budget.txt": "Il est voté.", "notes\\été.txt": "Il neige."}
    (tmp_path / "a.zip").write_bytes(make_files.zipped(files))
    sources = find_sources([tmp_path / "a.zip"], parser)
    assert [source.id for source in sources] == ["a.zip/Note: budget.txt", "a.zip/notes/été.txt"]
    assert [read_document(one, parser=parser).text for one in sources] == list(files.values())


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
