"""A real server in a thread, and real assistants to put behind it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn

from fakes import HashEncoder
from qa.api.app import application
from qa.api.serving import Serving
from qa.assistant import Assistant
from qa.llm.choose import Choice
from qa.settings import Settings
from qa.store import Store
from qa.ui.serve import listen
from test_pipeline import TEXT, scripted

# Long enough for a machine that is busy with other things; nothing waits for it in vain.
TIMEOUT_S = 600


@contextlib.contextmanager
def opened(
    folder: Path, model: object = None, *, name: str = "irak.txt", text: str = TEXT
) -> Iterator[Assistant]:
    """Open an assistant on one document, with a scripted model."""
    documents = folder / "documents"
    documents.mkdir()
    (documents / name).write_text(text, encoding="utf-8")
    settings = Settings(store=folder / "store", documents=(documents,), cache=folder)
    encoder = HashEncoder()
    store = Store.open(settings.store, encoder.id, encoder.dim)
    choice = Choice(model or scripted(), "scripted")
    with Assistant(store, encoder, choice, settings, [documents]) as assistant:
        assistant.index([documents])
        yield assistant


@contextlib.contextmanager
def served(assistant: object, serving: Serving | None = None) -> Iterator[httpx.Client]:
    """Serve the endpoints alone, without the page; gives a client of theirs."""
    listener = listen("127.0.0.1", 0)
    app = application(assistant, serving or Serving())
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(TIMEOUT_S)
        listener.close()
