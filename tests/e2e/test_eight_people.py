"""Eight people at one server, each in a browser of their own, all answered in the same moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from test_chat_page import ask, highlighted, log, settled

from qa.types import Event, Evidence, Piece, Statement
from scripted import ScriptedAssistant

pytestmark = pytest.mark.e2e

PEOPLE = 8
TEXTS = {f"carnet-{n}.txt": f"Une phrase.\nLe carnet numéro {n} est fermé." for n in range(PEOPLE)}


def test_eight_people_each_see_their_own_stream_conversation_and_highlight(serve, visit) -> None:
    go = threading.Event()

    def held(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
        number = question.split()[1]
        cited = assistant.cite(f"carnet-{number}.txt", "numéro")
        yield Evidence((cited,), chosen=False)
        yield Piece(f"Le mot de {number} ")
        assert go.wait(1200)  # until every page shows its own word: nobody waits in line
        statement = Statement(f"Réponse {number}.", (cited,), "supported")
        yield statement
        yield assistant.answer(
            question, statement.text, statements=(statement,), citations=(cited,)
        )

    scripted = ScriptedAssistant(dict(TEXTS), held)
    served = serve(scripted)
    pages = [visit(served) for _ in range(PEOPLE)]
    for number, page in enumerate(pages):
        ask(page, f"Carnet {number} ?")
    for number, page in enumerate(pages):
        expect(page.locator(".qa-draft")).to_have_text(f"Le mot de {number} ")
        expect(page.locator(".qa-considered")).to_have_text(f"Le carnet numéro {number} est fermé.")
    go.set()
    for number, page in enumerate(pages):
        settled(page)
        expect(page.locator(".qa-statement .qa-text")).to_have_text([f"Réponse {number}."])
        page.locator("a.cite").click()
        expect(page.locator('[aria-current="true"]')).to_have_count(1)
    for number, page in enumerate(pages):  # all eight are highlighted at the same time
        assert highlighted(page) == [f"Le carnet numéro {number} est fermé."]
    assert len({page.url for page in pages}) == PEOPLE
    pages[3].reload()
    settled(pages[3])
    expect(log(pages[3])).to_contain_text("Réponse 3.")
    assert sorted(scripted.asked) == [(f"Carnet {number} ?", ()) for number in range(PEOPLE)]
