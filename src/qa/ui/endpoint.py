"""The one event of the page that programs may call through Gradio's client: ``ask``.

Everything else on the page is private. Programs without that client use ``/api/ask``.

Example: ``gradio_client.Client(url).predict(question="Qui ?", api_name="/ask")``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from qa.errors import InputError, QAError
from qa.stream import Run
from qa.types import Answer, Event, Turn
from qa.ui.protocol import ChatAssistant


def expose_ask(assistant: ChatAssistant, **options: Any) -> None:  # noqa: ANN401  # Gradio's
    """Offer ``ask`` in the page under construction; ``options`` are those of ``gr.api``."""

    async def ask(
        question: str,
        history: list[dict[str, str]] | None = None,
        documents: list[str] | None = None,
    ) -> dict[str, Any]:
        """Answer a question; the fields are those of ``qa ask --json``."""
        try:
            turns = [Turn(turn["question"], turn["answer"]) for turn in history or ()]
            return asdict(await _answer(assistant, question, turns, documents))
        except (KeyError, TypeError) as error:
            raise gr.Error("history: each turn has a question and an answer") from error
        except QAError as error:
            raise gr.Error(str(error)) from error

    gr.api(ask, api_name="ask", **options)


async def _answer(
    assistant: ChatAssistant, question: str, turns: list[Turn], documents: list[str] | None
) -> Answer:
    if not isinstance(question, str):
        raise InputError(f"the question is no text but {question!r}")
    run = Run(lambda: assistant.stream(question, turns, documents))
    last: Event | None = None
    try:
        async for batch in run.batches():
            last = batch[-1]
    finally:
        run.stop()
    if not isinstance(last, Answer):
        raise QAError("the answer was stopped before its end; ask again")
    return last
