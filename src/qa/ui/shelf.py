"""What the document panel asks the server for: lists, texts, page pictures, and changes to them.

Every function takes one JSON value and returns one; a failure is told in ``message``, which is
empty where the page has words of its own for it.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from qa.errors import InputError, QAError
from qa.ui.protocol import ChatAssistant, IndexReport
from qa.ui.uploads import received
from qa.ui.view import View, document_view, shelf_view
from qa.ui.warmup import Warmup

_logger = logging.getLogger(__name__)


def shelf_functions(
    assistant: ChatAssistant, warmup: Warmup, uploads: Path
) -> list[Callable[[Any], Any]]:
    """Return the functions that the panel's scripts call; Gradio takes plain ones only.

    :param assistant: whose documents they are.
    :param warmup: reads what is new into the model.
    :param uploads: the folder that receives the files of browsers.
    """
    changing = threading.Lock()  # one change of the documents at a time; questions go on

    def list_documents(_: object) -> list[View]:
        return shelf_view(assistant.documents())

    def read_document(id: str) -> str:
        # As a string: of a large document the server would otherwise look at every piece again.
        try:
            view = document_view(assistant.document(id), assistant.sentences(id))
        except QAError as error:
            view = {"id": id, "title": id, "paragraphs": [], "pages": 0, "error": str(error)}
        return json.dumps(view, ensure_ascii=False)

    def add_file(sent: dict[str, str]) -> View:
        def add() -> View:
            with received(sent["path"], sent["name"], uploads) as file, changing:
                known = {document.id for document in assistant.documents()}
                id = assistant.add_file(file)
            return {"id": id, "same": id in known}

        return _changed(add, warmup)

    def remove_document(id: str) -> View:
        def remove() -> View:
            with changing:
                assistant.remove(id)
            return {}

        return _changed(remove, warmup)

    def reindex(_: object) -> View:
        def bring_in_step() -> View:
            with changing:
                return _report(assistant.reindex())

        return _changed(bring_in_step, warmup)

    def page_picture(place: dict[str, Any]) -> View:
        def picture() -> View:
            data = assistant.page_image(place["id"], int(place["page"]))
            return {"source": f"data:image/png;base64,{base64.b64encode(data).decode()}"}

        return _told(picture)

    def sentence_boxes(place: dict[str, Any]) -> View:
        def boxes() -> View:
            found = assistant.boxes(place["id"], int(place["start"]), int(place["end"]))
            return {
                "boxes": [
                    {"page": b.page, "edges": [b.left, b.top, b.right, b.bottom]} for b in found
                ]
            }

        return _told(boxes)

    return [
        list_documents,
        read_document,
        add_file,
        remove_document,
        reindex,
        page_picture,
        sentence_boxes,
    ]


def documents_to_ask(assistant: ChatAssistant, left_out: Collection[str]) -> tuple[str, ...] | None:
    """Return the ids of the documents to ask; None where none is left out.

    :raises InputError: every document is left out.
    """
    if not left_out:
        return None
    ids = tuple(one.id for one in assistant.documents() if one.id not in left_out)
    if not ids:
        raise InputError("no document is chosen; tick at least one in the list of documents")
    return ids


def _changed(change: Callable[[], View], warmup: Warmup) -> View:
    """Return what a change of the documents did; where it worked, the model reads what is new."""
    told = _told(change)
    if told["done"]:
        warmup.start()
    return told


def _told(work: Callable[[], View]) -> View:
    try:
        return {"done": True, "message": "", **work()}
    except QAError as error:
        return {"done": False, "message": str(error)}
    except Exception:
        # The page's border: one file or picture must not take the page down with it.
        _logger.exception("the document panel asked for something that failed")
        return {"done": False, "message": ""}


def _report(report: IndexReport) -> View:
    return {
        "added": len(report.added),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "failed": [{"name": Path(path).name, "message": why} for path, why in report.failed],
    }
