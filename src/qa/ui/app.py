"""The chat page in the application that programs call too."""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI

from qa.api.app import application
from qa.api.serving import Serving
from qa.ui.conversations import Conversations
from qa.ui.page import build, static, theme, translations
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Sessions
from qa.ui.visitor import Visitors
from qa.ui.warmup import Warmup

_STYLES = ("page", "log", "panel", "narrow")
# Run before anything is drawn.
_FIRST = ("preferences", "place")


def _joined(names: tuple[str, ...], suffix: str) -> str:
    return "".join(static(f"{name}.{suffix}") for name in names)


def with_page(
    assistant: ChatAssistant,
    conversations: Conversations,
    sessions: Sessions,
    warmup: Warmup,
    serving: Serving,
    *,
    max_file_mb: int,
) -> FastAPI:
    """Return the application with the page at ``/``."""
    app = application(assistant, serving)
    if serving.passwords is None:
        app.add_middleware(Visitors)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build(assistant, conversations, sessions, warmup, max_file_mb=max_file_mb),
        path="/",
        root_path=serving.root_path or None,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=f"{max_file_mb}mb",
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        i18n=translations(),
        theme=theme(),
        # Not as `css`: that is sent twice, once with every selector rewritten.
        head=f"<style>{_joined(_STYLES, 'css')}</style><script>{_joined(_FIRST, 'js')}</script>",
    )
    return mounted
