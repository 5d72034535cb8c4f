"""Take the README's pictures: ``python tests/e2e/screenshots.py FOLDER [URL]``.

Without a URL it serves the assistant of this folder's settings. It asks the first question that the
page offers, then another, and clicks the last marker.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

VIEWS: dict[str, dict[str, Any]] = {
    "chat": {"viewport": {"width": 1280, "height": 720}},
    "chat-dark": {"viewport": {"width": 1280, "height": 720}, "color_scheme": "dark"},
    "chat-phone": {"viewport": {"width": 375, "height": 740}},
}


def take(browser: Browser, url: str, picture: Path, **options: Any) -> None:
    """Ask, click a marker, and save the picture."""
    page = browser.new_context(locale="fr-FR", **options).new_page()
    page.set_default_timeout(300_000)
    page.goto(url)
    page.locator(".qa-example").first.click()
    _answered(page, 1)
    box = page.get_by_role("textbox", name="Question", exact=True)
    box.fill("Depuis quand la coalition existe-t-elle ?")
    box.press("Enter")
    _answered(page, 2)
    page.locator("a.cite").last.click()
    expect(page.locator('.qa-sentence[aria-current="true"]')).to_be_in_viewport()
    page.mouse.move(0, 0)
    page.wait_for_timeout(800)  # smooth scrolling and the model's line settle
    page.screenshot(path=picture)


def _answered(page: Page, answers: int) -> None:
    expect(page.locator(".qa-exchange")).to_have_count(answers)
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false", timeout=300_000)


def pictures(url: str, folder: Path) -> None:
    """Take every view of a page that is being served."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        for name, options in VIEWS.items():
            take(browser, url, folder / f"{name}.png", **options)
        browser.close()


def main(folder: Path) -> None:
    """Serve the assistant of the settings for as long as the pictures take."""
    from qa import Assistant
    from qa.ui import start

    with Assistant.open() as assistant:
        served = start(assistant, port=0)
        served.run_in_thread()
        try:
            pictures(served.url, folder)
        finally:
            served.close()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        pictures(sys.argv[2], Path(sys.argv[1]))
    else:
        main(Path(sys.argv[1]))
