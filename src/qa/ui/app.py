"""The chat page in the application that programs call too."""

from __future__ import annotations

import gradio as gr
from fastapi import FastAPI

from qa.api.app import application
from qa.api.serving import Serving
from qa.ui.page import build, static, theme, translations
from qa.ui.protocol import ChatAssistant
from qa.ui.session import Sessions
from qa.ui.warmup import Warmup


def with_page(
    assistant: ChatAssistant,
    sessions: Sessions,
    warmup: Warmup,
    serving: Serving,
    *,
    max_file_mb: int,
) -> FastAPI:
    """Return the application with the page at ``/``."""
    app = application(assistant, serving)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        build(assistant, sessions, warmup),
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
        head=f"<style>{static('page.css')}</style>",
    )
    return mounted
