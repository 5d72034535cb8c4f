"""The MCP tools, called by the official client over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from qa import cli
from qa.api import mcp as starting
from qa.api.access import add_user
from qa.api.serving import Serving
from qa.api.tools import tool_server
from qa.errors import InputError
from qa.types import Evidence, Piece
from running import run
from scripted import ScriptedAssistant
from serving import TIMEOUT_S, opened, served
from test_pipeline import TROOPS


def call(server, tool, **arguments):
    async def go():
        async with Client(server) as client:
            return await client.call_tool(tool, arguments)

    return run(go())


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("mcp")) as one:
        yield one


@pytest.fixture(scope="module")
def url(assistant):
    with served(assistant, Serving.of("127.0.0.1", mcp=True)) as client:
        yield f"{client.base_url}".rstrip("/") + "/mcp"


def test_the_three_tools_are_offered_and_say_that_they_only_read(url):
    async def go():
        async with Client(url) as client:
            return (await client.list_tools()).tools, client.instructions

    tools, instructions = run(go())
    assert {tool.name for tool in tools} == {"ask", "search", "list_documents"}
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    assert "cites the exact sentences" in instructions
    (ask,) = [tool for tool in tools if tool.name == "ask"]
    assert set(ask.input_schema["properties"]) == {"question", "history", "documents"}
    assert ask.input_schema["required"] == ["question"]


def test_ask_over_http_answers_with_markers_and_their_sentences(url, assistant):
    result = call(url, "ask", question=TROOPS)
    assert not result.is_error
    answer = assistant.ask(TROOPS)
    (cited,) = answer.citations
    assert result.content[0].text == (
        f"2500 soldats. [1]\n\n[1] {cited.title} (irak.txt:{cited.start}-{cited.end}): {cited.text}"
    )
    expected = json.loads(json.dumps(asdict(answer)))
    assert result.structured_content.keys() == expected.keys()
    for name in ("text", "citations", "statements", "kind", "confidence"):
        assert result.structured_content[name] == expected[name]


def test_ask_takes_history_and_documents(url):
    turn = {"question": TROOPS, "answer": "2500 soldats."}
    result = call(url, "ask", question="Et où ?", history=[turn], documents=["irak.txt"])
    assert TROOPS in result.structured_content["question"]


def test_search_gives_the_nearest_sentences_without_the_model(assistant, url):
    model = assistant.resources().model
    before = len(model.prompts)
    result = call(url, "search", query="porte-parole de l'armée")
    first = result.structured_content["citations"][0]
    assert "Yahya Rasoul" in first["text"]
    assert "Yahya Rasoul" in result.content[0].text.splitlines()[0]
    assert len(model.prompts) == before


def test_list_documents_gives_the_ids_that_the_others_take(url, assistant):
    (info,) = assistant.documents()
    result = call(url, "list_documents")
    expected = [{"id": "irak.txt", "title": info.title, "sentences": info.sentences}]
    assert result.structured_content == {"result": expected}


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("ask", {"question": ""}, "empty"),
        ("ask", {"question": "Qui ?", "documents": ["iraq.txt"]}, "irak.txt"),
        ("ask", {}, "question"),
        ("ask", {"question": "Qui ?", "history": [{"question": "a"}]}, "answer"),
        ("search", {"query": "?!"}, "no word"),
        ("search", {"query": "Qui ?", "documents": ["iraq.txt"]}, "irak.txt"),
    ],
)
def test_bad_input_is_an_error_that_the_model_can_read(url, tool, arguments, says):
    result = call(url, tool, **arguments)
    assert result.is_error
    assert says in result.content[0].text


def test_an_abstention_shows_the_nearest_sentences():
    def abstain(assistant, question):
        near = (assistant.cite("a.txt", "pleut"),)
        yield assistant.answer(question, "Rien.", answered=False, nearest=near)

    server = tool_server(lambda: ScriptedAssistant({"a.txt": "Il pleut."}, abstain))
    text = call(server, "ask", question="Qui ?").content[0].text
    assert text == "Rien.\n\nNearest sentences:\n[1] a (a.txt:0-9): Il pleut."


@pytest.mark.parametrize("query", ["top", "aide", "Bonjour"])
def test_a_search_for_a_word_that_is_also_small_talk_is_a_search(tmp_path, query):
    with opened(tmp_path, text="Une aide du top départ.\nElle a dit bonjour.\n") as assistant:
        result = call(tool_server(lambda: assistant), "search", query=query)
    assert query.lower() in result.structured_content["citations"][0]["text"]


def test_cancelling_a_call_stops_the_generation():
    started = threading.Event()

    def endless(assistant, question):
        yield Evidence((), chosen=False)
        while True:
            started.set()
            threading.Event().wait(0.02)
            yield Piece("encore ")

    assistant = ScriptedAssistant({"a.txt": "Il pleut."}, endless)

    async def go():
        async with Client(tool_server(lambda: assistant)) as client:
            asking = asyncio.create_task(client.call_tool("ask", {"question": "Qui ?"}))
            assert await asyncio.to_thread(started.wait, TIMEOUT_S)
            asking.cancel()
            assert await asyncio.to_thread(assistant.closed.wait, TIMEOUT_S)

    run(go())


@pytest.fixture
def stdio(tmp_path):
    """Give the parameters of ``qa mcp`` on an index of one document, without a language model."""
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "temps.txt").write_text("Il pleut à Brest.\n", encoding="utf-8")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import qa.assistant\n"
        "from fakes import HashEncoder\n"
        "qa.assistant.load_encoder = lambda *_, **__: HashEncoder()\n"
        "from qa.cli import main\n"
        "sys.exit(main(sys.argv[2:]))\n"
    )
    return StdioServerParameters(
        command=sys.executable,
        args=["-c", code, str(Path(__file__).parent), "mcp", "--backend", "extractive"],
        env={
            **os.environ,
            "QA_DOCUMENTS": json.dumps([str(tmp_path / "documents")]),
            "QA_STORE": str(tmp_path / "store"),
        },
        cwd=tmp_path,
    )


def test_qa_mcp_serves_the_tools_over_stdio(stdio):
    async def go():
        async with Client(stdio) as client:
            listed = await client.call_tool("list_documents", {})
            answer = await client.call_tool("ask", {"question": "Où pleut-il ?"})
            found = await client.call_tool("search", {"query": "pluie à Brest"})
            return listed, answer, found

    listed, answer, found = run(go())
    assert [one["id"] for one in listed.structured_content["result"]] == ["temps.txt"]
    assert answer.structured_content["backend"] == "extractive"
    assert "Il pleut à Brest." in found.content[0].text


def test_what_cannot_be_opened_is_an_error_of_the_call(stdio):
    stdio.args[-1] = "ollama"
    stdio.env["QA_OLLAMA_URL"] = "http://127.0.0.1:9"
    result = call(stdio, "list_documents")
    assert result.is_error
    assert "ollama serve" in result.content[0].text


def test_over_http_the_password_is_needed(tmp_path, assistant):
    add_user(tmp_path / "users", "marie", "un mot de passe")
    serving = Serving.of("127.0.0.1", auth_file=tmp_path / "users", mcp=True)

    async def go(url, auth):
        async with (
            httpx2.AsyncClient(auth=auth, timeout=TIMEOUT_S) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            return await client.call_tool("list_documents", {})

    with served(assistant, serving) as client:
        url = f"{client.base_url}".rstrip("/") + "/mcp"
        assert not run(go(url, ("marie", "un mot de passe"))).is_error
        with pytest.raises(BaseExceptionGroup):
            run(go(url, ("marie", "un autre mot")))


def test_without_the_extra_the_error_names_the_install_command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(starting, "find_spec", lambda name: None)
    for command in (["mcp"], ["serve", "--mcp"]):
        assert cli.main(command) == 2
        assert "pip install 'qa-sentence-citations[mcp]'" in capsys.readouterr().err
    with pytest.raises(InputError, match="install"):
        Serving.of("127.0.0.1", mcp=True)


def test_a_web_page_elsewhere_cannot_call_the_tools(url):
    origin = {"Origin": "http://evil.example.org"}
    assert httpx2.post(url, json={}, headers=origin).status_code == 403
    assert httpx2.post(url, json={}, headers={"Host": "rebound.example.org"}).status_code == 400


def test_without_mcp_asked_for_there_is_no_mcp_route(assistant):
    with served(assistant) as client:
        assert client.post("/mcp", json={}).status_code == 404
