"""The page: which component shows what, and what each action of a person does.

Everything that varies reaches the browser as JSON in the ``value`` of two components whose HTML is
static; their scripts (``static/``) turn it into text nodes. Gradio would evaluate ``${…}`` in the
values that a template shows, so no template shows any.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import gradio as gr

from qa.documents import SUFFIXES
from qa.errors import QAError
from qa.types import Event
from qa.ui.exchange import Exchange, advance, fail, history, stop
from qa.ui.labels import LABELS
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Session, Sessions
from qa.ui.shelf import Shelf, documents_to_ask
from qa.ui.stream import Run
from qa.ui.view import View, log_view, marks_view, shelf_view
from qa.ui.warmup import Warmup

# More people than this wait in line; each answer holds a thread, and the model serves them in turn.
CONCURRENT_ANSWERS = 8
# The scripts of each component, in the order in which they run; they share one scope.
_SCRIPTS = {
    "shell": ["dom", "shell"],
    "log": ["dom", "log"],
    "panel": ["dom", "text", "tabs", "shelf", "uploads", "picture", "panel"],
}


def translations() -> gr.I18n:
    """Return the labels of Gradio's own components in the browser's language."""
    return gr.I18n(**LABELS)


def theme() -> gr.themes.Base:
    """Return a theme that asks no other host for fonts."""
    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"]
    return gr.themes.Base(font=sans, font_mono=["ui-monospace", "monospace"])


def static(name: str) -> str:
    """Return one of the page's static files."""
    return resources.files("qa.ui").joinpath("static", name).read_text("utf-8")


def build(
    assistant: ChatAssistant, sessions: Sessions, warmup: Warmup, *, max_file_mb: int = 50
) -> gr.Blocks:
    """Return the page for an assistant."""
    shelf = Shelf(assistant, warmup, Path(gr.utils.get_upload_folder()))
    limits = {"suffixes": list(SUFFIXES), "max_file_mb": max_file_mb}
    handlers = _Handlers(assistant, sessions, warmup)
    title = LABELS["en"]["title"]
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as blocks:
        _component("shell", {}, [])
        with gr.Row(elem_id="qa-page", equal_height=False):
            with gr.Column(elem_id="qa-chat", scale=5, min_width=0):
                log = _component("log", _log(Session()), handlers.server_functions)
                question, send, stop_button = _question_box()
            with gr.Column(elem_id="qa-side", scale=6, min_width=0):
                panel = _component("panel", _panel(Session()), shelf.functions(), **limits)
        private = {"show_progress": "hidden", "api_visibility": "private"}
        answering = {
            "outputs": [log, panel, question],
            "concurrency_limit": CONCURRENT_ANSWERS,
            "concurrency_id": "answer",
            **private,
        }
        gr.on([question.submit, send.click], handlers.ask, inputs=[question], **answering)
        log.example(handlers.ask_example, **answering)
        stop_button.click(handlers.stop, queue=False, **private)
        panel.choose(handlers.choose, queue=False, **private)
        panel.shelf(handlers.refresh, outputs=[log], queue=False, **private)
        blocks.load(handlers.load, outputs=[log, panel], queue=False, **private)
        blocks.unload(handlers.unload)
    blocks.queue(default_concurrency_limit=CONCURRENT_ANSWERS, api_open=False)
    return blocks


def _component(
    name: str, value: View, server_functions: list[Callable[[Any], Any]], **props: object
) -> gr.HTML:
    """Return a component whose HTML never changes; its scripts show ``value``."""
    return gr.HTML(
        value=value,
        html_template=static(f"{name}.html"),
        js_on_load="".join(static(f"{script}.js") for script in _SCRIPTS[name]),
        server_functions=server_functions,
        apply_default_css=False,
        elem_id=f"qa-{name}",
        labels=LABELS,
        **props,
    )


