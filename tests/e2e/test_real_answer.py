"""The whole way in a real chromium with the real models: a question, its citation, an honest no."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from qa import Assistant
from qa.settings import load_settings
from qa.types import Turn
from qa.words import told_language

pytestmark = pytest.mark.e2e

DOCUMENT = Path(__file__).parents[2] / "index" / "documents" / "irak-coalition.txt"
PROOF = (
    "Les États-Unis déploient environ 2500 soldats en Irak et 900 en Syrie dans le cadre de cette "
    "coalition."
)


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    (folder / "documents").mkdir()
    shutil.copy(DOCUMENT, folder / "documents")
    settings = load_settings(
        store=folder / "store", documents=(folder / "documents",), backend="embedded"
    )
    with Assistant.open(settings=settings) as opened:
        yield opened


def test_a_question_is_answered_and_its_citation_highlights_the_sentence(assistant, serve, visit):
    page = visit(serve(assistant))
    page.set_default_timeout(240_000)
    box = page.get_by_role("textbox", name="Question", exact=True)
    box.fill("Combien de soldats américains sont déployés en Irak ?")
    box.press("Enter")
    marker = page.locator("a.cite").first
    marker.wait_for()
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false", timeout=240_000)
    expect(page.get_by_role("log")).to_contain_text("2500")
    assert marker.text_content() == "[1]"
    marker.click()
    current = page.locator('[aria-current="true"]')
    expect(current).to_have_count(1)
    assert current.text_content() == PROOF
    assert DOCUMENT.read_text(encoding="utf-8").count(PROOF) == 1


def test_what_the_document_does_not_say_is_refused(assistant, serve, visit):
    page = visit(serve(assistant))
    page.set_default_timeout(240_000)
    box = page.get_by_role("textbox", name="Question", exact=True)
    box.fill("Quelle est la capitale du Japon ?")
    box.press("Enter")
    expect(page.get_by_role("log")).to_contain_text(
        "Les documents ne répondent pas à cette question.", timeout=240_000
    )


def test_a_follow_up_in_another_language_than_the_question_before_is_answered_in_its_own(assistant):
    before = Turn("Qui dirige la coalition internationale ?", "Les États-Unis.")
    answer = assistant.ask("And when was it formed?", [before])
    assert told_language(answer.question) == "en"
    assert "dirige" not in answer.question
    assert "2014" in answer.text
    assert told_language(answer.text) in ("en", None)


def test_a_later_assistant_does_not_read_the_document_again(assistant):
    """What one assistant has read is saved; a process of its own: tests/test_embedded.py."""
    assistant.warm()
    settings = assistant.settings
    with Assistant.open(settings=settings) as later:
        answer = later.ask("En quelle année la coalition internationale a-t-elle été formée ?")
        assert "2014" in answer.text
        # The document alone is more than 700 tokens.
        assert answer.usage.computed_tokens < 650 < 700 < answer.usage.prompt_tokens
