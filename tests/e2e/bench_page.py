"""Time the document panel in a real chromium: ``python tests/e2e/bench_page.py`` prints JSON.

Milliseconds as the browser's own clock tells them, over a scripted assistant: what is timed is the
page, not a model. Budgets: a click on a marker highlights within 100 ms among 2 000 sentences; the
panel scrolls smoothly (most frames within 50 ms) through 20 000; the page can be used after 2 s:
the question box is there, and the first document drawn.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from qa.types import Event, Statement
from qa.ui import start
from scripted import ScriptedAssistant

CLICKS = 12
# Playwright looks at growing intervals: the page itself notes when it can be used.
_WHEN_USABLE = """
const look = () => {
  const box = document.querySelector('#qa-question textarea');
  if (box && document.querySelector('.qa-document > *')) window.usable = performance.now();
  else requestAnimationFrame(look);
};
look();
"""
_HIGHLIGHTED = "document.querySelector('[aria-current=\"true\"]')?.textContent"


def text_of(sentences: int, per_paragraph: int) -> str:
    """Return a text of numbered sentences."""
    lines = [
        f"La phrase numéro {n} parle de la coalition et de ses {n * 7 % 1000} soldats en Irak."
        for n in range(sentences)
    ]
    starts = range(0, sentences, per_paragraph)
    return "\n\n".join(" ".join(lines[at : at + per_paragraph]) for at in starts)


def scatter(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    """Cite sentences of the document that the question names, all over it."""
    sentences = assistant.sentences(question)
    step = len(sentences) // CLICKS
    cited = [assistant.cite(question, one.text) for one in sentences[step // 2 :: step]]
    statements = tuple(Statement(one.text, (one,), "quoted") for one in cited)
    yield from statements
    yield assistant.answer(question, statements=statements, citations=tuple(cited))


TEXTS = {
    "a court.txt": text_of(200, 4),
    "b 2000.txt": text_of(2_000, 4),
    "c 20000.txt": text_of(20_000, 4),
    "d 20000 one paragraph.txt": text_of(20_000, 20_000),
}

# Click, and wait until the highlighted sentence is painted.
_CLICK = """
marker => new Promise((resolve) => {
  const begin = performance.now();
  const end = () => resolve(performance.now() - begin);
  const painted = () => requestAnimationFrame(() => setTimeout(end));
  const before = document.querySelector('[aria-current="true"]');
  const look = () => {
    const now = document.querySelector('[aria-current="true"]');
    if (now && now !== before) painted();
    else setTimeout(look);
  };
  marker.click();
  look();
})
"""
# Scroll through a tenth of the document, a screen every frame, and return the time of each frame.
_SCROLL = """
() => new Promise((resolve) => {
  const body = document.querySelector('.qa-document');
  const frames = [];
  let last = performance.now();
  const step = () => {
    const now = performance.now();
    frames.push(now - last);
    last = now;
    body.scrollTop += body.clientHeight * 0.8;
    if (frames.length < 60) requestAnimationFrame(step);
    else resolve(frames.slice(1));
  };
  body.scrollTop = 0;
  requestAnimationFrame(step);
})
"""


def ask(page: Page, document: str, answers: int) -> list[float]:
    """Ask about a document, click its markers in turn, and return the times."""
    box = page.get_by_role("textbox", name="Question", exact=True)
    box.fill(document)
    box.press("Enter")
    markers = page.locator(".qa-exchange").nth(answers).locator("a.cite")
    markers.nth(CLICKS - 1).wait_for(timeout=60_000)
    page.wait_for_function(
        "document.querySelector('.qa-turns').getAttribute('aria-busy') === 'false'"
    )
    times = []
    for place in (*range(0, CLICKS, 2), *range(1, CLICKS, 2)):
        times.append(float(markers.nth(place).evaluate(_CLICK)))
        assert page.evaluate(_HIGHLIGHTED) in TEXTS[document]
    return times


def measure(page: Page, url: str) -> dict[str, Any]:
    """Return the figures of one page."""
    figures: dict[str, Any] = {}
    page.add_init_script(_WHEN_USABLE)
    for visit in ("first visit", "again"):
        page.goto(url)
        page.wait_for_function("window.usable", timeout=60_000)
        figures[f"page interactive, {visit}"] = round(page.evaluate("window.usable"))
    for answers, document in enumerate(TEXTS):
        times = ask(page, document, answers)
        figures[f"click, {Path(document).stem[2:]}"] = {
            "first": round(times[0]),
            "median": round(statistics.median(times[1:])),
            "worst": round(max(times[1:])),
        }
        frames = sorted(page.evaluate(_SCROLL))
        figures[f"frame while scrolling, {Path(document).stem[2:]}"] = {
            "median": round(statistics.median(frames)),
            "p95": round(frames[int(len(frames) * 0.95)]),
            "worst": round(frames[-1]),
        }
    return figures


def bench() -> dict[str, Any]:
    """Return every figure, in milliseconds."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("the page is not measured without chromium: apt-get install chromium")
    assistant = ScriptedAssistant(dict(TEXTS), scatter)
    assistant.documents()  # splits the texts, which a real one has done when it opens
    served = start(assistant, port=0, announce=lambda line: None)
    served.run_in_thread()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=["--no-sandbox"],
            )
            context = browser.new_context(viewport={"width": 1280, "height": 720})
            try:
                return measure(context.new_page(), served.url)
            finally:
                browser.close()
    finally:
        served.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bench(), indent=2) + "\n")
