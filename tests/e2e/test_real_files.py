"""Real files through the real assistant in a real chromium; only the language model is scripted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from test_chat_page import ask, box, highlighted, log, panel, settled
from test_document_panel import reports, send, show_list

from fakes import Reply, ScriptedModel
from ollama_double import Fault, OllamaDouble
from ollama_double import Reply as OllamaReply
from qa.assistant import Assistant
from qa.errors import ModelUnavailable
from qa.llm.ollama import OllamaModel
from serving import opened
from test_bad_files import blank_pdf, locked_pdf
from test_pipeline import TROOPS, says

pytestmark = pytest.mark.e2e

BRIDGE = "Le pont de Kerval mesure 212 mètres et relie les deux rives depuis 1934."
FILLER = "Une commission visite la région chaque année et rend un rapport sur ses routes. "
HTML = f"<h1>Les ponts</h1><p>{FILLER * 60}</p><p>{FILLER}{BRIDGE} {FILLER}</p><p>{FILLER * 9}</p>"


def model(*, fails: bool = False) -> ScriptedModel:
    """A model that knows the bridge's length and the number of soldiers when it sees them."""
    cut = ModelUnavailable(
        "the connection to the Ollama model 'qwen' broke in mid-answer (peer closed); ask again,"
        " and if it happens again look at the server's log"
    )

    def reply(prompt: object) -> Reply | str:
        said = prompt.messages[-1].content
        if prompt.schema is not None:
            return '{"ids":[]}'
        if prompt.max_tokens == 1:
            return says(5.0 if "212" in said or "2500" in said else -5.0)
        if fails:
            return Reply("Environ 2500 soldats", error=cut)
        return "212 mètres." if "pont" in said else "2500 soldats."

    return ScriptedModel(default=reply)


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Callable[..., Assistant]]:
    with opened(tmp_path, model()) as assistant:
        yield assistant


def test_a_printed_pdf_is_sent_asked_clicked_and_framed(
    serve, visit, real, browser: Browser, tmp_path: Path
) -> None:
    printer = browser.new_page()
    printer.set_content(HTML)
    printer.pdf(path=tmp_path / "ponts.pdf", format="A4")
    printer.close()
    page = visit(serve(real))
    send(page, tmp_path / "ponts.pdf")
    expect(reports(page)).to_have_text(["ponts.pdf : ajouté"])
    ask(page, "Combien de mètres mesure le pont de Kerval ?")
    settled(page)
    expect(page.locator(".qa-statement .qa-text")).to_have_text(["212 mètres."])
    page.locator("a.cite").first.click()
    expect(page.locator('[aria-current="true"]')).to_be_in_viewport()
    (shown,) = highlighted(page)
    assert " ".join(shown.split()) == BRIDGE
    panel(page).get_by_role("button", name="Voir la page").click()
    picture = panel(page).get_by_role("img", name="Page")
    expect(picture).to_be_visible()
    frame = page.locator(".qa-frame").first
    expect(frame).to_be_in_viewport()
    assert ink(page) > 0.02  # letters stand in the frame: not a blank place of the page


def ink(page: Page) -> float:
    """Return the share of dark points inside the frame, in the picture of the page."""
    return page.evaluate(
        """() => {
            const image = document.querySelector('.qa-page-image');
            const whole = image.getBoundingClientRect();
            const frame = document.querySelector('.qa-frame').getBoundingClientRect();
            const scale = image.naturalWidth / whole.width;
            const canvas = document.createElement('canvas');
            canvas.width = frame.width * scale;
            canvas.height = frame.height * scale;
            const drawing = canvas.getContext('2d');
            drawing.drawImage(image, (frame.x - whole.x) * scale, (frame.y - whole.y) * scale,
                canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
            const points = drawing.getImageData(0, 0, canvas.width, canvas.height).data;
            let dark = 0;
            for (let at = 0; at < points.length; at += 4) dark += points[at] < 128;
            return dark / (points.length / 4);
        }"""
    )


def test_files_that_hold_nothing_to_ask_say_so_in_the_reader_s_language(
    serve, visit, real, tmp_path: Path
) -> None:
    (tmp_path / "secret.pdf").write_bytes(locked_pdf())
    (tmp_path / "scan.pdf").write_bytes(blank_pdf(3))
    (tmp_path / "faux.txt").write_bytes(locked_pdf())
    (tmp_path / "vide.md").write_text(" \n", "utf-8")
    files = [tmp_path / name for name in ("secret.pdf", "scan.pdf", "faux.txt", "vide.md")]
    served = serve(real)
    says_why = {
        "fr-FR": (
            "'secret.pdf' est chiffré ; ouvrez-le avec son mot de passe",
            "'scan.pdf' est numérisé : ses 3 pages sont des images sans texte",
            "'faux.txt' est un fichier PDF, et non du texte",
            "'vide.md' ne contient que des espaces",
        ),
        "en-GB": (
            "'secret.pdf' is encrypted; open it with its password",
            "'scan.pdf' is scanned: its 3 pages are pictures without text",
            "'faux.txt' is a PDF file, not text",
            "'vide.md' holds only white space",
        ),
    }
    for locale, lines in says_why.items():
        page = visit(served, locale=locale)
        send(page, *files)
        expect(reports(page)).to_contain_text(list(lines))
        show_list(page)
        expect(page.locator(".qa-book")).to_have_count(1)
    assert [info.id for info in real.documents()] == ["irak.txt"]


