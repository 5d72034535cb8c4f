"""The page: which component shows what, and what each action of a person does.

Everything that varies reaches the browser as JSON in the ``value`` of two components whose HTML is
static; their scripts (``static/``) turn it into text nodes. Gradio would evaluate ``${…}`` in the
values that a template shows, so no template shows any.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import gradio as gr

from qa.documents import SUFFIXES
from qa.errors import QAError
from qa.ui.calls import Calls
from qa.ui.chat import Chat
from qa.ui.conversations import Conversations
from qa.ui.endpoint import expose_ask
from qa.ui.labels import LABELS
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Session, Sessions
from qa.ui.shelf import Shelf
from qa.ui.view import View, page_log, page_panel, talks_view
from qa.ui.warmup import Warmup

# More people than this wait in line; each answer holds a thread, and the model serves them in turn.
CONCURRENT_ANSWERS = 8
_LOG_SCRIPTS = ("parts", "menu", "card", "answer", "why", "actions", "models")
_PANEL_SCRIPTS = ("text", "tabs", "shelf", "uploads", "picture")
# What a page knows of itself travels with each question, so that a restarted server learns it.
_PAGE = "JSON.stringify(window.qaPage.now())"


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
    assistant: ChatAssistant,
    conversations: Conversations,
    sessions: Sessions,
    warmup: Warmup,
    *,
    max_file_mb: int,
) -> gr.Blocks:
    """Return the page for an assistant."""
    handlers = _Handlers(assistant, sessions)
    shelf = Shelf(assistant, warmup, Path(gr.utils.get_upload_folder())).functions()
    limits = {"suffixes": list(SUFFIXES), "max_file_mb": max_file_mb}
    chat = Chat(assistant, conversations, sessions)
    calls = Calls(assistant, conversations, warmup)
    title = LABELS["en"]["title"]
    blank = Session()
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as blocks:
        page = gr.Textbox(visible=False)
        _component("shell", {}, [])
        with gr.Row(elem_id="qa-page", equal_height=False):
            talks = _component("talks", talks_view((), blank), calls.of_talks, "parts", "menu")
            with gr.Column(elem_id="qa-chat", scale=5, min_width=0):
                log = _component("log", page_log(blank), calls.of_log, *_LOG_SCRIPTS)
                question, send, stop_button = _question_box()
            with gr.Column(elem_id="qa-side", scale=6, min_width=0):
                panel = _component("panel", page_panel(blank), shelf, *_PANEL_SCRIPTS, **limits)
        # Before the page's own events, one of which would have its name.
        expose_ask(assistant, concurrency_limit=CONCURRENT_ANSWERS, concurrency_id="answer")
        private = {"show_progress": "hidden", "api_visibility": "private"}
        # Several at a time: a person may ask in another conversation while this one is answered.
        answering = {
            "concurrency_limit": CONCURRENT_ANSWERS,
            "concurrency_id": "answer",
            "trigger_mode": "multiple",
            **private,
        }
        gr.on(
            [question.submit, send.click],
            chat.ask,
            inputs=[question, page],
            outputs=[log, panel, talks, question],
            js=f"(question) => [question, {_PAGE}]",
            **answering,
        )
        shown = [log, panel, talks]
        log.again(chat.ask_again, outputs=shown, **answering)
        at_once = {"queue": False, "trigger_mode": "multiple", **private}
        log.open(chat.open, outputs=shown, **at_once)
        log.judge(chat.judge, outputs=shown, **at_once)
        talks.rename(chat.rename, outputs=shown, **at_once)
        talks.delete(chat.delete, outputs=shown, **at_once)
        stop_button.click(chat.stop, **at_once)
        panel.shelf(handlers.refresh, outputs=[log], **at_once)
        blocks.load(
            chat.load, inputs=[page], outputs=shown, js=f"() => [{_PAGE}]", queue=False, **private
        )
        blocks.unload(handlers.unload)
    blocks.queue(default_concurrency_limit=CONCURRENT_ANSWERS, api_open=False)
    return blocks


def _component(
    name: str,
    value: View,
    server_functions: list[Callable[..., Any]],
    *scripts: str,
    **props: object,
) -> gr.HTML:
    """Return a component whose HTML never changes; its scripts show ``value``."""
    return gr.HTML(
        value=value,
        html_template=static(f"{name}.html"),
        js_on_load="".join(static(f"{script}.js") for script in ("dom", *scripts, name)),
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


class _Handlers:
    """What happens when a page is closed, and when it has changed the documents."""

    def __init__(self, assistant: ChatAssistant, sessions: Sessions) -> None:
        self._assistant = assistant
        self._sessions = sessions

    def unload(self, request: gr.Request) -> None:
        """Forget a page that was closed."""
        self._sessions.drop(request.session_hash)

    def refresh(self, request: gr.Request) -> Any:  # noqa: ANN401 - a view, or Gradio's "no change"
        """Note that the documents have changed; an empty conversation offers other questions."""
        session = self._sessions.get(request.session_hash)
        with contextlib.suppress(QAError):  # a store that cannot be read is told with the next page
            session.documents = tuple(self._assistant.documents())
        unknown = session.conversation is None  # the page is older than the server
        return gr.skip() if session.exchanges or unknown else page_log(session)
