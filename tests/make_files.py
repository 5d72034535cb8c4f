"""Files of every format, made by the tests: nothing binary is kept in the repository."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import pytest

Placed = tuple[float, float, float, str]  # x and y in points from the bottom left, size, text


def pdf(pages: list[list[Placed]]) -> bytes:
    """Return an A4 PDF with pieces of text at given places, in the order given."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>"
        % (len(pages), b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages)))),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    for number, pieces in enumerate(pages):
        drawn = b"\n".join(_drawn(*piece) for piece in pieces)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>" % (5 + 2 * number)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn))
    return _with_table(objects)


def _drawn(x: float, y: float, size: float, text: str) -> bytes:
    written = text.encode("cp1252")
    for special in (b"\\", b"(", b")"):
        written = written.replace(special, b"\\" + special)
    return b"BT /F1 %f Tf %f %f Td (%s) Tj ET" % (size, x, y, written)


def _with_table(objects: list[bytes]) -> bytes:
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer<</Size %d/Root 1 0 R>>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % table)
    return out.getvalue()


def lines(text: str, x: float = 70, top: float = 770, size: float = 12) -> list[Placed]:
    """Return the lines of a text below each other; a blank line leaves one free."""
    return [
        (x, top - 1.4 * size * number, size, line)
        for number, line in enumerate(text.split("\n"))
        if line
    ]


def printed(folder: Path, html: str) -> Path:
    """Return a web page as a PDF that chromium printed; the test is skipped where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: apt install chromium")
    page, target = folder / "page.html", folder / "page.pdf"
    page.write_text(html, encoding="utf-8")
    subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"),
            *(f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={target}", page.as_uri()),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return target


def word() -> bytes:
    """Return a Word file with a title, a heading, a list, a table and prose."""
    document = docx.Document()
    document.core_properties.title = "Rapport de la commune"
    document.add_heading("Rapport", 0)
    document.add_paragraph("L’été a été chaud.")
    document.add_heading("Le budget", 2)
    document.add_paragraph("Écoles", style="List Bullet")
    document.add_paragraph("Routes", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells],
        ("Poste", "2024", "Écoles", "12 €"),
        strict=True,
    ):
        cell.text = text
    document.add_paragraph("Le conseil a voté.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zipped(files: dict[str, str | bytes], *, stored: tuple[str, ...] = ()) -> bytes:
    """Return a zip of files by name; those in ``stored`` come first and are not compressed."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            how = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            packed.writestr(name, content, compress_type=how)
    return out.getvalue()


def epub(chapters: dict[str, str], more: dict[str, str | bytes] | None = None) -> bytes:
    """Return an e-book of chapters (file name → XHTML body), in the order given."""
    items = "".join(
        f'<item id="c{number}" href="{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    files: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc'
        '/elements/1.1/"><metadata><dc:title>Le livre</dc:title></metadata><manifest>'
        f'{items}<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" '
        f'properties="nav"/></manifest><spine><itemref idref="nav"/>{spine}</spine></package>',
        "OPS/nav.xhtml": "<html><body><p>Table des matières</p></body></html>",
    }
    for name, body in chapters.items():
        files[f"OPS/{name}"] = (
            '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
            f"<head><title>x</title></head><body>{body}</body></html>"
        )
    return zipped(files | (more or {}), stored=("mimetype",))


def mail(*, html: bool = False, attachment: str = "") -> bytes:
    """Return a mail in French, with its text as a plain part or as HTML alone."""
    message = EmailMessage()
    message["From"] = "Zoé Lefèvre <zoe@exemple.fr>"
    message["To"] = "mairie@exemple.fr"
    message["Date"] = "Mon, 16 Nov 2026 09:12:00 +0100"
    message["Subject"] = "Réunion à l’école"
    if html:
        message.set_content("<p>La réunion est <b>jeudi</b>.</p>", subtype="html")
    else:
        message.set_content("La réunion est jeudi.\n\nÀ bientôt")
        message.add_alternative("<p>Version HTML.</p>", subtype="html")
    if attachment:
        message.add_attachment(
            b"%PDF-1.4", maintype="application", subtype="pdf", filename=attachment
        )
    return message.as_bytes()