def test_a_name_that_leads_elsewhere_is_kept_in_the_documents_folder(
    serve, visit, real, tmp_path: Path
) -> None:
    page = visit(serve(real))
    page.evaluate(
        """names => {
            const data = new DataTransfer();
            for (const name of names) data.items.add(new File(['Une phrase.'], name));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true,
                cancelable: true}));
        }""",
        ["../../évadé.txt", "é" * 300 + ".txt"],
    )
    expect(reports(page)).to_contain_text(["ajouté", "ajouté"])
    folder = tmp_path / "documents"
    assert {file.name for file in folder.iterdir()} == {"irak.txt", "évadé.txt", "é" * 98 + ".txt"}
    assert not list(tmp_path.parent.glob("évadé*"))
    show_list(page)
    expect(page.locator(".qa-book")).to_have_count(3)


def test_ollama_that_ends_in_mid_answer_leaves_the_proof_and_says_so_in_french(
    serve, visit, tmp_path: Path
) -> None:
    with opened(tmp_path, model(fails=True)) as assistant:
        page = visit(serve(assistant))
        ask(page, TROOPS)
        settled(page)
        expect(log(page)).to_contain_text("La réponse n’a pas été écrite jusqu’à sa fin")
        expect(log(page)).to_contain_text("s’est rompue au milieu de la réponse (peer closed)")
        page.locator("a.cite").first.click()
        expect(page.locator('[aria-current="true"]')).to_contain_text("2500 soldats")
        expect(page.get_by_role("button", name="Réessayer")).to_be_visible()


def top(shown: Locator) -> float:
    box = shown.bounding_box()
    assert box is not None
    return box["y"]


class Dying(OllamaDouble):
    """An Ollama server whose connection breaks while it writes its ``fatal``-th answer."""

    fatal = 1

    def note(self, method: str, path: str, body: Any) -> None:
        super().note(method, path, body)
        writes = path == "/api/chat" and body.get("messages") and not body.get("format")
        if writes and body["options"].get("num_predict", 0) > 1:
            self.fatal -= 1
            if self.fatal == 0:
                self.faults.append(Fault("cut_connection", after=3))


def test_a_real_connection_that_breaks_in_mid_answer_keeps_the_proof_with_retry(
    serve, visit, tmp_path: Path
) -> None:
    def writes(messages: list[dict[str, str]], body: dict[str, Any]) -> OllamaReply | str:
        if body.get("format"):
            return '{"ids":[1]}'
        if body["options"].get("num_predict") == 1:
            return OllamaReply("Oui", tops=({"Oui": -0.01, "Non": -5.0},))
        return "Environ 2500 soldats en Irak."

    with (
        Dying("0.32.15", reply=writes) as server,
        opened(tmp_path, OllamaModel(server.url, server.model)) as assistant,
    ):
        page = visit(serve(assistant))
        ask(page, TROOPS)
        settled(page)
        expect(log(page)).to_contain_text("La réponse n’a pas été écrite jusqu’à sa fin")
        expect(log(page)).to_contain_text("s’est rompue au milieu de la réponse")
        for _ in range(2):
            words = page.get_by_text("Environ 2500", exact=True)
            expect(words).to_be_visible()
            mark = page.get_by_text("Texte inachevé et non vérifié :")
            expect(mark).to_be_visible()
            quotation = page.locator(".qa-statement").first
            expect(quotation.locator(".qa-text")).to_contain_text("2500 soldats")
            marker = quotation.get_by_role("link", name="[1] Source : irak, cité tel quel")
            assert top(mark) < top(words) < top(quotation) <= top(marker)
            page.reload()
            settled(page)
        marker.click()
        expect(page.locator('[aria-current="true"]')).to_contain_text("2500 soldats")
        page.get_by_role("button", name="Réessayer").click()
        expect(page.locator(".qa-statement .qa-text")).to_have_text(
            ["Environ 2500 soldats en Irak."]
        )
        settled(page)
        expect(log(page)).not_to_contain_text("jusqu’à sa fin")
        expect(log(page)).not_to_contain_text("inachevé")


def test_questions_are_answered_while_a_file_is_being_indexed(
    serve, visit, real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, indexing = threading.Event(), threading.Event()
    add = Assistant.add_file

    def slowly(self: Assistant, path: Path) -> str:
        indexing.set()
        assert go.wait(600)
        return add(self, path)

    monkeypatch.setattr(Assistant, "add_file", slowly)
    page = visit(serve(real))
    (tmp_path / "notes.md").write_text("La réunion est lundi.", "utf-8")
    send(page, tmp_path / "notes.md")
    expect(reports(page)).to_have_text(["notes.md : lecture et indexation…"])
    assert indexing.wait(60)
    ask(page, TROOPS)
    settled(page)
    expect(page.locator("a.cite").first).to_be_visible()
    go.set()
    expect(reports(page)).to_have_text(["notes.md : ajouté"])
    expect(box(page)).to_be_editable()
