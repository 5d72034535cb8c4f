"""What the chat page shows, without a browser: numbers, whole texts, ports, hosts, the end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa.errors import InputError, ModelUnavailable
from qa.sentences import split_sentences
from qa.types import (
    Citation,
    Document,
    Event,
    Evidence,
    Piece,
    Sentence,
    Statement,
    Timings,
    Usage,
)
from qa.ui import start
from qa.ui.answer_view import exchange_view, why_view
from qa.ui.exchange import Exchange, advance, fail, history, numbered, stop
from qa.ui.labels import LABELS, examples
from qa.ui.serve import listen
from qa.ui.session import Live, Session
from qa.ui.spoken import said
from qa.ui.view import document_view, log_view, marks_view, page_log
from qa.ui.visitor import Visitors
from qa.ui.warmup import Warmup
from running import run
from scripted import ScriptedAssistant, split

STATIC = Path(__file__).parents[1] / "src/qa/ui/static"
TEXT = "Il pleut. Il vente.\n\nTitre\nIl neige à Paris."
HOSTILE = "<script>${alert(1)}</script> [x](http://example.org) \u202etxet"


def silent(assistant: ScriptedAssistant, question: str) -> Iterator[Event]:
    yield assistant.answer(question, "Rien.")


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant({"temps.txt": TEXT}, silent, headings=("Titre",))


def grown(*events: Event) -> Exchange:
    exchange = Exchange("Quel temps ?")
    for event in events:
        exchange = advance(exchange, event)
    return exchange


def joined(view: dict) -> str:
    return "".join(
        "".join(piece if isinstance(piece, str) else piece[2] for piece in paragraph["pieces"])
        + paragraph["gap"]
        for paragraph in view["paragraphs"]
    )


def test_citations_are_numbered_in_first_use_order(assistant) -> None:
    rain, wind, snow = (assistant.cite("temps.txt", part) for part in ("pleut", "vente", "neige"))
    statements = (
        Statement("a", (wind, rain), "supported"),
        Statement("b", (rain, snow), "supported"),
    )
    assert numbered(statements) == (wind, rain, snow)
    view = log_view([grown(*statements)], ())["exchanges"][0]
    numbers = [[c["number"] for c in statement["citations"]] for statement in view["statements"]]
    assert numbers == [[1, 2], [2, 3]]


def test_numbers_start_anew_in_each_answer(assistant) -> None:
    rain, snow = (assistant.cite("temps.txt", part) for part in ("pleut", "neige"))
    exchanges = [
        grown(Statement("a", (rain,), "supported")),
        grown(Statement("b", (snow,), "quoted")),
    ]
    views = log_view(exchanges, ())["exchanges"]
    assert [view["statements"][0]["citations"][0]["number"] for view in views] == [1, 1]


def test_evidence_under_consideration_gives_way_to_the_chosen_sentences(assistant) -> None:
    rain, snow = (assistant.cite("temps.txt", part) for part in ("pleut", "neige"))
    exchange = grown(Evidence((rain, snow), chosen=False))
    assert [one["start"] for one in marks_view([exchange])["considered"]] == [
        rain.start,
        snow.start,
    ]
    exchange = advance(exchange, Evidence((snow,), chosen=True))
    marks = marks_view([exchange])
    assert marks["considered"] == []
    assert [one["start"] for one in marks["chosen"]] == [snow.start]


def test_a_checked_statement_replaces_its_draft(assistant) -> None:
    exchange = grown(Piece("Il pleut. Il n"), Statement("Il pleut.", (), "supported"))
    assert exchange.draft == " Il n"
    exchange = advance(exchange, Piece("eige."))
    exchange = advance(exchange, Statement("« Il neige à Paris. »", (), "quoted"))
    assert exchange.draft == ""
    assert [statement.text for statement in exchange.statements] == [
        "Il pleut.",
        "« Il neige à Paris. »",
    ]


def test_the_answer_decides_what_stays(assistant) -> None:
    kept = Statement("Il pleut.", (assistant.cite("temps.txt", "pleut"),), "supported")
    dropped = Statement("Il grêle.", (), "partly")
    exchange = grown(
        Piece("Il pleut. Il grêle."),
        kept,
        dropped,
        assistant.answer("q", "Il pleut.", statements=(kept,), citations=kept.citations),
    )
    view = log_view([exchange], ())
    assert [one["text"] for one in view["exchanges"][0]["statements"]] == ["Il pleut."]
    assert view["exchanges"][0]["text"] == ""
    assert not view["busy"]


def test_a_running_answer_is_busy_and_an_ended_one_is_not() -> None:
    running = grown(Piece("Il"))
    assert log_view([running], ())["busy"]
    assert not log_view([stop(running)], ())["busy"]
    assert not log_view([fail(running, "died")], ())["busy"]


def test_what_was_written_stays_when_an_answer_stops_or_fails() -> None:
    running = grown(Piece("Il pl"))
    assert stop(running).draft == "Il pl"
    assert fail(running, "died").draft == "Il pl"


def test_stopping_a_finished_answer_changes_nothing(assistant) -> None:
    done = grown(assistant.answer("q", "Rien."))
    assert stop(done) == done


def test_history_holds_finished_exchanges_only(assistant) -> None:
    done = grown(assistant.answer("q", "Il pleut."))
    turns = history([done, stop(grown(Piece("Il"))), fail(Exchange("x"), "died")])
    assert [(turn.question, turn.answer) for turn in turns] == [("q", "Il pleut.")]


def test_a_rewritten_question_is_shown_and_the_same_one_is_not(assistant) -> None:
    same = grown(assistant.answer(" Quel  temps ? ", "x"))
    other = grown(assistant.answer("Quel temps à Paris ?", "x"))
    asked = [one["asked"] for one in log_view([same, other], ())["exchanges"]]
    assert asked == ["", "Quel temps à Paris ?"]


@pytest.mark.parametrize(
    ("confidence", "level"), [(1.0, "high"), (0.8, "high"), (0.79, "medium"), (0.59, "low")]
)
def test_confidence_has_a_name_and_a_number(assistant, confidence: float, level: str) -> None:
    exchange = grown(assistant.answer("q", "x", confidence=confidence))
    assert exchange_view(exchange)["confidence"] == {"level": level, "value": confidence}


def test_only_an_answer_is_shown_as_sure_and_only_a_refusal_as_one(assistant) -> None:
    greeted = grown(assistant.answer("q", "Bonjour !", answered=False, kind="small talk"))
    refused = grown(assistant.answer("q", "Rien.", answered=False))
    views = [exchange_view(one) for one in (greeted, refused)]
    assert [view["kind"] for view in views] == ["small talk", "no answer"]
    assert [view["confidence"] for view in views] == [None, None]


def test_the_reasons_name_what_was_considered_and_cited(assistant) -> None:
    rain, snow = (assistant.cite("temps.txt", part) for part in ("pleut", "neige"))
    statement = Statement("Il pleut.", (rain,), "supported")
    usage = Usage(100, 20, 5, truncated=True)
    why = why_view(
        grown(
            assistant.answer(
                "Quel temps fait-il ?",
                "Il pleut.",
                statements=(statement,),
                citations=(rain,),
                considered=(snow, rain),
                usage=usage,
                timings=Timings(total_s=2.0),
                notices=("coupé",),
                confidence=0.7,
                answerable=0.9,
            )
        )
    )
    assert (why["confidence"], why["answerable"]) == (0.7, 0.9)
    assert [(one["text"], one["number"]) for one in why["considered"]] == [
        (snow.text, None),
        (rain.text, 1),
    ]
    assert why["usage"] == {
        "prompt_tokens": 100,
        "computed_tokens": 20,
        "generated_tokens": 5,
        "truncated": True,
    }
    assert (why["asked"], why["notices"]) == ("Quel temps fait-il ?", [said("coupé")])
    assert why["timings"]["total_s"] == 2.0
    assert why_view(grown(Piece("Il"))) == {}


def test_only_the_last_question_can_be_asked_anew(assistant) -> None:
    done = grown(assistant.answer("q", "Rien."))
    assert [one["last"] for one in log_view([done, done], ())["exchanges"]] == [False, True]


def test_a_page_is_told_when_its_conversation_is_answered_elsewhere() -> None:
    session = Session(conversation="a", exchanges=[grown(Piece("Il"))])
    assert page_log(session)["follow"]
    session.answering["a"] = Live(None, session.exchanges[-1])
    assert not page_log(session)["follow"]


def test_the_panel_gets_the_whole_text_with_its_paragraphs(assistant) -> None:
    view = document_view(assistant.document("temps.txt"), assistant.sentences("temps.txt"))
    assert joined(view) == TEXT
    assert [paragraph["gap"] for paragraph in view["paragraphs"]] == ["\n\n", "\n", ""]
    headings = [block["pieces"] for block in view["paragraphs"] if block["heading"]]
    assert headings == [[[21, 26, "Titre"]]]


def test_the_rule_of_a_table_is_no_heading_to_read() -> None:
    document = Document("d", "d", "# Titre\n\nJour | Prix\n--- | ---\nLundi | 9 €\n")
    view = document_view(document, split_sentences(document))
    headings = [block["pieces"] for block in view["paragraphs"] if block["heading"]]
    assert headings == [[[0, 7, "# Titre"]]]


def test_text_outside_sentences_is_kept() -> None:
    document = Document("d", "d", "\n  --- \nIl pleut. ***\n")
    sentence = Sentence("d", 0, 8, 17, "Il pleut.")
    assert joined(document_view(document, [sentence])) == document.text


@given(st.text(alphabet="ab. \n\t🙂é\u202e", max_size=60))
def test_no_character_of_a_document_is_lost(text: str) -> None:
    document = Document("d", "d", text)
    view = document_view(document, split(document))
    assert joined(view) == text
    for paragraph in view["paragraphs"]:
        at = paragraph["start"]
        for piece in paragraph["pieces"]:
            start, end, shown = (at, at + len(piece), piece) if isinstance(piece, str) else piece
            assert start == at
            assert text[start:end] == shown
            at = end


def test_a_long_run_of_blanks_is_cut_in_linear_time() -> None:
    document = Document("d", "d", " " * 2_000_000)
    assert joined(document_view(document, ())) == document.text


def test_text_is_sent_as_it_is_and_never_as_html(assistant) -> None:
    cited = Citation("d", HOSTILE, None, 0, len(HOSTILE), HOSTILE, 1.0)
    statement = Statement(HOSTILE, (cited,), "supported")
    exchange = grown(
        assistant.answer(
            "q",
            HOSTILE,
            statements=(statement,),
            nearest=(cited,),
            notices=(HOSTILE,),
            unfinished=HOSTILE,
        )
    )
    view = json.loads(json.dumps(log_view([exchange], ())))["exchanges"][0]
    assert view["statements"][0]["text"] == HOSTILE
    assert view["nearest"][0]["text"] == view["unfinished"] == HOSTILE
    assert view["notices"] == [{"en": HOSTILE, "fr": HOSTILE}]


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.html")))
def test_templates_show_no_value(name: str) -> None:
    # Gradio evaluates ${…} in the values that a template shows, escaped or not.
    template = (STATIC / name).read_text("utf-8")
    assert "$" not in template
    assert "{{" not in template


@pytest.mark.parametrize("name", sorted(path.name for path in STATIC.glob("*.js")))
def test_scripts_never_write_html(name: str) -> None:
    script = (STATIC / name).read_text("utf-8")
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "srcdoc",
    ):
        assert way not in script


def test_both_languages_have_the_same_labels() -> None:
    assert LABELS["fr"].keys() == LABELS["en"].keys()
    assert LABELS["fr"]["question"] == LABELS["en"]["question"] == "Question"


def test_examples_fit_the_documents(assistant) -> None:
    assert examples(()) == {"fr": [], "en": []}
    assert all(len(questions) == 3 for questions in examples(assistant.documents()).values())
    assistant.texts = {"irak-coalition.txt": "Il pleut."}
    assert "soldats" in examples(assistant.documents())["fr"][0]


def test_the_state_of_warming_ends_ready_or_with_the_reason(assistant) -> None:
    ended = threading.Event()

    class Failing(ScriptedAssistant):
        def warm(self, progress) -> None:
            progress("lecture")
            ended.set()
            raise ModelUnavailable("no server at 'x'; start it")

    warmup = Warmup(Failing({}, silent))
    warmup.start()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "qa-warm":
            thread.join(10)
    assert (warmup.state, warmup.message) == ("failed", "no server at 'x'; start it")


def test_a_taken_port_gives_way_to_the_next_free_one(assistant) -> None:
    said: list[str] = []
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        page = start(assistant, port=port, announce=said.append)
        page.close()
    used = int(page.url.rsplit(":", 1)[1])
    assert used > port
    assert said[0] == f"Port {port} is taken; using {used} instead."
    assert page.url in said[1]


def test_a_folder_that_cannot_be_written_is_served_and_told(
    assistant, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    said: list[str] = []
    file = tmp_path / "conversations.sqlite"
    page = start(assistant, port=0, conversations=file, announce=said.append)
    page.close()
    assert "cannot be written: conversations are kept until the end" in said[0]
    assert str(tmp_path) in said[0]
    assert not file.exists()


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("testclient", False),
    ],
)
def test_this_machine_is_known_by_each_of_its_addresses(address: str, here: bool) -> None:
    seen: list[bool] = []

    async def app(scope: dict, receive: object, send: object) -> None:
        seen.append("browser" not in scope.get("state", {}))

    scope = {"type": "http", "client": (address, 50000), "headers": []}
    run(Visitors(app)(scope, None, None))
    assert seen == [here]


def test_an_address_of_another_machine_is_a_clear_error() -> None:
    with pytest.raises(InputError, match=r"'192\.0\.2\.1'"):
        listen("192.0.2.1", 0)


def fetch(url: str, host: str | None = None) -> http.client.HTTPResponse:
    address = url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", "/", headers={"Host": host or address})
    return connection.getresponse()


def test_the_page_answers_its_own_address_only(assistant) -> None:
    page = start(assistant, port=0, announce=lambda line: None)
    page.run_in_thread()
    try:
        assert fetch(page.url).status == 200
        assert fetch(page.url, host="rebound.example.org").status == 400
    finally:
        page.close()


def test_the_browser_may_load_nothing_from_elsewhere(assistant) -> None:
    page = start(assistant, port=0, announce=lambda line: None)
    page.run_in_thread()
    try:
        policy = fetch(page.url).headers["Content-Security-Policy"]
    finally:
        page.close()
    assert policy.startswith("default-src 'self'")
    assert "http:" not in policy
    assert "*" not in policy


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_the_server_cleanly(tmp_path: Path, end: signal.Signals) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from qa.ui import serve\n"
        "from scripted import ScriptedAssistant\n"
        "serve(ScriptedAssistant({'a.txt': 'Il pleut.'}, None), port=0)\n"
        "print('ended')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    line = process.stdout.readline()
    url = line.split()[4]
    assert fetch(url).status == 200
    process.send_signal(end)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "ended\n"
    assert "Traceback" not in errors
    assert list(tmp_path.glob("qa-uploads-*")) == []
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) != 0


def test_importing_the_page_does_not_load_gradio() -> None:
    code = "import sys, qa.ui; sys.exit('gradio' in sys.modules or 'fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
