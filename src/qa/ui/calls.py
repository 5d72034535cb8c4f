"""What the page's scripts ask of the server directly: state, models, reasons, exports.

Gradio takes plain functions for this, each with one JSON value as argument. Their names are the
methods of ``server`` in the scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qa.errors import QAError
from qa.ui.answer_view import View, why_view
from qa.ui.conversations import Conversations
from qa.ui.export import as_json, file_name, markdown
from qa.ui.protocol import ChatAssistant
from qa.ui.spoken import said
from qa.ui.warmup import Warmup

Call = Callable[[Any], View]


class Calls:
    """The functions, bound to an assistant and to the stored conversations."""

    def __init__(
        self, assistant: ChatAssistant, conversations: Conversations, warmup: Warmup
    ) -> None:
        self._assistant = assistant
        self._conversations = conversations
        self._warmup = warmup

    @property
    def of_log(self) -> list[Call]:
        """Return what the log's script may call."""

        def status(_: object) -> View:
            return {
                "backend": self._assistant.backend,
                "state": self._warmup.state,
                "message": said(self._warmup.message),
                "notices": [said(notice) for notice in self._assistant.notices],
            }

        def why(of: View) -> View:
            """Return what an answer was made of, or nothing when it is gone."""
            return self._foreseen(lambda: self._why(str(of["conversation"]), int(of["key"])))

        def models(_: object) -> View:
            return self._foreseen(self._models)

        def use_model(id: str) -> View:
            """Answer with another model from now on, and read the documents into it."""

            def switch() -> View:
                self._assistant.use_model(str(id))
                self._warmup.start()
                return {}

            return self._foreseen(switch)

        return [status, why, models, use_model]

    @property
    def of_talks(self) -> list[Call]:
        """Return what the script of the list of conversations may call."""

        def export(of: View) -> View:
            """Return a conversation as a file: its name, its type and its text."""
            language = "fr" if of.get("language") == "fr" else "en"
            return self._foreseen(lambda: self._export(str(of["id"]), str(of["format"]), language))

        return [export]

    def _foreseen(self, call: Callable[[], View]) -> View:
        try:
            return {"error": said(""), **call()}
        except QAError as error:
            return {"error": said(str(error))}

    def _why(self, conversation: str, key: int) -> View:
        exchanges = self._conversations.exchanges(conversation)
        return next((why_view(one) for one in exchanges if one.key == key), {})

    def _models(self) -> View:
        models = self._assistant.models()
        return {
            "models": [
                {
                    "id": model.id,
                    "name": model.name,
                    "kind": model.kind,
                    "state": model.state,
                    "detail": said(model.detail),
                }
                for model in models
            ],
        }

    def _export(self, id: str, format: str, language: str) -> View:
        conversation = self._conversations.get(id)
        if conversation is None:
            return {}
        exchanges = self._conversations.exchanges(id)
        name = conversation.name
        if format == "json":
            return {"name": file_name(name, ".json"), "text": as_json(name, exchanges)}
        return {"name": file_name(name, ".md"), "text": markdown(name, exchanges, language)}
