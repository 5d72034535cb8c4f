"""A chromium, pages served on free ports, and a record of every request that leaves them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from qa.ui import Page as Served
from qa.ui import start
from scripted import ScriptedAssistant

# A machine that is busy with other things is slow, not wrong.
expect.set_options(timeout=120_000)

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-sync"],
        )
        yield browser
        browser.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serve an assistant on a free port until the test ends."""
    with ExitStack() as stack:

        def serve(assistant: ScriptedAssistant, **options: object) -> Served:
            page = start(assistant, port=0, announce=lambda line: None, **options)
            stack.callback(page.close)
            page.run_in_thread()
            return page

        yield serve


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a browser of its own; a request to another host fails the test."""
    foreign: list[str] = []
    errors: list[str] = []
    with ExitStack() as stack:

        def visit(served: Served, locale: str = "fr-FR", **options: object) -> Page:
            home = urlsplit(served.url).netloc
            context = browser.new_context(locale=locale, **options)
            stack.callback(context.close)

            def record(request: Request) -> None:
                parts = urlsplit(request.url)
                if parts.scheme not in ("data", "blob") and parts.netloc != home:
                    foreign.append(request.url)

            context.on("request", record)
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.set_default_timeout(120_000)
            page.goto(served.url)
            page.get_by_role("textbox", name="Question", exact=True).wait_for()
            page.locator(".qa-document > *, .qa-shelf:not([hidden])").first.wait_for()
            return page

        yield visit
    assert foreign == []
    assert errors == []
