"""Conversations and what can be done with an answer, in a real chromium."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from test_chat_page import INJECTIONS, LEASE, NEWS, answer, ask, assistant, box, log, settled

from qa.errors import ModelUnavailable, QAError
from qa.types import Event, Evidence, Piece, Statement, Timings, Turn, Usage
from qa.ui.conversations import Conversations
from scripted import ScriptedAssistant

pytestmark = pytest.mark.e2e

BUSY = "another program is writing to the index in '/srv/qa'; try again when it is done"
SOLDIERS = "Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie."


def talks(page: Page):
    return page.get_by_role("navigation", name="Conversations")


def show_talks(page: Page):
    page.get_by_role("button", name="Afficher les conversations").click()
    return talks(page)


def choose(page: Page, action: str) -> None:
    """Choose an action of the latest conversation's menu."""
    item = talks(page).get_by_role("listitem").first
    item.hover()
    item.get_by_role("button", name="Autres actions").click()
    page.get_by_role("menuitem", name=action).click()


def names(page: Page) -> list[str]:
    return talks(page).locator(".qa-talk bdi").all_text_contents()


def endless(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
    while True:
        yield Piece("mot ")
        threading.Event().wait(0.1)


def test_a_reload_and_a_second_tab_show_the_conversation(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    assert re.search(r"\?c=[\w-]{16}$", page.url)
    page.reload()
    settled(page)
    expect(page.locator(".qa-question")).to_contain_text("Combien de soldats ?")
    page.locator("a.cite").first.click()
    expect(page.locator('[aria-current="true"]')).to_have_text(SOLDIERS)
    other = page.context.new_page()
    other.goto(page.url.split("?")[0])
    show_talks(other).get_by_role("button", name="Combien de soldats ?", exact=True).click()
    settled(other)
    assert other.url == page.url


def test_a_question_that_is_being_typed_outlives_a_reload(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    box(page).fill("Combien de ${soldats}")
    page.reload()
    expect(box(page)).to_have_value("Combien de ${soldats}")
    box(page).press_sequentially(" ?")
    box(page).press("Enter")
    settled(page)
    assert [question for question, _ in scripted.asked] == ["Combien de ${soldats} ?"]
    page.reload()
    settled(page)
    expect(box(page)).to_have_value("")


def test_conversations_do_not_share_their_history(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    ask(page, "Un ?")
    settled(page)
    show_talks(page).get_by_role("button", name="Nouvelle conversation").click()
    settled(page, answers=0)
    assert "?c=" not in page.url
    ask(page, "Deux ?")
    settled(page)
    assert scripted.asked[1] == ("Deux ?", ())
    show_talks(page)
    expect(talks(page).locator(".qa-talk")).to_have_count(2)
    assert names(page) == ["Deux ?", "Un ?"]
    talks(page).get_by_role("button", name="Un ?", exact=True).click()
    expect(page.locator(".qa-question")).to_contain_text("Un ?")
    ask(page, "Trois ?")
    settled(page, answers=2)
    assert [turn.question for turn in scripted.asked[2][1]] == ["Un ?"]


def test_back_and_forward_go_from_conversation_to_conversation(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Un ?")
    settled(page)
    first = page.url
    show_talks(page).get_by_role("button", name="Nouvelle conversation").click()
    settled(page, answers=0)
    ask(page, "Deux ?")
    settled(page)
    second = page.url
    page.evaluate("history.back()")
    expect(page.locator(".qa-question")).to_contain_text("Un ?")
    expect(page).to_have_url(first)
    page.evaluate("history.forward()")
    expect(page.locator(".qa-question")).to_contain_text("Deux ?")
    expect(page).to_have_url(second)
    ask(page, "Trois ?")
    settled(page, answers=2)
    expect(page.locator(".qa-question").first).to_contain_text("Deux ?")
    page.evaluate("history.back()")
    settled(page)
    expect(page.locator(".qa-question")).to_contain_text("Un ?")


def test_a_conversation_is_renamed_and_deleted_after_asking(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    show_talks(page)
    choose(page, "Renommer")
    page.get_by_role("textbox", name="Nouveau nom").fill("Irak <b>2026</b>")
    page.keyboard.press("Enter")
    expect(talks(page).locator(".qa-talk")).to_have_text("Irak <b>2026</b>")
    choose(page, "Supprimer")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Irak <b>2026</b>")
    dialog.get_by_role("button", name="Annuler").click()
    expect(page.locator(".qa-exchange")).to_have_count(1)
    choose(page, "Supprimer")
    dialog.get_by_role("button", name="Supprimer").click()
    settled(page, answers=0)
    expect(talks(page).locator(".qa-talk")).to_have_count(0)
    page.reload()
    expect(page.locator(".qa-example").first).to_be_visible()


def test_escape_leaves_the_name_as_it_was(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    page.locator("a.cite").first.click()
    show_talks(page)
    choose(page, "Renommer")
    page.get_by_role("textbox", name="Nouveau nom").fill("Autre")
    page.keyboard.press("Escape")
    expect(page.get_by_role("textbox", name="Nouveau nom")).to_have_count(0)
    expect(talks(page).get_by_role("button", name="Autres actions")).to_be_focused()
    expect(page.locator('[aria-current="true"]')).to_have_text(SOLDIERS)  # Escape went no further
    page.reload()
    settled(page)
    expect(page.locator(".qa-talk bdi")).to_have_text(["Combien de soldats ?"])


def test_back_goes_past_a_conversation_that_was_deleted(serve, visit) -> None:
    page = visit(serve(assistant()))
    for question in ("Un ?", "Deux ?"):
        ask(page, question)
        settled(page)
        show_talks(page).get_by_role("button", name="Nouvelle conversation").click()
        settled(page, answers=0)
    show_talks(page)
    choose(page, "Supprimer")  # the latest one, which the page before this shows
    page.get_by_role("dialog").get_by_role("button", name="Supprimer").click()
    expect(talks(page).locator(".qa-talk")).to_have_count(1)
    page.evaluate("history.back()")
    expect(page.get_by_role("alert")).to_contain_text("n’existe plus")
    page.evaluate("history.back()")
    expect(page.locator(".qa-question")).to_contain_text("Un ?")


def test_an_export_that_fails_is_told_where_it_is_seen(serve, visit) -> None:
    served = serve(assistant())
    page = visit(served)
    ask(page, "Combien de soldats ?")
    settled(page)
    show_talks(page)
    said = talks(page).get_by_role("status")
    with page.expect_download():
        choose(page, "Exporter en JSON")
    expect(said).to_have_class(re.compile("qa-hidden"))  # read out alone
    served._conversations.delete(page.url.split("?c=")[1])
    choose(page, "Exporter en JSON")
    expect(said).to_contain_text("n’existe plus")
    expect(said).not_to_have_class(re.compile("qa-hidden"))
    page.route("**/gradio_api/**", lambda route: route.abort())
    choose(page, "Exporter en Markdown")
    expect(said).to_contain_text("ne répond plus")


def test_the_last_question_is_edited(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    ask(page, "Un ?")
    settled(page)
    ask(page, "Deux ?")
    settled(page, answers=2)
    page.get_by_role("button", name="Modifier la question").click()
    form = page.get_by_role("textbox", name="Modifier la question")
    expect(form).to_be_focused()
    form.press("Escape")
    expect(page.get_by_role("button", name="Modifier la question")).to_be_focused()
    page.keyboard.press("Enter")
    form.fill("Deux, autrement ?")
    form.press("Enter")
    expect(page.locator(".qa-question").last).to_contain_text("Deux, autrement ?")
    settled(page, answers=2)
    question, history = scripted.asked[2]
    assert (question, [turn.question for turn in history]) == ("Deux, autrement ?", ["Un ?"])
    page.reload()
    settled(page, answers=2)
    expect(page.locator(".qa-question").last).to_contain_text("Deux, autrement ?")


def test_a_stopped_answer_is_kept_and_tried_again(serve, visit) -> None:
    scripted = assistant(endless)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    page.get_by_role("button", name="Arrêter").click()
    settled(page)
    page.reload()
    settled(page)
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    expect(log(page)).to_contain_text("Réponse arrêtée.")
    scripted.script = answer
    page.get_by_role("button", name="Réessayer").click()
    expect(page.locator("a.cite")).to_have_count(4)
    settled(page)
    assert scripted.asked[1] == ("Combien de soldats ?", ())


def test_a_reload_in_the_middle_keeps_what_was_written(serve, visit) -> None:
    page = visit(serve(assistant(endless)))
    ask(page, "Combien de soldats ?")
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    page.reload()
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    settled(page)
    expect(page.get_by_role("button", name="Réessayer")).to_be_visible()


def test_an_answer_that_fails_in_the_middle_is_kept_marked_with_retry(serve, visit) -> None:
    def dies(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        soldiers = scripted.cite(NEWS, "2500")
        yield Statement("Environ 2500 soldats.", (soldiers,), "supported")
        yield Piece("Et puis ")
        raise ModelUnavailable("Ollama stopped answering; start it again with `ollama serve`")

    scripted = assistant(dies)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    for _ in range(2):
        expect(page.locator(".qa-answer")).to_contain_text("Environ 2500 soldats.")
        expect(page.locator(".qa-draft")).to_have_text("Et puis ")
        expect(page.locator(".qa-error:not(.qa-page-problem)")).to_contain_text(
            "Réponse incomplète."
        )
        expect(page.locator(".qa-error:not(.qa-page-problem)")).to_contain_text(
            "start it again with `ollama serve`"
        )
        page.reload()
        settled(page)
    page.locator("a.cite").click()
    expect(page.locator('[aria-current="true"]')).to_have_text(SOLDIERS)
    scripted.script = answer
    page.get_by_role("button", name="Réessayer").click()
    expect(page.locator("a.cite")).to_have_count(4)
    expect(page.locator(".qa-exchange")).to_have_count(1)


def test_the_card_shows_the_quotation_on_hover_and_focus(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    card = page.get_by_role("tooltip")
    marker = page.locator("a.cite").first
    marker.hover()
    expect(card.locator("blockquote")).to_have_text(SOLDIERS)
    expect(card).to_contain_text("irak")
    expect(card).to_contain_text("appuyé par la source")
    card.hover()  # the card stays under the pointer
    page.wait_for_timeout(400)
    expect(card).to_be_visible()
    page.mouse.move(2, 2)
    expect(card).to_be_hidden()
    log(page).focus()
    page.keyboard.press("Tab")
    expect(card).to_be_visible()
    assert marker.get_attribute("aria-describedby") == card.get_attribute("id")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(marker).to_be_focused()


def test_each_marker_says_how_well_it_is_supported(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    for name, label in [
        ("[1] Source : irak, appuyé par la source", "supported"),
        ("[2] Source : irak, en partie appuyé", "partly"),
        ("[3] Source : bail, cité tel quel", "quoted"),
    ]:
        expect(page.get_by_role("link", name=name, exact=True)).to_have_class(f"cite {label}")
    looks = page.locator("a.cite").evaluate_all(
        "all => all.map(e => getComputedStyle(e).color + getComputedStyle(e).borderStyle"
        " + getComputedStyle(e, '::before').content)"
    )
    assert len(set(looks)) == 3


def test_the_fold_says_why(serve, visit) -> None:
    def explained(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        soldiers, founded = scripted.cite(NEWS, "2500"), scripted.cite(NEWS, "2014")
        statement = Statement("2500.", (soldiers,), "supported")
        yield Evidence((soldiers,), chosen=True)
        yield statement
        yield scripted.answer(
            "Combien de soldats en Irak ?",
            "2500.",
            statements=(statement,),
            citations=(soldiers,),
            considered=(soldiers, founded),
            confidence=0.72,
            answerable=0.97,
            usage=Usage(1834, 212, 37, truncated=True),
            timings=Timings(retrieve_s=0.12, total_s=2.5),
            notices=("one statement was replaced by a quotation",),
        )

    page = visit(serve(assistant(explained)), locale="en-GB")
    ask(page, "Et en Irak ?")
    settled(page)
    sure = page.locator(".qa-confidence")
    expect(sure).to_contain_text("Medium confidence")
    expect(sure).to_have_attribute("title", "72%")
    page.get_by_text("See why").click()
    why = page.locator(".qa-why-body")
    for part in (
        "Combien de soldats en Irak ?",
        "72%",
        "The documents answer97%",
        "scripted · no model",
        "1,834 read by the model · 212 computed · 37 written",
        "The text sent to the model was cut.",
        "search 0.12 s · in all 2.50 s",
        "One statement was replaced by a quotation",
        "score 1.00 · cited [1]",
    ):
        expect(why).to_contain_text(part)
    why.get_by_role("button", name="formée en 2014").click()
    expect(page.locator('[aria-current="true"]')).to_have_text("La coalition a été formée en 2014.")


def test_an_answer_is_copied_with_its_footnotes(serve, visit) -> None:
    page = visit(serve(assistant()), permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Combien de soldats ?")
    settled(page)
    page.get_by_role("button", name="Copier la réponse").click()
    expect(page.locator(".qa-toast")).to_have_text("Réponse copiée")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(
        "Environ 2500 soldats sont en Irak. [1] La coalition date de 2014. [2]"
    )
    assert f"[1] irak : « {SOLDIERS} »" in copied


def test_a_conversation_is_exported_with_its_citations(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    show_talks(page)
    with page.expect_download() as waiting:
        choose(page, "Exporter en Markdown")
    assert waiting.value.suggested_filename == "Combien-de-soldats.md"
    written = Path(waiting.value.path()).read_text("utf-8")
    assert "## Combien de soldats ?" in written
    assert "[^1-3]: bail, 0–27 : « Le loyer est de 800 euros. »" in written.replace("0–26", "0–27")
    with page.expect_download() as waiting:
        choose(page, "Exporter en JSON")
    record = json.loads(Path(waiting.value.path()).read_text("utf-8"))
    cited = record["exchanges"][0]["answer"]["citations"][0]
    assert scripted.texts[NEWS][cited["start"] : cited["end"]] == cited["text"] == SOLDIERS


def test_unfinished_words_are_exported_as_such_and_no_part_of_the_history(serve, visit) -> None:
    def quotes(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        soldiers = scripted.cite(NEWS, "2500")
        quoted = Statement(SOLDIERS, (soldiers,), "quoted")
        yield Piece("Environ 25")
        yield quoted
        yield scripted.answer(
            question,
            SOLDIERS,
            statements=(quoted,),
            citations=(soldiers,),
            unfinished="Environ 25",
        )

    scripted = assistant(quotes)
    page = visit(serve(scripted))
    ask(page, "Combien de soldats ?")
    settled(page)
    ask(page, "Et en Syrie ?")
    settled(page, answers=2)
    assert scripted.asked[1] == ("Et en Syrie ?", (Turn("Combien de soldats ?", SOLDIERS),))
    show_talks(page)
    with page.expect_download() as waiting:
        choose(page, "Exporter en Markdown")
    written = Path(waiting.value.path()).read_text("utf-8")
    assert written.count("> Texte inachevé et non vérifié : Environ 25 ") == 2


def test_a_verdict_is_stored_with_the_answer(serve, visit, tmp_path: Path) -> None:
    file = tmp_path / "conversations.sqlite"
    page = visit(serve(assistant(), conversations=file))
    ask(page, "Combien de soldats ?")
    settled(page)
    down = page.get_by_role("button", name="Mauvaise réponse")
    down.click()
    expect(down).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Bonne réponse").click()
    expect(down).to_have_attribute("aria-pressed", "false")
    page.reload()
    up = page.get_by_role("button", name="Bonne réponse")
    expect(up).to_have_attribute("aria-pressed", "true")
    (feedback,) = Conversations(file).feedback()
    assert (feedback.question, feedback.verdict) == ("Combien de soldats ?", "up")
    assert feedback.answer.citations[0].text == SOLDIERS


def test_an_answer_goes_on_where_it_was_asked(serve, visit) -> None:
    go = threading.Event()

    def waits(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield Piece("Je cherche ")
        if question == "Lente ?":
            assert go.wait(60)
        yield from answer(scripted, question)

    page = visit(serve(assistant(waits)))
    ask(page, "Lente ?")
    expect(page.locator(".qa-draft")).to_have_text("Je cherche ")
    show_talks(page).get_by_role("button", name="Nouvelle conversation").click()
    settled(page, answers=0)
    ask(page, "Rapide ?")
    settled(page)
    go.set()
    show_talks(page).get_by_role("button", name="Lente ?", exact=True).click()
    expect(page.locator(".qa-question")).to_contain_text("Lente ?")
    expect(page.locator("a.cite")).to_have_count(4)
    settled(page)


def test_another_tab_follows_the_answer_and_stops_it(serve, visit) -> None:
    scripted = assistant(endless)
    page = visit(serve(scripted))
    ask(page, "Lente ?")
    expect(page.locator(".qa-draft")).to_contain_text("mot mot")
    other = page.context.new_page()
    other.goto(page.url)
    expect(log(other)).to_have_attribute("aria-busy", "true")
    other.get_by_role("button", name="Arrêter").click()
    settled(other)
    expect(log(other)).to_contain_text("Réponse arrêtée.")
    settled(page)
    assert scripted.closed.wait(30)


def test_hostile_names_and_reasons_are_shown_as_text(serve, visit) -> None:
    def repeats(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        cited = scripted.cite("hostile.txt", question)
        statement = Statement(question, (cited,), "partly")
        yield statement
        yield scripted.answer(
            question + "?",
            question,
            statements=(statement,),
            citations=(cited,),
            considered=(cited,),
            notices=(question,),
        )

    everything = " ".join(INJECTIONS)
    scripted = assistant(repeats, backend=everything)
    scripted.texts = {"hostile.txt": everything}
    page = visit(serve(scripted))
    ask(page, everything)
    settled(page)
    marker = page.locator("a.cite")
    marker.hover()
    assert page.locator(".qa-card blockquote").text_content() == everything
    page.mouse.move(2, 2)
    page.get_by_text("Voir pourquoi").click()
    expect(page.locator(".qa-remark")).to_have_text(everything, use_inner_text=False)
    expect(page.locator(".qa-why-body .qa-quoted")).to_have_text(everything)
    show_talks(page)
    for hostile in INJECTIONS:
        choose(page, "Renommer")
        page.get_by_role("textbox", name="Nouveau nom").fill(hostile)
        page.keyboard.press("Enter")
        expect(talks(page).locator(".qa-talk bdi")).to_have_text(hostile)
        assert names(page) == [hostile]
    choose(page, "Supprimer")
    assert page.locator(".qa-dialog-name").text_content() == INJECTIONS[-1]
    assert page.evaluate("window.hacked") is None
    assert page.locator("#qa-page img, #qa-page script").count() == 0


def test_the_model_is_chosen_and_the_conversation_stays(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    button = page.get_by_role("button", name="Choisir le modèle")
    button.focus()
    page.keyboard.press("Enter")
    first = page.get_by_role("menuitemradio", name="ollama · big")
    expect(first).to_be_focused()
    expect(first).to_contain_text("prêt · 7B, 4.4 GB")
    missing = page.get_by_role("menuitemradio", name="ollama · gone")
    expect(missing).to_have_attribute("aria-disabled", "true")
    expect(missing).to_contain_text("indisponible · run `ollama pull gone`")
    page.keyboard.press("Enter")
    expect(page.locator(".qa-model")).to_contain_text("ollama · big")
    expect(button).to_be_focused()
    button.click()
    expect(first).to_have_attribute("aria-checked", "true")
    page.get_by_role("menuitemradio", name="broken").click()
    expect(page.locator(".qa-notes")).to_contain_text("The model 'broken' cannot be loaded")
    expect(page.locator(".qa-model")).to_contain_text("ollama · big")
    expect(page.locator("a.cite")).to_have_count(4)


def test_small_talk_is_shown_plainly(serve, visit) -> None:
    def greets(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield scripted.answer(
            question, "Bonjour ! Demandez.", answered=False, kind="small talk", confidence=1.0
        )

    page = visit(serve(assistant(greets)))
    ask(page, "Bonjour")
    settled(page)
    expect(page.locator(".qa-answer")).to_have_text("Bonjour ! Demandez.")
    for part in (".qa-why", ".qa-confidence", ".qa-nearest", "[data-verdict]"):
        expect(page.locator(part)).to_have_count(0)
    style = "e => getComputedStyle(e).fontStyle"
    assert page.locator(".qa-draft").evaluate(style) == "normal"


def test_conversations_are_kept_in_order_with_the_keyboard_alone(serve, visit) -> None:
    page = visit(serve(assistant()))
    ask(page, "Combien de soldats ?")
    settled(page)
    page.get_by_role("button", name="Afficher les conversations").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Nouvelle conversation")).to_be_focused()
    page.keyboard.press("Tab")
    expect(talks(page).locator(".qa-talk")).to_be_focused()
    expect(talks(page).locator(".qa-talk")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Renommer")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Autres actions")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Autres actions")).to_be_focused()


def test_an_address_of_a_conversation_that_is_gone_is_told(serve, visit) -> None:
    served = serve(assistant())
    page = visit(served)
    page.goto(f"{served.url}/?c=gone")
    expect(page.get_by_role("alert").first).to_contain_text("Cette conversation n’existe plus")
    ask(page, "Combien de soldats ?")
    settled(page)
    expect(log(page)).not_to_contain_text("n’existe plus")
    assert not page.url.endswith("?c=gone")


def test_a_store_that_is_being_rebuilt_is_told_and_the_question_is_kept(serve, visit) -> None:
    class Rebuilding(ScriptedAssistant):
        def documents(self):
            raise QAError(BUSY)

    def refuses(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        raise QAError(BUSY)
        yield

    page = visit(serve(Rebuilding({LEASE: "Le loyer est de 800 euros."}, refuses)))
    expect(page.get_by_role("alert").first).to_contain_text(
        "Un autre programme écrit dans l’index de '/srv/qa' ; réessayez"
    )
    ask(page, "Combien ?")
    settled(page)
    expect(page.locator(".qa-exchange .qa-error")).to_contain_text(
        "Un autre programme écrit dans l’index de '/srv/qa' ; réessayez"
    )
    expect(page.get_by_role("button", name="Réessayer")).to_be_visible()


@pytest.fixture
def restart(tmp_path: Path) -> Iterator[object]:
    """Start the same server again and again on one port; the one before ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running: list[subprocess.Popen[str]] = []

    def restart() -> str:
        end()
        process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("restartable.py")),
                str(port),
                str(tmp_path / "conversations.sqlite"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert f":{port} " in process.stdout.readline()
        return f"http://127.0.0.1:{port}"

    def end() -> None:
        while running:
            process = running.pop()
            process.kill()
            process.wait(60)

    yield restart
    end()


def test_a_server_that_is_away_is_told_and_its_return_noticed(serve, visit) -> None:
    page = visit(serve(assistant()))
    page.route("**/component_server/", lambda route: route.abort())
    expect(page.locator(".qa-notes")).to_contain_text("Le serveur ne répond plus")
    open_list = page.get_by_role("region", name="Document").get_by_role("tab", name="Documents")
    open_list.click()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator(".qa-shelf-said")).to_contain_text("Le serveur ne répond plus")
    expect(page.locator(".qa-book-title")).to_have_text(["bail", "irak"])
    page.unroute("**/component_server/")
    expect(page.locator(".qa-notes")).to_have_text("")
    page.get_by_role("button", name="Actualiser").click()
    expect(page.locator(".qa-shelf-said")).not_to_contain_text("ne répond plus")


def test_an_open_page_outlives_the_server(restart, browser) -> None:
    page = browser.new_context(locale="fr-FR").new_page()
    page.set_default_timeout(120_000)
    page.goto(restart())
    box(page).wait_for()
    page.locator(".qa-document > *").first.wait_for()
    ask(page, "Un ?")
    settled(page)
    page.evaluate("window.before = true")
    restart()
    ask(page, "Deux ?")
    # Gradio may load the page anew in this moment: the question is answered, or still in the box.
    page.wait_for_function(
        """() => document.querySelectorAll('.qa-exchange').length === 2 || (!window.before
            && document.querySelector('.qa-exchange')
            && document.querySelector('#qa-question textarea').value === 'Deux ?')"""
    )
    if page.evaluate("!window.before") and box(page).input_value():
        box(page).press("Enter")
    settled(page, answers=2)
    expect(box(page)).to_have_value("")
    expect(page.locator(".qa-answer").last).to_contain_text("Deux ? Oui (1 avant).")
    page.get_by_text("Voir pourquoi").first.click()
    expect(page.locator(".qa-why-body").first).to_contain_text("scripted · no model")
    page.reload()
    settled(page, answers=2)
    page.context.close()
