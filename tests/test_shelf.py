"""What the document panel asks the server for, without a browser."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.errors import InputError
from qa.types import Document, Event, Page
from qa.ui.shelf import Shelf
from qa.ui.spoken import said
from qa.ui.uploads import clean_name, received, sweep, without_folder
from qa.ui.view import document_view
from qa.ui.warmup import Warmup
from scripted import Report, ScriptedAssistant, split


def silent(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    yield assistant.answer(question, "Rien.")


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant({"a.txt": "Il pleut.", "b.pdf": "Un.\n\fDeux."}, silent)


@pytest.fixture
def shelf(assistant: ScriptedAssistant, tmp_path: Path) -> Shelf:
    return Shelf(assistant, Warmup(assistant), tmp_path)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("notes.md", "notes.md"),
        ("../../notes.md", "notes.md"),
        ("C:\\dossier\\notes.md", "notes.md"),
        ("..", "document"),
        ("", "document"),
        (".caché.txt", "caché.txt"),
        ("e\u0301te\u0301.txt", "été.txt"),
        ("a\0b\n.txt", "a_b_.txt"),
        ('<img src="x">.txt', "_img src=_x__.txt"),
        ("é" * 300 + ".txt", "é" * 98 + ".txt"),
        ("x.txt\u202ecod.", "x.txt_cod"),
    ],
)
def test_names_lose_folders_and_what_file_systems_refuse(name: str, kept: str) -> None:
    assert clean_name(name) == kept


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_name_becomes_one_that_a_folder_can_hold(name: str) -> None:
    kept = clean_name(name)
    assert kept not in ("", ".", "..")
    assert not set(kept) & set("/\\\0")
    assert len(kept.encode()) <= 255
    assert not kept.startswith(".")


def test_an_upload_is_read_under_its_own_name_and_then_gone(tmp_path: Path) -> None:
    sent = tmp_path / "hash" / "notes.md"
    sent.parent.mkdir()
    sent.write_text("Il vente.", "utf-8")
    with received(str(sent), "../Mes notes.md", tmp_path) as file:
        assert file.name == "Mes notes.md"
        assert file.read_text("utf-8") == "Il vente."
    assert not file.exists()
    assert not sent.exists()


@pytest.mark.parametrize("path", ["../private.txt", "missing.txt", "."])
def test_only_files_in_the_folder_of_uploads_are_uploads(tmp_path: Path, path: str) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (tmp_path / "private.txt").write_text("Un secret.", "utf-8")
    with (
        pytest.raises(InputError, match="send the file again"),
        received(str(uploads / path), "x.txt", uploads),
    ):
        pass


def test_a_link_in_the_folder_of_uploads_does_not_lead_out_of_it(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (tmp_path / "private.txt").write_text("Un secret.", "utf-8")
    (uploads / "link.txt").symlink_to(tmp_path / "private.txt")
    with (
        pytest.raises(InputError, match="send the file again"),
        received(str(uploads / "link.txt"), "x.txt", uploads),
    ):
        pass


def test_what_cut_uploads_left_goes_and_what_is_under_way_stays(shelf, tmp_path: Path) -> None:
    folder = tmp_path / "4f2a"
    folder.mkdir()
    cut, under_way, sent = folder / "cut.part", tmp_path / "under-way", folder / "sent.md"
    for file in (cut, under_way, sent):
        file.write_text("Une phrase.", "utf-8")
    os.utime(cut, (0, time.time() - 3600))
    assert shelf.add_file({"path": str(sent), "name": "sent.md"})["done"]
    assert (cut.exists(), under_way.exists()) == (False, True)


def test_a_link_in_the_folder_of_uploads_is_deleted_and_not_what_it_leads_to(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("Un secret.", "utf-8")
    (folder := tmp_path / "uploads").mkdir()
    (folder / "link").symlink_to(kept)
    sweep(folder, older_than_s=-1)
    assert kept.exists()
    assert list(folder.iterdir()) == []


def test_added_files_are_told_apart_from_those_that_were_there(shelf, tmp_path: Path) -> None:
    def send() -> dict:
        (tmp_path / "up").write_text("Il neige.", "utf-8")
        return shelf.add_file({"path": str(tmp_path / "up"), "name": "neige.txt"})

    assert send() == {"done": True, "message": said(""), "id": "neige.txt", "same": False}
    assert send()["same"]


def test_a_foreseen_error_is_told_and_another_one_is_not(shelf, assistant, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"\xff\xfe\xfa")
    told = shelf.add_file({"path": str(tmp_path / "up"), "name": "x.txt"})
    assert told == {"done": False, "message": said("")}  # a UnicodeDecodeError of the double
    assistant.refused = {"x.txt": "'x.txt' is encrypted; remove its password"}
    (tmp_path / "up").write_text("Il neige.", "utf-8")
    told = shelf.add_file({"path": str(tmp_path / "up"), "name": "x.txt"})
    message = said("'x.txt' is encrypted; remove its password")
    assert told == {"done": False, "message": message}


def test_a_change_warms_the_model_and_a_failed_one_does_not(shelf, assistant) -> None:
    warmed = threading.Event()
    assistant.warm = lambda progress: warmed.set()
    shelf.remove_document("missing.txt")
    assert not warmed.wait(0.2)
    shelf.remove_document("a.txt")
    assert warmed.wait(30)


def test_a_message_names_the_file_and_not_the_server_s_folder() -> None:
    message = "'/srv/documents/été.pdf' is encrypted; the folder '/srv/documents' stays"
    told = without_folder(message, "été.pdf")
    assert told == "'été.pdf' is encrypted; the folder '/srv/documents' stays"


def test_a_report_is_counted_and_its_failures_named(shelf, assistant) -> None:
    assistant.report = Report(added=("x", "y"), failed=(("/data/scan.pdf", "no text"),))
    told = shelf.reindex()
    assert (told["added"], told["updated"], told["removed"]) == (2, 0, 0)
    assert told["failed"] == [{"name": "scan.pdf", "message": said("no text")}]


def test_an_unknown_document_is_read_as_an_error(shelf) -> None:
    view = json.loads(shelf.read_document("missing.txt"))
    assert view["paragraphs"] == []
    assert "missing.txt" in view["error"]["fr"]


def test_pages_are_pictures_in_an_address(shelf) -> None:
    told = shelf.page_picture({"id": "b.pdf", "page": 2})
    assert told["source"].startswith("data:image/png;base64,iVBORw0KGgo")
    assert "no page 3" in shelf.page_picture({"id": "b.pdf", "page": 3})["message"]["en"]
    boxes = shelf.sentence_boxes({"id": "b.pdf", "start": 5, "end": 10})["boxes"]
    assert boxes[0] == {"page": 2, "edges": [0.1, 0.2, 0.9, 0.25]}
    assert shelf.sentence_boxes({"id": "a.txt", "start": 0, "end": 5})["boxes"] == []


def test_paragraphs_know_their_pages_and_only_pdfs_have_pictures(assistant) -> None:
    view = document_view(assistant.document("b.pdf"), assistant.sentences("b.pdf"))
    assert [paragraph["page"] for paragraph in view["paragraphs"]] == [1, 2]
    assert view["pages"] == 2
    book = Document("c.epub", "c", "Un.", pages=(Page(1, 0, 3),))
    assert document_view(book, split(book))["pages"] == 0


def test_a_paragraph_without_line_ends_is_cut_into_parts() -> None:
    document = Document("d", "d", " ".join(f"Phrase {n}." for n in range(1000)))
    view = document_view(document, split(document))
    assert len(view["paragraphs"]) > 10
    assert max(len(paragraph["pieces"]) for paragraph in view["paragraphs"]) <= 81