def _question_box() -> tuple[gr.Textbox, gr.Button, gr.Button]:
    words = translations()
    with gr.Row(elem_id="qa-ask", equal_height=False):
        question = gr.Textbox(
            label=words("question"),
            placeholder=words("placeholder"),
            lines=1,
            max_lines=6,
            autofocus=True,
            container=False,
            elem_id="qa-question",
            scale=1,
            min_width=0,
        )
        send = gr.Button(words("send"), elem_id="qa-send", min_width=0)
        stop_button = gr.Button(words("stop"), elem_id="qa-stop", min_width=0)
    return question, send, stop_button


def _log(session: Session) -> View:
    return log_view(session.exchanges, session.documents)


def _panel(session: Session) -> View:
    return {
        "documents": shelf_view(session.documents),
        "left_out": sorted(session.left_out),
        **marks_view(session.exchanges),
    }


def _clean(text: str) -> str:
    """Return text that can be sent back as UTF-8: half a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _Handlers:
    """What happens on the server; holds the assistant and the open pages."""

    def __init__(self, assistant: ChatAssistant, sessions: Sessions, warmup: Warmup) -> None:
        self._assistant = assistant
        self._sessions = sessions
        self._warmup = warmup

    @property
    def server_functions(self) -> list[Callable[[Any], Any]]:
        """Return what the log's script may call; Gradio takes plain functions only."""
        assistant, warmup = self._assistant, self._warmup

        def status(_: object = None) -> View:
            return {
                "backend": assistant.backend,
                "state": warmup.state,
                "message": warmup.message,
                "notices": list(assistant.notices),
            }

        return [status]

    def load(self, request: gr.Request) -> tuple[View, View]:
        """Fill a page that was just opened."""
        session = self._sessions.get(request.session_hash)
        session.documents = tuple(self._assistant.documents())
        return _log(session), _panel(session)

    def unload(self, request: gr.Request) -> None:
        """Forget a page that was closed."""
        self._sessions.drop(request.session_hash)

    def stop(self, request: gr.Request) -> None:
        """Stop the page's answer; the reader of the stream shows what there is."""
        self._sessions.stop(request.session_hash)

    async def ask_example(
        self, request: gr.Request, event: gr.EventData
    ) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Ask a question that was offered to click."""
        async for update in self.ask(str(event.question), request):
            yield update

    async def ask(self, question: str, request: gr.Request) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Answer a question: yield the log, the panel and the question box as events come."""
        session = self._sessions.get(request.session_hash)
        latest = session.latest
        if not question.strip() or (latest is not None and latest.running):
            yield gr.skip(), gr.skip(), gr.skip()
            return
        asked = Exchange(_clean(question.strip()))
        turns = history(session.exchanges)
        if not session.documents:  # the page is older than the server
            session.documents = tuple(await asyncio.to_thread(self._assistant.documents))
        left_out = session.left_out

        def events() -> Iterator[Event]:
            documents = documents_to_ask(self._assistant, left_out)
            return self._assistant.stream(asked.question, turns, documents)

        run = Run(events)
        session.run = run
        session.exchanges.append(asked)
        try:
            yield _log(session), _panel(session), ""
            async for exchange in _grow(asked, run):
                session.exchanges[-1] = exchange
                yield _log(session), _panel(session), gr.skip()
        finally:
            run.stop()
            session.run = None
            session.exchanges[-1] = stop(session.exchanges[-1])

    def choose(self, request: gr.Request, event: gr.EventData) -> None:
        """Note which documents the person does not want asked."""
        self._sessions.get(request.session_hash).left_out = frozenset(map(str, event.left_out))

    def refresh(self, request: gr.Request) -> Any:  # noqa: ANN401 - a view, or Gradio's "no change"
        """Note that the documents have changed; an empty conversation offers other questions."""
        session = self._sessions.get(request.session_hash)
        session.documents = tuple(self._assistant.documents())
        return gr.skip() if session.exchanges else _log(session)


async def _grow(exchange: Exchange, run: Run) -> AsyncIterator[Exchange]:
    """Yield the exchange after each batch of events, and last as it ended."""
    try:
        async for batch in run.batches():
            for event in batch:
                exchange = advance(exchange, event)
            yield exchange
    except QAError as error:
        yield fail(exchange, str(error))
        return
    except Exception:
        # Logged where it happened; the page has words for it.
        yield fail(exchange, "")
        return
    yield stop(exchange)
