"""The documents in a real chromium: long ones, several, chosen, removed, sent, and as pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from test_chat_page import (
    INJECTIONS,
    LEASE,
    NEWS,
    answer,
    ask,
    assistant,
    highlighted,
    open_document,
    panel,
    settled,
)

from qa.types import Event, Piece, Statement
from scripted import Report, ScriptedAssistant

pytestmark = pytest.mark.e2e

REPORT = "rapport.pdf"
LONG = "long.txt"


def cites(document: str, *parts: str):
    """Return a script that cites the sentences of a document which contain the parts."""

    def script(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        cited = tuple(scripted.cite(document, part) for part in parts)
        statements = tuple(Statement(one.text, (one,), "quoted") for one in cited)
        yield scripted.answer(question, statements=statements, citations=cited)

    return script


def long_text(sentences: int, per_line: int = 5) -> str:
    lines = [f"La phrase {n} parle de la pluie." for n in range(1, sentences + 1)]
    starts = range(0, sentences, per_line)
    return "\n".join(" ".join(lines[at : at + per_line]) for at in starts)


def sentence(page: Page, number: int) -> Locator:
    return page.get_by_role("tabpanel").get_by_text(
        f"La phrase {number} parle de la pluie.", exact=True
    )


def with_report() -> ScriptedAssistant:
    scripted = assistant(cites(REPORT, "deuxième"))
    scripted.texts[REPORT] = "Voici la première page.\n\fVoici la deuxième page.\n\fFin."
    return scripted


def book(page: Page, title: str) -> Locator:
    return page.locator(".qa-book").filter(has_text=title)


def show_list(page: Page) -> None:
    panel(page).get_by_role("tab", name="Documents").click()


def expect_tabs(page: Page, *titles: str) -> None:
    shown = panel(page).get_by_role("tab").locator(".qa-tab-title")
    expect(shown).to_have_text(titles)


def send(page: Page, *paths: Path) -> None:
    page.locator("#qa-side input[type=file]").set_input_files(paths)


def reports(page: Page) -> Locator:
    return page.locator(".qa-uploads .qa-upload")


@pytest.mark.parametrize("per_line", [5, 20_000])
def test_among_20_000_sentences_the_right_one_is_shown_with_its_neighbours(
    serve, visit, per_line: int
) -> None:
    scripted = assistant(cites(LONG, "phrase 15000 ", "phrase 4 "))
    scripted.texts = {LONG: long_text(20_000, per_line)}
    page = visit(serve(scripted))
    ask(page, "Quelle phrase ?")
    settled(page)
    for marker, number in zip(page.locator("a.cite").all(), (15_000, 4), strict=True):
        marker.click()
        expect(page.locator('[aria-current="true"]')).to_be_in_viewport()
        assert highlighted(page) == [f"La phrase {number} parle de la pluie."]
        for neighbour in (number - 3, number + 3):
            expect(sentence(page, neighbour)).to_be_in_viewport()
    assert page.locator(".qa-document").evaluate("e => e.textContent") == scripted.texts[LONG]


def test_only_what_is_in_view_is_laid_out_and_all_of_it_can_be_found(serve, visit) -> None:
    scripted = assistant()
    scripted.texts = {LONG: long_text(20_000)}
    page = visit(serve(scripted))
    laid_out = (
        "leaves => leaves.filter(e => e.lastChild.checkVisibility({contentVisibilityAuto: true}))"
        ".length"
    )
    leaves = page.locator(".qa-leaf")
    assert leaves.count() > 50
    assert 1 <= leaves.evaluate_all(laid_out) < 10
    assert page.evaluate("window.find('phrase 19999 parle')")
    assert page.evaluate("getSelection().toString()") == "phrase 19999 parle"


def test_a_document_keeps_its_place_while_another_one_is_read(serve, visit) -> None:
    scripted = assistant(cites(LONG, "phrase 900 "))
    scripted.texts[LONG] = long_text(1_000)
    page = visit(serve(scripted))
    ask(page, "Quelle phrase ?")
    settled(page)
    page.locator("a.cite").click()
    expect(page.locator('[aria-current="true"]')).to_be_in_viewport()
    panel(page).get_by_role("tab", name="bail").click()
    expect(page.locator('[aria-current="true"]')).to_have_count(0)
    panel(page).get_by_role("tab", name="long").click()
    expect(sentence(page, 900)).to_be_in_viewport()


def test_tabs_are_opened_walked_and_closed_with_the_keyboard(serve, visit) -> None:
    page = visit(serve(assistant()))
    expect_tabs(page, "Documents", "bail")
    open_document(page, "irak")
    expect_tabs(page, "Documents", "bail", "irak")
    chosen = panel(page).get_by_role("tab", selected=True)
    chosen.focus()
    page.keyboard.press("ArrowLeft")
    expect(chosen).to_have_text("bail")
    expect(chosen).to_be_focused()
    expect(page.locator(".qa-document")).to_contain_text("Le loyer")
    page.keyboard.press("ArrowLeft")
    expect(chosen).to_contain_text("Documents")
    expect(page.locator(".qa-books")).to_be_visible()
    page.keyboard.press("End")
    expect(chosen).to_have_text("irak")
    page.keyboard.press("Delete")
    expect(chosen).to_have_text("bail")
    panel(page).get_by_role("button", name="Fermer le document : bail").click()
    expect(chosen).to_contain_text("Documents")
    expect_tabs(page, "Documents")


def test_the_list_says_what_is_known_of_each_document(serve, visit) -> None:
    scripted = assistant()
    scripted.remarks = {LEASE: ("page 3 holds no text",)}
    page = visit(serve(scripted))
    show_list(page)
    expect(book(page, "bail")).to_contain_text("2 phrases · interrogé")
    expect(book(page, "bail").locator(".qa-notice")).to_have_text("Page 3 holds no text")
    expect(book(page, "irak").locator(".qa-notice")).to_have_count(0)


def test_a_long_list_can_be_searched(serve, visit) -> None:
    scripted = assistant()
    scripted.texts.update({f"compte-rendu-{n}.txt": "Une réunion." for n in range(40)})
    scripted.texts["Été.txt"] = "Il fait beau."
    page = visit(serve(scripted))
    show_list(page)
    panel(page).get_by_role("searchbox").fill("ete")
    expect(page.locator(".qa-book-title")).to_have_text(["Été"])


def test_the_question_goes_to_the_chosen_documents_only(serve, visit) -> None:
    scripted = assistant(lambda self, question: iter([self.answer(question, "Rien.")]))
    page = visit(serve(scripted))
    show_list(page)
    box = panel(page).get_by_role("checkbox", name="Interroger : bail")
    box.uncheck()
    expect(panel(page).get_by_role("tab", name="Documents")).to_contain_text("1/2")
    expect(book(page, "bail")).to_contain_text("laissé de côté")
    ask(page, "Un ?")
    settled(page)
    show_list(page)
    box.check()
    ask(page, "Deux ?")
    settled(page, answers=2)
    assert scripted.asked_of == [(NEWS,), None]


def test_the_choice_of_documents_outlives_a_reload(serve, visit, tmp_path: Path) -> None:
    scripted = assistant(lambda self, question: iter([self.answer(question, "Rien.")]))
    page = visit(serve(scripted))
    show_list(page)
    panel(page).get_by_role("checkbox", name="Interroger : bail").uncheck()
    expect(panel(page).get_by_role("tab", name="Documents")).to_contain_text("1/2")
    page.reload()
    expect(panel(page).get_by_role("tab", name="Documents")).to_contain_text("1/2")
    ask(page, "Un ?")
    settled(page)
    show_list(page)
    expect(panel(page).get_by_role("checkbox", name="Interroger : bail")).not_to_be_checked()
    (tmp_path / LEASE).write_text("Le loyer est de 900 euros.", "utf-8")
    send(page, tmp_path / LEASE)
    expect(reports(page)).to_contain_text(["déjà là"])
    expect(panel(page).get_by_role("tab", name="Documents")).not_to_contain_text("1/2")
    ask(page, "Deux ?")
    settled(page, answers=2)
    assert scripted.asked_of == [(NEWS,), None]


def test_one_document_at_least_is_asked(serve, visit) -> None:
    page = visit(serve(assistant()))
    show_list(page)
    panel(page).get_by_role("checkbox", name="Interroger : bail").uncheck()
    last = panel(page).get_by_role("checkbox", name="Interroger : irak")
    last.click()
    expect(last).to_be_checked()
    expect(page.locator(".qa-shelf-said")).to_contain_text("Un document au moins")
    panel(page).get_by_role("checkbox", name="Interroger tous les documents").check()
    expect(panel(page).get_by_role("checkbox", name="Interroger : bail")).to_be_checked()


def test_a_document_is_removed_only_when_that_is_confirmed(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    open_document(page, "irak")
    show_list(page)
    remove = panel(page).get_by_role("button", name="Retirer : irak")
    remove.click()
    expect(page.get_by_role("button", name="Annuler")).to_be_focused()
    page.keyboard.press("Escape")
    expect(remove).to_be_focused()
    remove.click()
    page.get_by_role("button", name="Annuler").click()
    assert set(scripted.texts) == {LEASE, NEWS}
    remove.click()
    page.get_by_role("group").get_by_role("button", name="Retirer").click()
    expect(page.locator(".qa-shelf-said")).to_contain_text("irak")
    expect(page.locator(".qa-book-title")).to_have_text(["bail"])
    assert set(scripted.texts) == {LEASE}
    expect_tabs(page, "Documents", "bail")


def test_a_document_that_is_gone_already_is_told(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    show_list(page)
    panel(page).get_by_role("button", name="Retirer : irak").click()
    del scripted.texts[NEWS]
    page.get_by_role("group").get_by_role("button", name="Retirer").click()
    expect(page.locator(".qa-shelf-said")).to_contain_text("no document 'irak.txt'")
    expect(page.locator(".qa-book-title")).to_have_text(["bail"])


def test_documents_are_brought_in_step_and_changed_ones_drawn_anew(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    show_list(page)
    scripted.texts[LEASE] = "Le loyer est de 950 euros.\nIl est dû le premier du mois."
    scripted.texts["neuf.txt"] = "Une phrase."
    scripted.report = Report(
        added=("neuf.txt",),
        updated=(LEASE,),
        failed=(("/documents/scan.pdf", "'scan.pdf' has no text; run OCR on it"),),
    )
    panel(page).get_by_role("button", name="Actualiser").click()
    said = page.locator(".qa-shelf-said")
    expect(said).to_contain_text("1 ajouté(s), 1 mis à jour")
    expect(said).to_contain_text("scan.pdf : 'scan.pdf' has no text; run OCR on it")
    expect(page.locator(".qa-book-title")).to_have_text(["bail", "irak", "neuf"])
    open_document(page, "bail")
    expect(page.locator(".qa-document")).to_contain_text("950 euros")


def test_a_text_that_others_changed_is_drawn_anew_for_the_next_answer(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    open_document(page, "bail")
    expect(page.locator(".qa-document")).to_contain_text("800 euros")
    scripted.texts[LEASE] = "Le loyer est de 800 francs.\nIl est dû le premier du mois."
    scripted.texts["neuf.txt"] = "Une phrase."
    ask(page, "Combien de soldats ?")
    settled(page)
    page.locator("a.cite").last.click()
    expect(page.locator('[aria-current="true"]')).to_have_text("Le loyer est de 800 francs.")
    expect(page.locator(".qa-changed")).to_be_hidden()
    show_list(page)
    expect(page.locator(".qa-book-title")).to_have_text(["bail", "irak", "neuf"])


def test_documents_change_while_a_question_is_answered(serve, visit, tmp_path: Path) -> None:
    go = threading.Event()

    def waits(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield Piece("Environ ")
        assert go.wait(120)
        yield from answer(scripted, question)

    scripted = assistant(waits)
    scripted.texts["vieux.txt"] = "Une vieille phrase."
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_have_text("Environ ")
    (tmp_path / "notes.md").write_text("La réunion est lundi.", "utf-8")
    send(page, tmp_path / "notes.md")
    expect(reports(page)).to_have_text(["notes.md : ajouté"])
    expect(page.locator(".qa-document")).to_have_text("La réunion est lundi.")
    show_list(page)
    panel(page).get_by_role("button", name="Retirer : vieux").click()
    page.get_by_role("group").get_by_role("button", name="Retirer").click()
    expect(page.locator(".qa-book-title")).to_have_text(["bail", "irak", "notes"])
    go.set()
    settled(page)
    expect(page.locator("a.cite")).to_have_count(4)
    show_list(page)
    expect(page.locator(".qa-book-title")).to_have_text(["bail", "irak", "notes"])


def test_files_dropped_anywhere_are_sent_one_by_one(serve, visit) -> None:
    page = visit(serve(assistant()))
    drop = """files => {
        const data = new DataTransfer();
        for (const [name, text] of files) data.items.add(new File([text], name));
        const target = document.querySelector('#qa-question textarea');
        for (const type of ['dragenter', 'dragover', 'drop']) {
            target.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true,
                cancelable: true}));
            if (type === 'dragover') window.overlay =
                getComputedStyle(document.querySelector('.qa-overlay')).display;
        }
    }"""
    page.evaluate(drop, [["un.txt", "Une phrase."], ["deux.md", "Deux mots."], ["vide.txt", " "]])
    expect(reports(page)).to_have_text(
        [
            "un.txt : ajouté",
            "deux.md : ajouté",
            "vide.txt : 'vide.txt' is empty; give a file with text",
        ]
    )
    assert page.evaluate("window.overlay") == "flex"
    expect(page.locator(".qa-overlay")).to_be_hidden()
    expect(page.locator(".qa-document")).to_have_text("Deux mots.")
    page.get_by_role("button", name="Fermer", exact=True).click()
    expect(reports(page)).to_have_count(0)


def test_a_file_on_its_way_shows_how_far_it_is(serve, visit, tmp_path: Path) -> None:
    page = visit(serve(assistant()))
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000},
    )
    (tmp_path / "gros.txt").write_text("Une phrase. " * 100_000, "utf-8")
    (tmp_path / "petit.txt").write_text("Une phrase.", "utf-8")
    page.evaluate(
        """() => {
            window.seen = new Set();
            new MutationObserver(() => {
                const bar = document.querySelector('.qa-upload progress');
                if (bar) window.seen.add(bar.value);
            }).observe(document.querySelector('.qa-uploads'), {childList: true, subtree: true});
        }"""
    )
    send(page, tmp_path / "gros.txt", tmp_path / "petit.txt")
    expect(reports(page).nth(1)).to_have_text("petit.txt : en attente")
    expect(reports(page)).to_have_text(["gros.txt : ajouté", "petit.txt : ajouté"], timeout=60_000)
    assert len(page.evaluate("[...window.seen]")) > 2


def test_files_that_cannot_be_read_say_why(serve, visit, tmp_path: Path) -> None:
    scripted = assistant()
    scripted.refused = {
        "secret.txt": "'secret.txt' is encrypted; remove its password",
        "scan.txt": "'scan.txt' holds pictures of pages and no text; run OCR on it",
    }
    page = visit(serve(scripted, max_file_mb=1))
    for name in (*scripted.refused, "bon.txt"):
        (tmp_path / name).write_text("Une phrase.", "utf-8")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "lourd.txt").write_text("Une phrase. " * 120_000, "utf-8")
    names = ("secret.txt", "photo.jpg", "lourd.txt", "scan.txt", "bon.txt")
    send(page, *(tmp_path / name for name in names))
    texts = ["encrypted", ".txt, .md", "1 Mo (1,4 Mo)", "run OCR on it", "ajouté"]
    for line, text in zip(reports(page).all(), texts, strict=True):
        expect(line).to_contain_text(text)
    assert set(scripted.texts) == {LEASE, NEWS, "bon.txt"}


def test_the_server_refuses_a_file_that_is_too_large_too(serve, visit, tmp_path: Path) -> None:
    page = visit(serve(assistant(), max_file_mb=1))
    (tmp_path / "lourd.txt").write_text("Une phrase. " * 120_000, "utf-8")
    page.evaluate("Object.defineProperty(Blob.prototype, 'size', {get: () => 1})")
    send(page, tmp_path / "lourd.txt")
    expect(reports(page)).to_have_text(["lourd.txt : trop gros : la limite est de 1 Mo"])


def test_the_same_file_twice_is_told(serve, visit, tmp_path: Path) -> None:
    page = visit(serve(assistant()))
    (tmp_path / "notes.md").write_text("La réunion est lundi.", "utf-8")
    send(page, tmp_path / "notes.md")
    expect(reports(page)).to_have_text(["notes.md : ajouté"])
    send(page, tmp_path / "notes.md")
    expect(reports(page).last).to_contain_text("déjà là")


def test_an_upload_cut_in_the_middle_adds_nothing_and_can_be_tried_again(
    serve, visit, tmp_path: Path
) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    (tmp_path / "notes.md").write_text("La réunion est lundi.", "utf-8")
    page.route("**/gradio_api/upload", lambda route: route.abort("connectionreset"))
    send(page, tmp_path / "notes.md")
    expect(reports(page)).to_contain_text(["l’envoi a été interrompu"])
    assert set(scripted.texts) == {LEASE, NEWS}
    page.unroute("**/gradio_api/upload")
    page.get_by_role("button", name="Réessayer").click()
    expect(reports(page)).to_have_text(["notes.md : ajouté"])
    assert set(scripted.texts) == {LEASE, NEWS, "notes.md"}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("a" * 300 + ".md", "a" * 197 + ".md"),
        (".cache.txt", "cache.txt"),
        ("\u202etxt.exe.txt", "_txt.exe.txt"),
    ],
)
def test_strange_names_are_kept_harmless(serve, visit, name: str, kept: str) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    page.evaluate(
        """name => {
            const data = new DataTransfer();
            data.items.add(new File(['Une phrase.'], name));
            document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true,
                cancelable: true}));
        }""",
        name,
    )
    expect(reports(page)).to_contain_text(["ajouté"])
    assert set(scripted.texts) == {LEASE, NEWS, kept}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_pdf_offers_its_pages_with_the_sentence_framed(serve, visit) -> None:
    page = visit(serve(with_report()))
    toggle = panel(page).get_by_role("button", name="Voir la page")
    expect(toggle).to_be_hidden()
    ask(page, "Quelle page ?")
    settled(page)
    page.locator("a.cite").click()
    expect(page.locator('[aria-current="true"]')).to_have_text("Voici la deuxième page.")
    toggle.click()
    sheet = panel(page).get_by_role("img", name="Page 2, rapport")
    expect(sheet).to_be_visible()
    expect(page.locator(".qa-frame")).to_have_count(2)
    expect(page.locator(".qa-document")).to_be_visible()
    whole, frame = sheet.bounding_box(), page.locator(".qa-frame").first.bounding_box()
    assert frame["x"] == pytest.approx(whole["x"] + whole["width"] * 0.1, abs=6)
    assert frame["y"] == pytest.approx(whole["y"] + whole["height"] * 0.2, abs=6)
    assert frame["width"] == pytest.approx(whole["width"] * 0.8, abs=8)
    panel(page).get_by_role("button", name="Page suivante").click()
    expect(panel(page).get_by_role("img", name="Page 3, rapport")).to_be_visible()
    expect(page.locator(".qa-frame")).to_have_count(0)
    expect(panel(page).get_by_role("button", name="Page suivante")).to_be_disabled()
    toggle.click()
    expect(page.locator(".qa-picture")).to_be_hidden()


def test_a_page_that_cannot_be_drawn_is_told(serve, visit) -> None:
    scripted = with_report()
    page = visit(serve(scripted))
    open_document(page, "rapport")
    scripted.texts[REPORT] = "La fin."
    panel(page).get_by_role("button", name="Voir la page").click()
    expect(panel(page).get_by_role("img")).to_be_visible()
    panel(page).get_by_role("button", name="Page suivante").click()
    expect(page.locator(".qa-page-problem")).to_have_text("'rapport.pdf' has no page 2")
    expect(panel(page).get_by_role("img")).to_be_hidden()


def test_hostile_titles_are_shown_as_text(serve, visit) -> None:
    scripted = assistant()
    scripted.texts = {f"{number}.pdf": "Une phrase." for number in range(len(INJECTIONS))}
    scripted.titles = {f"{n}.pdf": title for n, title in enumerate(INJECTIONS)}
    scripted.remarks = {f"{n}.pdf": (title,) for n, title in enumerate(INJECTIONS)}
    page = visit(serve(scripted))
    show_list(page)
    assert page.locator(".qa-book-title").all_text_contents() == list(INJECTIONS)
    assert page.locator(".qa-book .qa-notice").all_text_contents() == list(INJECTIONS)
    for opener in page.locator(".qa-open").all():
        show_list(page)
        opener.click()
        expect(page.locator(".qa-reader")).to_be_visible()
    panel(page).get_by_role("button", name="Voir la page").click()
    expect(panel(page).get_by_role("img")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_without_documents_the_page_says_how_to_add_some(serve, visit, tmp_path: Path) -> None:
    scripted = assistant()
    scripted.texts = {}
    page = visit(serve(scripted))
    expect(page.locator(".qa-drop-hint")).to_contain_text("Aucun document pour l’instant")
    expect(page.locator(".qa-drop-hint")).to_contain_text(".md")
    (tmp_path / "notes.md").write_text("La réunion est lundi.", "utf-8")
    with page.expect_file_chooser() as chooser:
        page.locator(".qa-choose-files").click()
    chooser.value.set_files(tmp_path / "notes.md")
    expect(page.locator(".qa-document")).to_have_text("La réunion est lundi.")
    expect(page.locator(".qa-example")).to_have_count(3)


def test_files_outside_the_folder_of_uploads_are_not_added(serve, visit, tmp_path: Path) -> None:
    served = serve(assistant())
    page = visit(served)
    (tmp_path / "private.txt").write_text("Un secret.", "utf-8")
    page.route(
        "**/gradio_api/upload",
        lambda route: route.fulfill(json=[str(tmp_path / "private.txt")]),
    )
    (tmp_path / "leurre.txt").write_text("Rien.", "utf-8")
    send(page, tmp_path / "leurre.txt")
    expect(reports(page)).to_contain_text(["n’est plus là ; envoyez le fichier à nouveau"])
    assert (tmp_path / "private.txt").exists()
    assert urlsplit(served.url).hostname == "127.0.0.1"
