"""The page around the conversation in a real chromium: language, display, phone, keyboard, axe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from test_chat_page import ask, assistant, box, log, open_document, panel, settled
from test_document_panel import show_list, with_report

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
# Where `npm install --prefix build axe-core` puts it; AXE_CORE names another place.
AXE = Path(os.environ.get("AXE_CORE", ROOT / "build/node_modules/axe-core/axe.min.js"))
PHONE = {"width": 375, "height": 700}


def background(page: Page) -> int:
    """Return how light the page is, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")[:3])


def test_the_language_can_be_switched_and_is_remembered(serve, visit) -> None:
    page = visit(serve(assistant()))
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    expect(box(page)).to_have_attribute("placeholder", "Ask a question…")
    page.reload()
    expect(page.get_by_role("button", name="Français")).to_be_visible()
    expect(page).to_have_title("Ask your documents")
    expect(panel(page).get_by_role("button", name="Add documents").first).to_be_visible()


@pytest.mark.parametrize(("system", "label"), [("light", "sombre"), ("dark", "clair")])
def test_the_display_follows_the_system_until_it_is_switched(serve, visit, system, label) -> None:
    page = visit(serve(assistant()), color_scheme=system)
    dark = system == "dark"
    assert (background(page) < 60) == dark
    page.get_by_role("button", name=f"Affichage {label}").click()
    assert (background(page) < 60) != dark
    page.reload()
    box(page).wait_for()
    assert (background(page) < 60) != dark


def test_on_a_phone_the_conversation_comes_first_and_the_documents_are_a_sheet(
    serve, visit
) -> None:
    page = visit(serve(with_report()), viewport=PHONE, has_touch=True)
    side = page.locator("#qa-side")
    toggle = page.get_by_role("button", name="Montrer les documents")
    expect(box(page)).to_be_in_viewport()
    assert side.bounding_box()["y"] > PHONE["height"] - 80
    toggle.tap()
    expect(page.locator(".qa-document")).to_be_in_viewport(ratio=0.8)
    page.keyboard.press("Escape")
    expect(toggle).to_be_visible()
    ask(page, "Quelle page ?")
    settled(page)
    page.locator("a.cite").tap()
    expect(page.locator('[aria-current="true"]')).to_be_in_viewport(ratio=1)
    expect(page.locator("a.cite")).to_be_in_viewport()
    panel(page).get_by_role("button", name="Voir la page").tap()
    expect(panel(page).get_by_role("img")).to_be_in_viewport()
    show_list(page)
    expect(page.locator(".qa-book").first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="Cacher les documents").tap()
    expect(box(page)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [375, 320])
def test_on_a_phone_the_title_is_whole_and_the_model_takes_one_line(
    serve, visit, width: int
) -> None:
    named = assistant(backend="embedded · Qwen2.5-Coder-1.5B-Instruct-Q4_K_M")
    page = visit(serve(named), viewport={"width": width, "height": 700})
    title = page.get_by_role("heading", name="Questions aux documents")
    expect(title).to_be_in_viewport(ratio=1)
    assert title.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert title.evaluate("e => e.scrollHeight <= e.parentElement.clientHeight")
    model = page.get_by_role("button", name=named.backend)
    expect(model).to_be_in_viewport(ratio=1)
    assert model.bounding_box()["height"] < 30


def test_everything_can_be_done_with_the_keyboard(serve, visit) -> None:
    scripted = assistant()
    page = visit(serve(scripted))
    expect(box(page)).to_be_focused()
    page.keyboard.type("Combien de soldats ?")
    page.keyboard.press("Enter")
    settled(page)

    def tab_to(name: str, role: str = "button") -> None:
        target = page.get_by_role(role, name=name).first
        for _ in range(40):
            if target.evaluate("e => e === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not reach {name!r}")

    log(page).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator('[aria-current="true"]')).to_contain_text("2500")
    tab_to("Retour à la réponse")
    page.keyboard.press("Enter")
    expect(page.locator("a.cite").first).to_be_focused()
    tab_to("irak", "tab")
    page.keyboard.press("Home")
    tab_to("Interroger : bail", "checkbox")
    page.keyboard.press("Space")
    expect(panel(page).get_by_role("tab", name="Documents")).to_contain_text("1/2")
    tab_to("Retirer : bail")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".qa-book-title")).to_have_text(["irak"])
    expect(page.locator(".qa-open")).to_be_focused()


def violations(page: Page) -> list[str]:
    """Return axe-core's serious and critical findings."""
    if not AXE.exists():
        pytest.skip(f"axe-core is not at {str(AXE)!r}: npm install --prefix build axe-core")
    # Colours in the middle of a transition are nobody's colours.
    page.wait_for_timeout(500)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']}: {node['html']} — {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_serious(serve, visit, tmp_path: Path, scheme: str, width: int) -> None:
    scripted = assistant()
    scripted.texts["rapport.pdf"] = "Page une.\n\fPage deux."
    scripted.remarks = {"rapport.pdf": ("page 3 holds no text",)}
    page = visit(serve(scripted), color_scheme=scheme, viewport={"width": width, "height": 720})
    assert violations(page) == []
    ask(page, "Combien de soldats ?")
    settled(page)
    page.locator("a.cite").nth(1).click()
    expect(page.locator('[aria-current="true"]')).to_have_count(1)
    assert violations(page) == []
    open_document(page, "rapport")
    panel(page).get_by_role("button", name="Voir la page").click()
    expect(panel(page).get_by_role("img")).to_be_visible()
    assert violations(page) == []
    (tmp_path / "image.jpg").write_bytes(b"x")
    page.locator("#qa-side input[type=file]").set_input_files([tmp_path / "image.jpg"])
    show_list(page)
    panel(page).get_by_role("checkbox", name="Interroger : bail").uncheck()
    panel(page).get_by_role("button", name="Retirer : irak").click()
    assert violations(page) == []
