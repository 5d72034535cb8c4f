"""The endpoints for programs, over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from dataclasses import asdict

import httpx
import pytest

from qa.api import guard
from qa.api.access import Access, Passwords
from qa.api.guard import BodyLimit, SameSite
from qa.api.serving import Serving
from qa.errors import InputError, ModelUnavailable
from qa.types import Evidence, Piece
from qa.ui import start
from running import run
from scripted import ScriptedAssistant
from serving import TIMEOUT_S, opened, served
from test_pipeline import TROOPS


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("api")) as one:
        yield one


@pytest.fixture(scope="module")
def client(assistant):
    with served(assistant) as one:
        yield one


def lines(response):
    return [json.loads(line) for line in response.text.splitlines()]


def without_times(answer):
    return {name: value for name, value in answer.items() if name not in ("timings", "usage")}


def test_ask_gives_the_fields_of_the_answer(client, assistant):
    response = client.post("/api/ask", json={"question": TROOPS})
    assert response.status_code == 200
    expected = json.loads(json.dumps(asdict(assistant.ask(TROOPS))))
    assert without_times(response.json()) == without_times(expected)
    assert response.json().keys() == expected.keys()
    (cited,) = response.json()["citations"]
    text = assistant.document(cited["document"]).text
    assert text[cited["start"] : cited["end"]] == cited["text"]


def test_history_and_documents_reach_the_assistant(client):
    turn = {"question": TROOPS, "answer": "2500 soldats."}
    body = {"question": "Et où ?", "history": [turn], "documents": ["irak.txt"]}
    answer = client.post("/api/ask", json=body).json()
    assert TROOPS in answer["question"]


def test_stream_gives_the_events_in_order_and_last_the_answer(client, assistant):
    response = client.post("/api/stream", json={"question": TROOPS})
    assert response.headers["content-type"].startswith("application/x-ndjson")
    events = lines(response)
    names = [event["event"] for event in events]
    assert names == ["evidence", "evidence", "piece", "piece", "statement", "answer"]
    assert [event["data"]["chosen"] for event in events[:2]] == [False, True]
    written = "".join(event["data"]["text"] for event in events if event["event"] == "piece")
    assert written == events[-1]["data"]["text"]
    assert events[-1]["data"]["citations"] == events[1]["data"]["citations"]


def test_documents_are_listed_with_their_ids(client, assistant):
    (info,) = assistant.documents()
    expected = {"id": "irak.txt", "title": info.title, "sentences": info.sentences}
    assert client.get("/api/documents").json() == [expected]


@pytest.mark.parametrize("path", ["/api/ask", "/api/stream"])
@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, "body"),
        (b"{", 422, "not JSON"),
        (b'"text"', 422, "body"),
        (b"{}", 422, "body.question"),
        (b'{"question": 3}', 422, "body.question"),
        (b'{"question": "a", "histori": []}', 422, "body.histori"),
        (b'{"question": "a", "history": [{"question": "b"}]}', 422, "body.history.0.answer"),
        (b'{"question": "a", "documents": []}', 422, "body.documents"),
        (b'{"question": "Bonjour \\ud800"}', 422, "surrogate"),
        (b'{"question": "a", "history": [{"question": "\\ud800", "answer": ""}]}', 422, "surrog"),
        (b'{"question": "  "}', 400, "empty"),
        (b'{"question": "?!"}', 400, "no word"),
        (b'{"question": "' + b"a" * 5000 + b'"}', 400, "5000 characters"),
        (b'{"question": "Qui parle ?", "documents": ["iraq.txt"]}', 400, "irak.txt"),
    ],
)
def test_bad_input_is_a_4xx_with_one_sentence(client, path, body, status, says):
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert says in response.json()["error"]
    assert "\n" not in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/ask"),
        ("POST", "/api/answer"),
        ("DELETE", "/api/documents"),
        ("OPTIONS", "/api/ask"),
        ("GET", "/api"),
    ],
)
def test_what_is_no_endpoint_says_where_they_are_described(client, method, path):
    response = client.request(method, path)
    assert response.status_code == 404
    assert f"{method} {path}; see /api/docs" in response.json()["error"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused(client, chunked):
    body = json.dumps({"question": "a" * (1 << 20)}).encode()
    content = iter([body[: 1 << 19], body[1 << 19 :]]) if chunked else body
    response = client.post("/api/ask", content=content)
    assert response.status_code == 413
    assert "larger than 1048576 bytes" in response.json()["error"]


@pytest.mark.parametrize("path", ["/api/ask", "/api/stream"])
@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("text/plain", b"Qui parle ?", "Content-Type: application/json"),
        ("application/x-www-form-urlencoded", b"question=Qui", "Content-Type: application/json"),
        ("multipart/form-data; boundary=x", b"--x--", "Content-Type: application/json"),
        ("application/json", b'{"question": "\xff"}', "parsing the body"),
        ("application/json", b'{"question": ' + b"[" * 100_000, "the body"),
    ],
)
def test_a_body_of_another_kind_is_a_4xx_with_one_sentence(client, path, kind, body, says):
    response = client.post(path, content=body, headers={"Content-Type": kind})
    assert 400 <= response.status_code < 500
    assert list(response.json()) == ["error"]
    assert says in response.json()["error"]


def silent(assistant, question):
    raise ModelUnavailable("no model is there; start one")
    yield


def crashing(assistant, question):
    raise ZeroDivisionError("secret detail")
    yield


def failing_later(assistant, question):
    yield Evidence((), chosen=False)
    raise ModelUnavailable("the model stopped; ask again")


def test_a_model_that_is_not_there_is_a_503():
    with served(ScriptedAssistant({"a.txt": "Il pleut."}, silent)) as client:
        for path in ("/api/ask", "/api/stream"):
            response = client.post(path, json={"question": "Qui ?"})
            assert response.status_code == 503
            assert response.json() == {"error": "no model is there; start one"}


def test_an_error_of_ours_is_a_500_that_shows_no_detail():
    with served(ScriptedAssistant({"a.txt": "Il pleut."}, crashing)) as client:
        for path in ("/api/ask", "/api/stream"):
            response = client.post(path, json={"question": "Qui ?"})
            assert response.status_code == 500
            assert "log" in response.json()["error"]
            assert "secret" not in response.text


def test_a_failure_on_the_way_is_the_streams_last_line():
    with served(ScriptedAssistant({"a.txt": "Il pleut."}, failing_later)) as client:
        events = lines(client.post("/api/stream", json={"question": "Qui ?"}))
    assert [event["event"] for event in events] == ["evidence", "error"]
    assert events[-1]["data"] == {"error": "the model stopped; ask again"}


def endless_answer():
    """Return what is released once for each answer that is begun, and a script that never ends."""
    writing = threading.Semaphore(0)

    def endless(assistant, question):
        yield Piece("encore ")
        writing.release()
        while True:
            yield Piece("encore ")
            threading.Event().wait(0.02)

    return writing, endless


@pytest.mark.parametrize("path", ["/api/ask", "/api/stream"])
def test_closing_the_connection_stops_the_generation(path):
    writing, endless = endless_answer()
    assistant = ScriptedAssistant({"a.txt": "Il pleut."}, endless)
    with served(assistant) as client:
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port)
        body = json.dumps({"question": "Qui ?"})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        assert writing.acquire(timeout=TIMEOUT_S)
        assert not assistant.closed.is_set()
        connection.close()
        assert assistant.closed.wait(TIMEOUT_S)


def test_ending_the_server_tells_who_waits_and_complains_of_nothing(capfd):
    writing, endless = endless_answer()
    page = start(ScriptedAssistant({"a.txt": "Il pleut."}, endless), port=0)
    page.run_in_thread()
    said = {}

    def ask(path):
        said[path] = httpx.post(page.url + path, json={"question": "Qui ?"}, timeout=TIMEOUT_S)

    threads = [threading.Thread(target=ask, args=(path,)) for path in ("/api/ask", "/api/stream")]
    # An open page of the chat holds a connection that only the server can cut off.
    with httpx.stream("GET", f"{page.url}/gradio_api/heartbeat/a", timeout=TIMEOUT_S) as opened:
        assert opened.status_code == 200
        for thread in threads:
            thread.start()
        for _ in threads:  # the server is to end while both wait
            assert writing.acquire(timeout=TIMEOUT_S)
        page.close()
        for thread in threads:
            thread.join(TIMEOUT_S)
    stopped = {"error": "the answer was stopped before its end; ask again"}
    assert (said["/api/ask"].status_code, said["/api/ask"].json()) == (503, stopped)
    assert lines(said["/api/stream"])[-1] == {"event": "error", "data": stopped}
    assert capfd.readouterr().err == ""


def test_several_programs_are_answered_at_once():
    together = threading.Barrier(4)

    def wait_for_the_others(assistant, question):
        together.wait(TIMEOUT_S)
        yield assistant.answer(question, question)

    assistant = ScriptedAssistant({"a.txt": "Il pleut."}, wait_for_the_others)
    said = {}
    with served(assistant) as client:

        def ask(question):
            said[question] = client.post("/api/ask", json={"question": question}).json()["text"]

        threads = [threading.Thread(target=ask, args=(f"Qui {n} ?",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
    assert said == {f"Qui {n} ?": f"Qui {n} ?" for n in range(4)}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example.org"}, 400),
        ({"Host": "127.0.0.1.example.org"}, 400),
        ({"Host": ""}, 400),
        ({"Origin": "http://evil.example.org"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[evil"}, 403),
        ({"Host": "localhost:80", "Origin": "http://localhost:80"}, 200),
        ({"Host": "127.0.0.1", "X-Forwarded-Host": "a.org", "Origin": "https://a.org"}, 200),
    ],
)
def test_web_pages_elsewhere_cannot_call(client, headers, status):
    response = client.post("/api/ask", json={"question": "Bonjour"}, headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize(
    "guarded",
    [
        lambda app: SameSite(app, loopback=True, any_host=False),
        lambda app: Access(app, passwords=Passwords({})),
        lambda app: BodyLimit(app, max_bytes=3),
    ],
)
def test_what_is_left_of_a_refused_body_is_read_before_the_answer(guarded):
    # A connection closed with bytes unread is reset, and the caller would not see the refusal.
    scope = {"type": "http", "path": "/api/ask", "headers": [(b"host", b"rebound.example.org")]}
    parts, log = [b"aaaa", b"b", b"c"], []

    async def receive():
        part = parts.pop(0)
        log.append("read")
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        log.append(message["type"])

    run(guarded(None)(scope, receive, send))
    assert log == ["read"] * 3 + ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("headers", [[(b"expect", b"100-continue")], []])
def test_a_refusal_does_not_wait_for_a_body_that_does_not_come(headers, monkeypatch):
    monkeypatch.setattr(guard, "_DRAIN_S", 0)
    scope = {"type": "http", "path": "/api/ask", "headers": headers}
    sent, asked = [], []

    async def receive():
        asked.append(1)
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    run(SameSite(None, loopback=True, any_host=False)(scope, receive, send))
    assert sent[0]["status"] == 400
    assert bool(asked) != bool(headers)  # who expects a sign gets none


def test_no_other_site_is_allowed_by_cors(client):
    asked = {"Origin": "http://evil.example.org", "Access-Control-Request-Method": "POST"}
    response = client.options("/api/ask", headers=asked)
    assert response.status_code == 403
    allowed = client.post("/api/ask", json={"question": "Bonjour"})
    for headers in (response.headers, allowed.headers):
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.20:7860", 200),
        ("[fd00::1]:7860", 200),
        ("bureau:7860", 200),
        ("bureau.local", 200),
        ("localhost:7860", 200),
        ("rebound.example.org", 400),
    ],
)
def test_on_a_local_network_only_its_own_names_are_taken(assistant, host, status):
    with served(assistant, Serving(host="0.0.0.0")) as client:
        assert client.get("/api/documents", headers={"Host": host}).status_code == status


def test_a_request_by_address_asks_no_name_server(assistant, monkeypatch):
    monkeypatch.setattr("socket.getfqdn", lambda: pytest.fail("this may take seconds"))
    with served(assistant, Serving(host="0.0.0.0")) as client:
        for host in ("192.168.1.20:7860", "[fd00::1]:7860", "bureau.local"):
            assert client.get("/api/documents", headers={"Host": host}).status_code == 200


def test_the_openapi_page_describes_every_endpoint_and_loads_nothing(client):
    schema = client.get("/api/openapi.json").json()
    assert set(schema["paths"]) == {"/api/ask", "/api/stream", "/api/documents"}
    page = client.get("/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in (*schema["paths"], "question", "history", "documents", "confidence", "support"):
        assert path in page.text
    assert "//" not in page.text.replace('"openapi.json"', "")
    assert "<script" not in page.text


@pytest.mark.parametrize("prefix", ["", "/docs"])
def test_a_proxy_may_cut_its_path_off_or_pass_it_on(assistant, prefix):
    with served(assistant, Serving.of("127.0.0.1", root_path="/docs/")) as client:
        response = client.post(f"{prefix}/api/ask", json={"question": "Bonjour"})
        assert response.json()["kind"] == "small talk"
        assert client.post(f"{prefix}/api/ask", content=b"a" * (2 << 20)).status_code == 413


def test_a_root_path_without_a_slash_is_refused():
    with pytest.raises(InputError, match="'docs'"):
        Serving.of("127.0.0.1", root_path="docs")


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", 0), ("localhost", 0), ("::1", 0), ("0.0.0.0", 1), ("::", 1)]
)
def test_listening_beyond_this_machine_without_passwords_is_warned_of(host, warned):
    warnings = Serving.of(host).warnings
    assert len(warnings) == warned
    assert all("--auth-file" in warning for warning in warnings)
