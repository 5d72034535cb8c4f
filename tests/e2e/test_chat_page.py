"""The chat page in a real chromium, over an assistant that follows a script."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from qa.errors import ModelUnavailable
from qa.types import Event, Evidence, Piece, Statement
from scripted import Script, ScriptedAssistant

pytestmark = pytest.mark.e2e


NEWS = "irak.txt"
LEASE = "bail.txt"
HEADING = "Évaluation de la situation"
TEXTS = {
    NEWS: (
        "🙂 Les pourparlers ont repris dimanche. La coalition a été formée en 2014.\n"
        "Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie.\n\n"
        f"{HEADING}\n"
        "Plus de 165 attaques ont été comptées. Elles ont été revendiquées."
    ),
    LEASE: "Le loyer est de 800 euros.\nIl est dû le premier du mois.",
}
ABSTENTION = "Les documents ne répondent pas à cette question."


def answer(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    """Answer in three statements over two documents; the second repeats a citation of the first."""
    soldiers = assistant.cite(NEWS, "2500")
    founded = assistant.cite(NEWS, "2014")
    rent = assistant.cite(LEASE, "800")
    statements = (
        Statement("Environ 2500 soldats sont en Irak.", (soldiers,), "supported"),
        Statement("La coalition date de 2014.", (founded, soldiers), "partly"),
        Statement(rent.text, (rent,), "quoted"),
    )
    yield Evidence((soldiers, founded), chosen=False)
    yield Evidence((soldiers, founded, rent), chosen=True, confidence=0.9)
    for statement in statements:
        yield Piece(statement.text + " ")
    yield from statements
    yield assistant.answer(
        question,
        " ".join(statement.text for statement in statements),
        statements=statements,
        citations=(soldiers, founded, rent),
        notices=("Ollama ne répond pas ; le modèle embarqué a répondu.",),
    )


def assistant(script: Script = answer, **options: object) -> ScriptedAssistant:
    return ScriptedAssistant(dict(TEXTS), script, headings=(HEADING,), **options)


def box(page: Page):
    return page.get_by_role("textbox", name="Question", exact=True)


def log(page: Page):
    return page.get_by_role("log")


def panel(page: Page):
    return page.get_by_role("region", name="Document")


def open_document(page: Page, title: str) -> None:
    panel(page).get_by_role("tab", name="Documents").click()
    panel(page).get_by_role("button", name=title).first.click()
    expect(panel(page).get_by_role("tab", selected=True)).to_have_text(title)


def ask(page: Page, question: str) -> None:
    box(page).fill(question)
    box(page).press("Enter")


def settled(page: Page, answers: int = 1) -> None:
    expect(page.locator(".qa-exchange")).to_have_count(answers)
    expect(log(page)).to_have_attribute("aria-busy", "false")


def highlighted(page: Page) -> list[str]:
    return page.locator('[aria-current="true"]').evaluate_all("all => all.map(e => e.textContent)")


def test_every_marker_shows_exactly_its_citation(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    markers = page.locator("a.cite")
    assert markers.all_text_contents() == ["[1]", "[2]", "[1]", "[3]"]
    cited = [("2500", NEWS), ("2014", NEWS), ("2500", NEWS), ("800", LEASE)]
    for marker, (part, document) in zip(markers.all(), cited, strict=True):
        marker.click()
        citation = scripted.cite(document, part)
        sentence = panel(page).locator('[aria-current="true"]')
        expect(sentence).to_have_text(citation.text)
        expect(sentence).to_be_in_viewport()
        assert highlighted(page) == [citation.text]
    assert "en partie appuyé" in log(page).text_content()
    assert "cité tel quel" in log(page).text_content()


def test_what_was_overtaken_on_the_way_takes_nothing_off_the_page(browser, serve) -> None:
    served = serve(assistant())
    held: list[tuple[Route, APIResponse]] = []
    with browser.new_context(locale="fr-FR") as context:
        page = context.new_page()
        # What fills a new page comes by itself, not in the stream that answers come in.
        page.route("**/gradio_api/run/**", lambda route: held.append((route, route.fetch())))
        page.goto(served.url)
        page.locator(".qa-document > *").first.wait_for()
        ask(page, "Combien de soldats ?")
        settled(page)
        expect(page.locator("a.cite")).to_have_count(4)
        assert held
        for route, response in held:
            route.fulfill(response=response)
        page.wait_for_timeout(500)  # for nothing to happen
        assert page.locator("a.cite").count() == 4
        assert page.locator(".qa-considered, .qa-chosen").count() == 2
        expect(page.locator(".qa-talk")).to_have_text("Combien de soldats ?")


def test_markers_of_an_earlier_answer_keep_working(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    ask(page, "Et encore ?")
    settled(page, answers=2)
    assert [turn.question for turn in scripted.asked[1][1]] == ["Combien de soldats ?"]
    page.locator(".qa-exchange").nth(1).locator("a.cite").first.click()
    expect(panel(page).locator('[aria-current="true"]')).to_contain_text("2500")
    page.locator(".qa-exchange").nth(0).locator("a.cite").last.click()
    expect(panel(page).locator('[aria-current="true"]')).to_have_text("Le loyer est de 800 euros.")
    expect(panel(page).get_by_role("tab", selected=True)).to_have_text("bail")


def test_escape_clears_the_highlight_and_returns_to_the_marker(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    page.locator("a.cite").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator('[aria-current="true"]')).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator('[aria-current="true"]')).to_have_count(0)
    expect(page.locator("a.cite").first).to_be_focused()


def test_the_panel_holds_the_whole_text(serve, visit) -> None:
    page = visit(serve(assistant()))
    open_document(page, "irak")
    expect(page.locator(".qa-document")).to_have_text(TEXTS[NEWS], use_inner_text=False)
    assert page.locator(".qa-document").evaluate("e => e.textContent") == TEXTS[NEWS]
    expect(panel(page).get_by_role("heading", name=HEADING)).to_be_visible()


def test_evidence_lights_up_before_the_first_word(serve, visit) -> None:
    go = threading.Event()

    def waits(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        events = answer(scripted, question)
        yield next(events)
        assert go.wait(30)
        yield from events

    page = visit(serve(assistant(waits)))
    open_document(page, "irak")
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-considered")).to_have_count(2)
    expect(log(page)).to_have_attribute("aria-busy", "true")
    expect(page.locator('[aria-current="true"]')).to_have_count(0)
    go.set()
    settled(page)
    expect(page.locator(".qa-considered")).to_have_count(0)
    expect(page.locator(".qa-chosen")).to_have_count(2)


def test_words_appear_as_they_are_written(serve, visit) -> None:
    go = threading.Event()

    def slow(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield Piece("Environ 2500 ")
        assert go.wait(30)
        yield from answer(scripted, question)

    page = visit(serve(assistant(slow)))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_have_text("Environ 2500 ")
    go.set()
    settled(page)
    expect(page.locator(".qa-draft")).to_have_text("")
    expect(log(page)).to_contain_text("Ollama ne répond pas")


def test_an_abstention_offers_the_nearest_sentences(serve, visit) -> None:
    def abstains(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        nearest = (scripted.cite(LEASE, "800"), scripted.cite(NEWS, "165"))
        yield Evidence(nearest, chosen=False)
        yield Evidence((), chosen=True)
        yield scripted.answer(question, ABSTENTION, answered=False, nearest=nearest)

    page = visit(serve(assistant(abstains)))
    ask(page, "Quelle est la capitale du Japon ?")
    settled(page)
    expect(log(page)).to_contain_text(ABSTENTION)
    expect(page.locator("a.cite")).to_have_count(0)
    page.get_by_role("button", name="165 attaques").click()
    expect(page.locator('[aria-current="true"]')).to_have_text(
        "Plus de 165 attaques ont été comptées."
    )


def test_stop_closes_the_generator_and_keeps_what_was_written(serve, visit) -> None:
    def endless(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        while True:
            yield Piece("mot ")
            threading.Event().wait(0.02)

    scripted = assistant(endless)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    page.get_by_role("button", name="Arrêter").click()
    settled(page)
    assert scripted.closed.wait(10)
    expect(log(page)).to_contain_text("mot mot")
    expect(log(page)).to_contain_text("Réponse arrêtée.")
    scripted.script = answer
    ask(page, "Combien de soldats ?")
    settled(page, answers=2)


def test_closing_the_tab_closes_the_generator(serve, visit) -> None:
    def endless(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        while True:
            yield Piece("mot ")
            threading.Event().wait(0.02)

    scripted = assistant(endless)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    page.close()
    assert scripted.closed.wait(20)


def test_two_browsers_do_not_mix(serve, visit) -> None:
    both_asked = threading.Barrier(2, timeout=30)

    def echoes(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        both_asked.wait()
        part = "2500" if "soldats" in question else "800"
        cited = scripted.cite(NEWS if part == "2500" else LEASE, part)
        statement = Statement(f"Réponse à {question}", (cited,), "supported")
        yield statement
        yield scripted.answer(question, statement.text, statements=(statement,), citations=(cited,))

    served = serve(assistant(echoes))
    one, two = visit(served), visit(served)
    ask(one, "Combien de soldats ?")
    ask(two, "Quel loyer ?")
    settled(one)
    settled(two)
    expect(log(one)).to_contain_text("Réponse à Combien de soldats ?")
    expect(log(two)).to_contain_text("Réponse à Quel loyer ?")
    expect(log(one)).not_to_contain_text("loyer")
    one.locator("a.cite").click()
    expect(one.locator('[aria-current="true"]')).to_contain_text("2500")
    expect(two.locator('[aria-current="true"]')).to_have_count(0)


def test_an_error_is_told_and_the_next_question_works(serve, visit) -> None:
    def dies(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield Piece("Environ ")
        raise ModelUnavailable("the model stopped answering; start Ollama again")

    scripted = assistant(dies)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    expect(log(page)).to_contain_text("The model stopped answering; start Ollama again")
    scripted.script = answer
    ask(page, "Combien de soldats ?")
    settled(page, answers=2)
    expect(page.locator("a.cite")).to_have_count(4)


def test_an_unforeseen_error_is_told_without_its_details(serve, visit) -> None:
    def breaks(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        raise ZeroDivisionError("secret detail")
        yield

    page = visit(serve(assistant(breaks)))
    ask(page, "Combien de soldats ?")
    settled(page)
    expect(log(page)).to_contain_text("La réponse a échoué")
    expect(log(page)).not_to_contain_text("secret detail")


def test_uploads_are_added_or_refused_one_by_one(serve, visit, tmp_path: Path) -> None:
    good = tmp_path / "notes.md"
    good.write_text("La réunion est lundi.", "utf-8")
    broken = tmp_path / "cassé.txt"
    broken.write_bytes(b"\0\1\2 binary")
    page = visit(serve(assistant()))
    page.locator("#qa-side input[type=file]").set_input_files([good, broken])
    uploads = page.locator(".qa-uploads")
    expect(uploads).to_contain_text("notes.md : ajouté")
    expect(uploads).to_contain_text("is a binary file; give a text file")
    expect(page.locator(".qa-document")).to_have_text("La réunion est lundi.")
    titles = page.locator(".qa-book-title").all_text_contents()
    assert set(titles) == {"bail", "irak", "notes"}


@pytest.mark.parametrize(
    ("locale", "language", "send", "stop", "upload"),
    [
        ("fr-FR", "fr", "Envoyer", "Arrêter", "Ajouter des documents"),
        ("en-GB", "en", "Send", "Stop", "Add documents"),
    ],
)
def test_labels_follow_the_browser(serve, visit, locale, language, send, stop, upload) -> None:
    go = threading.Event()

    def waits(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        assert go.wait(30)
        yield from answer(scripted, question)

    page = visit(serve(assistant(waits)), locale=locale)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.get_by_role("button", name=send, exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=upload).first).to_be_visible()
    box(page).fill("Combien de soldats ?")
    page.get_by_role("button", name=send, exact=True).click()
    expect(page.get_by_role("button", name=stop, exact=True)).to_be_visible()
    go.set()
    settled(page)


INJECTIONS = (
    "<script>window.hacked=1</script>",
    "${Object.assign(window,{hacked:1})}",
    "`${window.hacked=1}`",
    "{{value}} {{#each this}}x{{/each}}",
    "<img src=http://example.org/x.png onerror=window.hacked=1>",
    "[lien](http://example.org/) ![image](http://example.org/y.png)",
    "<a href='javascript:window.hacked=1'>x</a>",
    '__i18n__{"__type__": "translation_metadata", "key": "send"}',
    "\u202etxet desrever\u202c",
    "&lt;b&gt; &amp; \"guillemets\" 'simples'",
)


def test_hostile_text_is_shown_as_text(serve, visit) -> None:
    def repeats(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        cited = scripted.cite("hostile.txt", question)
        statement = Statement(question, (cited,), "supported")
        yield Piece(question)
        yield statement
        yield scripted.answer(
            question + "?",
            question,
            statements=(statement,),
            citations=(cited,),
            nearest=(cited,),
            notices=(question,),
            unfinished=question,
        )

    everything = " ".join(INJECTIONS)
    scripted = assistant(repeats, backend=everything, notices=INJECTIONS)
    scripted.texts = {"hostile.txt": "\n".join(INJECTIONS)}
    page = visit(serve(scripted))
    expect(page.locator(".qa-model")).to_contain_text(everything)
    assert page.locator(".qa-notes .qa-notice").all_text_contents() == list(INJECTIONS)
    expect(page.locator(".qa-sentence")).to_have_count(len(INJECTIONS))
    assert page.locator(".qa-sentence").all_text_contents() == list(INJECTIONS)
    for number, hostile in enumerate(INJECTIONS):
        ask(page, hostile)
        settled(page, answers=number + 1)
        exchange = page.locator(".qa-exchange").nth(number)
        shown = (".qa-question bdi", ".qa-statement .qa-text", ".qa-quoted", ".qa-notice")
        for place in (*shown, ".qa-unfinished-words"):
            assert exchange.locator(place).all_text_contents() == [hostile]
        assert exchange.locator(".qa-asked bdi").all_text_contents() == [hostile + "?"]
        exchange.locator("a.cite").click()
        expect(page.locator('[aria-current="true"]')).to_have_count(1)
        assert highlighted(page) == [hostile]
    assert page.evaluate("window.hacked") is None
    assert page.locator("#qa-page img, #qa-page script").count() == 0


def test_hostile_file_names_are_shown_as_text(serve, visit, tmp_path: Path) -> None:
    name = "<img src=x onerror=window.hacked=1>${window.hacked=1}.txt"
    (tmp_path / name).write_text("Une phrase.", "utf-8")
    page = visit(serve(assistant()))
    page.locator("#qa-side input[type=file]").set_input_files([tmp_path / name])
    expect(page.locator(".qa-uploads")).to_contain_text("ajouté")
    expect(page.locator(".qa-document")).to_have_text("Une phrase.")
    assert page.evaluate("window.hacked") is None


def test_a_citation_across_sentences_is_highlighted_exactly(serve, visit) -> None:
    def spans(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        first, last = scripted.cite(NEWS, "2014"), scripted.cite(NEWS, "2500")
        text = TEXTS[NEWS][first.start + 3 : last.end - 4]
        cited = type(first)(NEWS, "irak", None, first.start + 3, last.end - 4, text, 1.0)
        statement = Statement("Oui.", (cited, last), "supported")
        yield scripted.answer(question, "Oui.", statements=(statement,), citations=(cited, last))

    page = visit(serve(assistant(spans)))
    ask(page, "Combien de soldats ?")
    settled(page)
    start = TEXTS[NEWS].index("coalition")
    page.locator("a.cite").first.click()
    expect(page.locator('[aria-current="true"]')).to_have_count(1)
    assert highlighted(page) == [TEXTS[NEWS][start : TEXTS[NEWS].index("Syrie.") + 2]]
    assert page.locator(".qa-document").evaluate("e => e.textContent") == TEXTS[NEWS]
    page.locator("a.cite").last.click()
    expect(page.locator('[aria-current="true"]')).to_have_text(
        "Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie."
    )
    assert page.locator(".qa-document").evaluate("e => e.textContent") == TEXTS[NEWS]


def test_an_example_asks_its_question(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    first = page.locator(".qa-example").first
    question = first.text_content()
    first.click()
    settled(page)
    assert scripted.asked == [(question, ())]
    expect(page.locator(".qa-example")).to_have_count(0)


def test_enter_sends_and_shift_enter_breaks_the_line(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    box(page).press_sequentially("Un")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("deux")
    box(page).press("Enter")
    settled(page)
    assert [question for question, _ in scripted.asked] == ["Un\ndeux"]
    expect(box(page)).to_have_value("")


def test_markers_are_reached_with_the_keyboard(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    log(page).focus()
    page.keyboard.press("Tab")
    expect(page.locator("a.cite").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator('[aria-current="true"]')).to_contain_text("2500")


def test_a_phone_shows_the_document_in_a_sheet_below_without_sideways_scrolling(
    serve, visit
) -> None:
    page = visit(serve(assistant()), viewport={"width": 375, "height": 700})
    ask(page, "Combien de soldats ?")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    question, document = box(page).bounding_box(), panel(page).bounding_box()
    assert document["y"] >= question["y"] + question["height"]
    marker = page.locator("a.cite").first
    marker.click()
    expect(page.locator('[aria-current="true"]')).to_be_in_viewport()
    assert panel(page).bounding_box()["y"] < document["y"]
    page.get_by_role("button", name="Retour à la réponse").click()
    expect(marker).to_be_in_viewport()
    expect(page.locator('[aria-current="true"]')).to_have_count(0)


def test_the_model_and_its_warming_are_shown(serve, visit) -> None:
    scripted = assistant(warm_lines=("lecture du document : 40 %",), notices=("ollama pull x",))
    page = visit(serve(scripted))
    model = page.locator(".qa-model")
    expect(model).to_contain_text("scripted · no model")
    expect(model).to_contain_text("lecture du document : 40 %")
    expect(page.locator(".qa-notes")).to_contain_text("Ollama pull x")
    scripted.warm_go.set()
    expect(model).not_to_contain_text("40 %")


def test_a_changed_document_does_not_light_up_another_sentence(
    serve, visit, tmp_path: Path
) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    changed = tmp_path / LEASE
    changed.write_text("Le loyer est de 900 euros.", "utf-8")
    page.locator("#qa-side input[type=file]").set_input_files([changed])
    expect(page.locator(".qa-document")).to_have_text("Le loyer est de 900 euros.")
    page.locator("a.cite").last.click()
    expect(page.get_by_role("alert")).to_contain_text("Le document a changé")
    assert highlighted(page) == []
