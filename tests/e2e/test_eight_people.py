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
WORDS = 3
TEXTS = {f"carnet-{n}.txt": f"Une phrase.\nLe carnet numéro {n} est fermé." for n in range(PEOPLE)}


def together() -> tuple[threading.Barrier, object]:
    """Return a script that writes each word only once all eight have come that far."""
    barrier = threading.Barrier(PEOPLE, timeout=1200)

    def script(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
        number = question.split()[1]
        cited = assistant.cite(f"carnet-{number}.txt", "numéro")
        yield Evidence((cited,), chosen=False)
        for word in range(WORDS):
            barrier.wait()
            yield Piece(f"mot{word}-de-{number} ")
        barrier.wait()
        statement = Statement(f"Réponse {number}.", (cited,), "supported")
        yield statement
        yield assistant.answer(question, statement.text, statements=(statement,), citations=(cited,))

    return barrier, script


def test_eight_people_each_see_their_own_stream_conversation_and_highlight(serve, visit) -> None:
    barrier, script = together()
    scripted = ScriptedAssistant(dict(TEXTS), script)
    served = serve(scripted)
    pages = [visit(served) for _ in range(PEOPLE)]
    for page in pages:
        # Every wording that is shown on the way, so that a stray word of another's is seen.
        page.evaluate(
            """() => {
                window.seen = new Set();
                new MutationObserver(() => {
                    for (const one of document.querySelectorAll('.qa-draft, .qa-statement'))
                        window.seen.add(one.textContent.trim());
                }).observe(document.querySelector('.qa-turns'),
                    {childList: true, subtree: true, characterData: true});
            }"""
        )
    for number, page in enumerate(pages):
        ask(page, f"Carnet {number} ?")
    for number, page in enumerate(pages):
        settled(page)
        expect(page.locator(".qa-statement .qa-text")).to_have_text([f"Réponse {number}."])
        seen = {line for line in page.evaluate("[...window.seen]") if line}
        drafts = [line for line in seen if line.startswith("mot")]
        assert drafts, "nothing was shown before the end"
        assert all(word.endswith(f"-de-{number}") for line in drafts for word in line.split())
    assert not barrier.broken
    for page in pages:
        page.locator("a.cite").click()
        expect(page.locator('[aria-current="true"]')).to_have_count(1)
    for number, page in enumerate(pages):  # all eight are highlighted at the same time
        assert highlighted(page) == [f"Le carnet numéro {number} est fermé."]
    assert len({page.url for page in pages}) == PEOPLE
    pages[3].reload()
    settled(pages[3])
    expect(log(pages[3])).to_contain_text("Réponse 3.")
    assert sorted(question for question, history in scripted.asked if history == ()) == [
        f"Carnet {number} ?" for number in range(PEOPLE)
    ]
