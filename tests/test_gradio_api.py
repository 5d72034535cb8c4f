"""What Gradio's own client can call: the question, and nothing of the page's helpers."""

from __future__ import annotations

import json
from dataclasses import asdict

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from qa.ui import start
from serving import TIMEOUT_S, opened
from test_pipeline import TROOPS


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("gradio")) as one:
        yield one


@pytest.fixture(scope="module")
def client(assistant):
    page = start(assistant, port=0, announce=lambda line: None)
    page.run_in_thread()
    try:
        opened_client = Client(page.url, verbose=False, analytics_enabled=False)
        yield opened_client
        opened_client.close()
    finally:
        page.close()


def test_ask_is_the_only_endpoint(client):
    offered = client.view_api(return_format="dict", print_info=False)
    assert list(offered["named_endpoints"]) == ["/ask"]
    assert offered["unnamed_endpoints"] == {}


def test_helper_events_cannot_be_called(client):
    helpers = [one for one in client.config["dependencies"] if one["api_name"] != "ask"]
    assert {one["api_visibility"] for one in helpers} == {"private"}
    for helper in helpers:
        with pytest.raises(ValueError, match="Invalid function index"):
            client.predict(fn_index=helper["id"])


def test_ask_gives_the_fields_of_the_answer(client, assistant):
    answer = client.predict(question=TROOPS, api_name="/ask")
    expected = json.loads(json.dumps(asdict(assistant.ask(TROOPS))))
    assert answer.keys() == expected.keys()
    for name in ("text", "statements", "citations", "kind", "confidence"):
        assert answer[name] == expected[name]


def test_history_and_documents_reach_the_assistant(client):
    turn = {"question": TROOPS, "answer": "2500 soldats."}
    answer = client.predict("Et où ?", [turn], ["irak.txt"], api_name="/ask")
    assert TROOPS in answer["question"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"question": " "}, "empty"),
        ({"question": "Qui ?", "documents": ["iraq.txt"]}, "irak.txt"),
        ({"question": "Qui ?", "history": [{"question": "a"}]}, "an answer"),
        ({"question": 3}, "no text"),
    ],
)
def test_bad_input_is_an_error_in_plain_words(client, arguments, says):
    with pytest.raises(AppError, match=says):
        client.predict(**arguments, api_name="/ask")


@pytest.mark.parametrize("prefix", ["", "/docs"])
def test_the_page_works_behind_a_proxy_that_cuts_its_path_off_or_passes_it_on(assistant, prefix):
    page = start(assistant, port=0, root_path="/docs", announce=lambda line: None)
    page.run_in_thread()
    try:
        with httpx.Client(base_url=page.url, timeout=TIMEOUT_S, trust_env=False) as client:
            assert client.get(f"{prefix}/").status_code == 200
            assert client.get(f"{prefix}/theme.css").status_code == 200
            assert client.get(f"{prefix}/config").json()["root"] == f"{page.url}/docs"
            assert client.get(f"{prefix}/api/documents").status_code == 200
    finally:
        page.close()
