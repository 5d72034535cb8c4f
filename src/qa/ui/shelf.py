"""What the document panel asks the server for: lists, texts, page pictures, and changes to them.

Every function takes one JSON value and returns one; a failure is told in ``message`` by language,
which is empty where the page has words of its own for it.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qa.errors import InputError, QAError
from qa.ui.protocol import ChatAssistant, IndexReport
from qa.ui.spoken import said
from qa.ui.uploads import received, sweep, without_folder
from qa.ui.view import View, document_view, shelf_view
from qa.ui.warmup import Warmup

_logger = logging.getLogger(__name__)


class Shelf:
    """The documents behind the panel; ``uploads`` is the folder that receives browsers' files."""

    def __init__(self, assistant: ChatAssistant, warmup: Warmup, uploads: Path) -> None:
        self._assistant = assistant
        self._warmup = warmup
        self._uploads = uploads
        self._changing = threading.Lock()  # one change at a time; questions go on meanwhile

    def functions(self) -> list[Callable[[Any], Any]]:
        """Return what the panel's scripts may call; Gradio takes plain functions only."""
        return [
            _plain(self.list_documents),
            _plain(self.read_document),
            _plain(self.add_file),
            _plain(self.remove_document),
            _plain(self.reindex),
            _plain(self.page_picture),
            _plain(self.sentence_boxes),
        ]

    def list_documents(self, _: object = None) -> list[View]:
        """Return the list of documents as it is now; none while the store cannot be read.

        What is wrong with it is told beside the conversation.
        """
        try:
            return shelf_view(self._assistant.documents())
        except QAError:
            return []

    def read_document(self, id: str) -> str:
        """Return a document's text as JSON in a string."""
        # As a value, the server would look at every piece of it, which takes longer than the rest.
        try:
            view = document_view(self._assistant.document(id), self._assistant.sentences(id))
        except QAError as error:
            view = {"id": id, "title": id, "paragraphs": [], "pages": 0, "error": said(str(error))}
        return json.dumps(view, ensure_ascii=False)

    def add_file(self, sent: dict[str, str]) -> View:
        """Add the upload at ``path`` under the ``name`` it had; ``same`` says that it was there."""
        sweep(self._uploads)

        def add() -> View:
            with received(sent["path"], sent["name"], self._uploads) as file, self._changing:
                known = {document.id for document in self._assistant.documents()}
                try:
                    id = self._assistant.add_file(file)
                except InputError as error:
                    raise InputError(without_folder(str(error), file.name)) from error
            return {"id": id, "same": id in known}

        return self._change(add)

    def remove_document(self, id: str) -> View:
        """Forget a document."""

        def remove() -> View:
            with self._changing:
                self._assistant.remove(id)
            return {}

        return self._change(remove)

    def reindex(self, _: object = None) -> View:
        """Bring the documents in step with their files and return what changed."""

        def bring_in_step() -> View:
            with self._changing:
                return _report(self._assistant.reindex())

        return self._change(bring_in_step)

    def page_picture(self, place: dict[str, Any]) -> View:
        """Return the picture of ``page`` of the PDF ``id`` as an address that holds it."""

        def draw() -> View:
            data = self._assistant.page_image(place["id"], int(place["page"]))
            return {"source": f"data:image/png;base64,{base64.b64encode(data).decode()}"}

        return _told(draw)

    def sentence_boxes(self, place: dict[str, Any]) -> View:
        """Return where ``start`` to ``end`` of the PDF ``id`` is on its pages."""

        def find() -> View:
            found = self._assistant.boxes(place["id"], int(place["start"]), int(place["end"]))
            return {
                "boxes": [
                    {"page": box.page, "edges": [box.left, box.top, box.right, box.bottom]}
                    for box in found
                ]
            }

        return _told(find)

    def _change(self, change: Callable[[], View]) -> View:
        """Return what a change did; where it worked, the model reads what is new."""
        told = _told(change)
        if told["done"]:
            self._warmup.start()
        return told


def _plain(method: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
        return method(value)

    call.__name__ = method.__name__
    return call


def _told(work: Callable[[], View]) -> View:
    try:
        return {"done": True, "message": said(""), **work()}
    except QAError as error:
        return {"done": False, "message": said(str(error))}
    except Exception:
        # The page's border: one file or picture must not take the page down with it.
        _logger.exception("the document panel asked for something that failed")
        return {"done": False, "message": said("")}


def _report(report: IndexReport) -> View:
    failed = [(Path(path).name, why) for path, why in report.failed]
    return {
        "added": len(report.added),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "failed": [
            {"name": name, "message": said(without_folder(why, name))} for name, why in failed
        ],
    }
