"""What a person does in the chat, without a browser: restarts, two windows, a file that is busy."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from qa.types import Event, Piece
from qa.ui.chat import Chat
from qa.ui.conversations import Conversations
from qa.ui.page import _Handlers
from qa.ui.session import Session, Sessions
from qa.ui.view import page_log
from running import run
from scripted import ScriptedAssistant

STAYS = gr.skip()  # what is in the box
TEXTS = {"temps.txt": "Il pleut. Il vente."}


def answer(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    yield Piece("Oui")
    yield assistant.answer(question, "Oui.")


def window(name: str) -> Any:
    return SimpleNamespace(session_hash=name, state=SimpleNamespace())


def event(**fields: object) -> Any:
    return SimpleNamespace(_data=fields, **fields)


def page(conversation: str = "") -> str:
    return json.dumps({"conversation": conversation, "documents": None})


async def last(shown: AsyncIterator[Any]) -> Any:
    *_, end = [one async for one in shown]
    return end


def asked(chat: Chat, question: str, conversation: str = "", name: str = "A") -> Any:
    """Ask in a window; return the last that it shows."""
    return run(last(chat.ask(question, page(conversation), window(name))))


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant(dict(TEXTS), answer)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Conversations]:
    opened = Conversations(tmp_path / "conversations.sqlite")
    opened._file._database.execute("PRAGMA busy_timeout = 50")
    yield opened
    opened.close()


@pytest.fixture
def busy(tmp_path: Path, kept: Conversations) -> Iterator[sqlite3.Connection]:
    """Return another program's connection, which can keep the file from being written."""
    other = sqlite3.connect(tmp_path / "conversations.sqlite", isolation_level=None)
    yield other
    other.close()


@pytest.mark.parametrize("action", ["judge", "rename", "delete"])
def test_a_page_older_than_the_server_keeps_its_conversation(assistant, kept, action: str) -> None:
    log = asked(Chat(assistant, kept, Sessions()), "Un ?")[0]
    id, key = log["conversation"], log["exchanges"][0]["key"]
    other = kept.begin("Une autre ?").id
    fields = {
        "judge": {"key": key, "verdict": "up"},
        "rename": {"id": id, "name": "Temps"},
        "delete": {"id": other},
    }[action]
    restarted = Chat(assistant, kept, Sessions())
    act = getattr(restarted, action)
    log, _, talks = run(act(window("A"), event(conversation=id, **fields)))
    assert log["conversation"] == talks["current"] == id
    assert [one["question"] for one in log["exchanges"]] == ["Un ?"]
    assert not log["gone"]


def test_other_documents_take_nothing_off_a_page_older_than_the_server(assistant) -> None:
    sessions = Sessions()
    handlers = _Handlers(assistant, sessions)
    assert "exchanges" not in handlers.refresh(window("A"))
    sessions.get("A").conversation = ""  # a page that the server knows offers other questions
    assert handlers.refresh(window("A"))["exchanges"] == []


def test_a_window_that_cannot_ask_now_shows_what_the_other_one_does(assistant, kept) -> None:
    go = threading.Event()

    def slow(scripted: ScriptedAssistant, question: str) -> Iterator[Event]:
        yield Piece("Oui")
        assert go.wait(30)
        yield scripted.answer(question, "Oui.")

    chat = Chat(assistant, kept, Sessions())
    id = asked(chat, "Un ?")[0]["conversation"]
    assistant.script = slow

    async def both() -> Any:
        await chat.open(window("B"), event(conversation=id))
        first = chat.ask("Deux ?", page(id), window("A"))
        await anext(first)
        second = await last(chat.ask("Trois ?", page(id), window("B")))
        go.set()
        return second, await last(first)

    (log, _, _, question), _ = run(both())
    assert [one["question"] for one in log["exchanges"]] == ["Un ?", "Deux ?"]
    assert log["follow"]
    assert question == STAYS


def test_a_question_that_another_window_went_on_from_is_not_asked_anew(assistant, kept) -> None:
    chat = Chat(assistant, kept, Sessions())
    log = asked(chat, "Un ?")[0]
    id, key = log["conversation"], log["exchanges"][0]["key"]
    run(chat.open(window("B"), event(conversation=id)))
    asked(chat, "Deux ?", id)
    wish = event(conversation=id, documents=None, question="Une ?", replaces=key)
    log = run(last(chat.ask_again(window("B"), wish)))[0]
    assert [one["question"] for one in log["exchanges"]] == ["Un ?", "Deux ?"]
    assert [question for question, _ in assistant.asked] == ["Un ?", "Deux ?"]


def test_a_question_that_cannot_be_stored_stays_in_the_box(assistant, kept, busy) -> None:
    chat = Chat(assistant, kept, Sessions())
    run(chat.open(window("A"), event(conversation="")))
    busy.execute("BEGIN IMMEDIATE")
    log, _, _, question = asked(chat, "Une longue question ?")
    assert "cannot be used" in log["trouble"]["en"]
    assert question == STAYS
    busy.execute("ROLLBACK")
    log, _, _, question = asked(chat, "Une longue question ?")
    assert len(log["exchanges"]) == 1
    assert not log["trouble"]["en"]


def test_a_taken_question_leaves_the_box(assistant, kept) -> None:
    chat = Chat(assistant, kept, Sessions())

    async def first() -> Any:
        return await anext(chat.ask("Un ?", page(), window("A")))

    assert run(first())[3] == ""


def test_a_deletion_that_failed_is_told_and_leaves_the_conversation_on_show(
    assistant, kept, busy
) -> None:
    chat = Chat(assistant, kept, Sessions())
    id = asked(chat, "Un ?")[0]["conversation"]
    busy.execute("BEGIN IMMEDIATE")
    wish = event(conversation=id, id=id)
    log, _, talks = run(chat.delete(window("A"), wish))
    assert "cannot be used" in log["trouble"]["en"]
    assert log["conversation"] == id
    busy.execute("ROLLBACK")
    log, _, talks = run(chat.delete(window("A"), wish))
    assert (log["conversation"], log["exchanges"], talks["conversations"]) == ("", [], [])


def test_a_later_view_is_marked_later_even_when_the_clock_goes_back(monkeypatch) -> None:
    session = Session()
    first = page_log(session)["sent"]
    monkeypatch.setattr("time.time", lambda: first - 3600)
    second = page_log(session)["sent"]
    assert first < second < page_log(session)["sent"]
