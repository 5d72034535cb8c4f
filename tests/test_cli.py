"""The command line formats what the assistant says and turns every end into an exit code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

import pytest

import qa.assistant
from qa import cli
from qa.errors import IndexMissing, ModelUnavailable
from qa.settings import Settings
from qa.types import Answer, Citation, Event, Evidence, Piece, Statement, Timings, Turn

ARTICLE = Path(__file__).parents[1] / "index" / "documents" / "irak-coalition.txt"

TROOPS = Citation("irak", "Irak", None, 10, 41, "Il y a 2 500 soldats en Irak. »", 0.9)
SYRIA = Citation("irak", "Irak", 2, 50, 72, "Et 900 en Syrie\nvoisine.", 0.8)
FIRST = Statement("2 500 soldats sont en Irak.", (TROOPS,), "supported")
SECOND = Statement("900 sont en Syrie.", (SYRIA, TROOPS), "partly")
ANSWER = Answer(
    text="2 500 soldats sont en Irak. 900 sont en Syrie.",
    answered=True,
    confidence=0.93,
    statements=(FIRST, SECOND),
    citations=(TROOPS, SYRIA),
    nearest=(),
    question="Combien ?",
    backend="scripted",
    timings=Timings(total_s=1.25),
    notices=("the document was read in parts",),
)
ABSTENTION = replace(
    ANSWER,
    text="Les documents ne le disent pas.",
    answered=False,
    statements=(),
    citations=(),
    nearest=(SYRIA,),
    notices=(),
)


def events_of(answer: Answer) -> list[Event]:
    """Return what a stream yields for an answer."""
    pieces = [Piece(text) for text in ("2 500 soldats ", "sont en Irak. ", "900 sont en Syrie.")]
    evidence = Evidence(answer.citations or answer.nearest, chosen=answer.answered)
    return [evidence, *(pieces if answer.answered else []), *answer.statements, answer]


class ScriptedAssistant:
    """Yields queued events; raises what is queued among them; remembers what it was asked."""

    def __init__(self, *scripts: Sequence[Event | BaseException]) -> None:
        self.scripts = list(scripts)
        self.asked: list[tuple[str, tuple[Turn, ...]]] = []
        self.settings: Settings | None = None
        self.stopped = 0
        self.closed = False
        self.backend = "scripted"
        self.opened_on: object = "not opened"
        self.report: object = None

    def open(
        self, paths: object = None, settings: Settings | None = None, progress: object = None
    ) -> Self:
        self.settings, self.opened_on = settings, paths
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def warm(self, progress: object = None) -> int:
        return 0

    def stream(self, question: str, history: Sequence[Turn] = ()) -> Iterator[Event]:
        self.asked.append((question, tuple(history)))
        try:
            for event in self.scripts.pop(0):
                if isinstance(event, BaseException):
                    raise event
                yield event
        except GeneratorExit:
            self.stopped += 1
            raise

    def ask(self, question: str) -> Answer:
        print("a library says hello")  # noqa: T201
        last = list(self.stream(question))[-1]
        assert isinstance(last, Answer)
        return last


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> object:
    def install(*scripts: Sequence[Event | BaseException]) -> ScriptedAssistant:
        assistant = ScriptedAssistant(*scripts)
        monkeypatch.setattr(qa.assistant, "Assistant", assistant)
        return assistant

    return install


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], []])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    for command in ("index", "ask", "chat", "serve", "mcp", "eval", "bench", "doctor"):
        assert f"\n  {command} " in shown


@pytest.mark.parametrize(
    "arguments", [["ask"], ["nothing"], ["ask", "q", "--backend", "gpt"], ["ask", "q", "--x"]]
)
def test_a_usage_error_is_exit_2_with_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "qa --help" in shown.err
    assert "Traceback" not in shown.err


def test_ask_prints_each_statement_with_its_marks_then_the_citations(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use(events_of(ANSWER))
    assert cli.main(["ask", "Combien ?"]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "2 500 soldats sont en Irak. [1] 900 sont en Syrie. [2][1] (partly supported)\n"
        "\n"
        "[1] Irak (irak:10-41)\n"
        "    Il y a 2 500 soldats en Irak. »\n"
        "[2] Irak, page 2 (irak:50-72)\n"
        "    Et 900 en Syrie voisine.\n"
    )
    assert "note: the document was read in parts" in shown.err
    assert "scripted" in shown.err
    assert assistant.closed


def test_ask_streams_to_a_terminal_and_marks_at_the_end(
    use, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = replace(ANSWER, text=FIRST.text, statements=(FIRST,), citations=(TROOPS,))
    use(
        [
            Evidence((TROOPS,), chosen=True),
            Piece("2 500 soldats "),
            Piece("sont en Irak."),
            FIRST,
            answer,
        ]
    )
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["ask", "Combien ?"]) == 0
    assert terminal.getvalue().startswith("2 500 soldats sont en Irak. [1]\n\n[1] Irak")


def test_a_text_that_the_check_changed_is_shown_again(use, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = replace(ANSWER, text=FIRST.text, statements=(FIRST,), citations=(TROOPS,))
    use([Evidence((TROOPS,), chosen=True), Piece("3 000 soldats."), FIRST, answer])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["ask", "Combien ?"]) == 0
    assert terminal.getvalue().startswith("3 000 soldats.\n= 2 500 soldats sont en Irak. [1]\n")


def test_what_a_model_left_unfinished_is_told_beside_the_answer(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    use(events_of(ANSWER), events_of(replace(ANSWER, unfinished="3 000 sol\x1b[2J")))
    cli.main(["ask", "Combien ?"])
    whole = capsys.readouterr().out
    assert cli.main(["ask", "Combien ?"]) == 0
    shown = capsys.readouterr()
    assert shown.out == whole
    assert "unfinished, not checked: 3 000 sol\ufffd[2J\n" in shown.err


def test_an_abstention_is_exit_3_and_shows_the_nearest_sentences(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    use(events_of(ABSTENTION))
    assert cli.main(["ask", "Et au Japon ?"]) == 3
    assert capsys.readouterr().out == (
        "Les documents ne le disent pas.\n\nNearest sentences:\n"
        "[1] Irak, page 2 (irak:50-72)\n    Et 900 en Syrie voisine.\n"
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [(ANSWER, 0), (ABSTENTION, 3), (replace(ABSTENTION, kind="small talk", nearest=()), 0)],
)
def test_json_is_one_object_with_the_answers_fields_and_nothing_else(
    answer: Answer, code: int, use, capsys: pytest.CaptureFixture[str]
) -> None:
    use(events_of(answer))
    assert cli.main(["ask", "Combien ?", "--json"]) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json.loads(json.dumps(asdict(answer)))
    assert shown.out.count("\n") == 1
    assert "a library says hello" in shown.err


def test_json_survives_a_stdout_that_is_not_unicode(use, monkeypatch: pytest.MonkeyPatch) -> None:
    use(events_of(ANSWER))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert cli.main(["ask", "Combien ?", "--json"]) == 0
    assert json.loads(written.getvalue())["citations"][0]["text"] == TROOPS.text


@pytest.mark.parametrize("question", ["", "  \n "])
def test_an_empty_question_is_refused_before_anything_is_loaded(
    question: str, use, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use()
    assert cli.main(["ask", question]) == 2
    assert repr(question) in capsys.readouterr().err
    assert assistant.opened_on == "not opened"


def test_an_error_that_the_person_can_act_on_is_one_line_and_exit_2(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    use([ModelUnavailable("no model 'x': ollama pull x")])
    assert cli.main(["ask", "Combien ?"]) == 2
    assert capsys.readouterr().err == "error: no model 'x': ollama pull x\n"


def test_an_error_of_ours_is_exit_1_and_says_how_to_see_more(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    use([ZeroDivisionError("oh")], [ZeroDivisionError("oh")])
    assert cli.main(["ask", "Combien ?"]) == 1
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in shown
    assert "--debug" in shown
    assert "Traceback" not in shown
    assert cli.main(["ask", "Combien ?", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_exit_130_and_closes_the_assistant(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use([Piece("2 500"), KeyboardInterrupt()])
    assert cli.main(["ask", "Combien ?"]) == 130
    assert assistant.closed
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--store", "there", "--backend", "extractive", "ask", "Combien ?"],
        ["ask", "Combien ?", "--store", "there", "--backend", "extractive"],
        ["--store", "elsewhere", "ask", "--backend=extractive", "--store=there", "Combien ?"],
    ],
)
def test_store_and_backend_work_before_and_after_the_command(arguments: list[str], use) -> None:
    assistant = use(events_of(ANSWER))
    assert cli.main(arguments) == 0
    assert assistant.settings is not None
    assert (assistant.settings.store, assistant.settings.backend) == (Path("there"), "extractive")
    assert assistant.opened_on is None


def test_a_wrong_setting_is_exit_2_and_named(
    use, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use()
    monkeypatch.setenv("QA_PORT", "seven")
    assert cli.main(["ask", "Combien ?"]) == 2
    assert "seven" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_exit_2_before_an_index_is_erased(
    use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use()
    (tmp_path / "store.sqlite").write_bytes(b"precious")
    arguments = ["index", "--rebuild", "--store", str(tmp_path), str(tmp_path / "gone.txt")]
    assert cli.main(arguments) == 2
    assert "gone.txt" in capsys.readouterr().err
    assert (tmp_path / "store.sqlite").exists()
    assert assistant.opened_on == "not opened"


def report(**parts: object) -> types.SimpleNamespace:
    """Return what an indexing run reports, nothing but what is given."""
    empty = dict.fromkeys(("added", "updated", "removed", "unchanged", "failed"), ())
    return types.SimpleNamespace(**{**empty, "sentences": 0, **parts})


def test_index_names_what_changed_and_counts_it(
    use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use()
    assistant.report = report(
        added=("a.txt",), updated=("b.md",), removed=("c.txt",), unchanged=("d", "e"), sentences=41
    )
    assert cli.main(["index", str(tmp_path)]) == 0
    assert assistant.opened_on == [tmp_path]
    assert capsys.readouterr().out.splitlines() == [
        "added a.txt",
        "updated b.md",
        "removed c.txt",
        "1 added, 1 updated, 1 removed, 2 unchanged; 41 sentences",
    ]


def test_a_document_that_failed_is_named_and_exit_2_while_the_others_stay(
    use, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use().report = report(added=("a.txt",), failed=(("b.bin", "b.bin is not text"),), sentences=3)
    assert cli.main(["index", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "added a.txt\n1 added, 1 failed; 3 sentences\n"
    assert "b.bin is not text" in shown.err


def test_serve_opens_the_page_where_it_was_told_to(use, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = use()
    served: list[object] = []

    def serve(assistant: object, **options: object) -> None:
        served.extend([assistant, options])

    monkeypatch.setattr("qa.ui.serve", serve)
    options: dict[str, object] = {
        "host": "127.0.0.1",
        "port": 7999,
        "conversations": Path("index/store/conversations.sqlite"),
        "max_file_mb": 50,
    }
    assert cli.main(["serve", "--port", "7999"]) == 0
    assert served == [assistant, {**options, "auth_file": None, "root_path": "", "mcp": False}]
    served.clear()
    assert cli.main(["serve", "--port", "7999", "--mcp", "--root-path", "/docs"]) == 0
    assert served == [assistant, {**options, "auth_file": None, "root_path": "/docs", "mcp": True}]
    assert assistant.closed


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """Queue lines for the prompt; an exception is raised in place of a line."""
    queue = list(lines)

    def answer_prompt(_prompt: str) -> str:
        line = queue.pop(0)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", answer_prompt)


def test_chat_remembers_the_conversation_until_quit(use, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = use(events_of(ANSWER), events_of(ABSTENTION), events_of(ANSWER))
    type_in(monkeypatch, "Combien ?", "", "Et au Japon ?", "Et là ?", "/quit")
    assert cli.main(["chat"]) == 0
    turns = (Turn(ANSWER.question, ANSWER.text), Turn(ABSTENTION.question, ABSTENTION.text))
    assert assistant.asked == [("Combien ?", ()), ("Et au Japon ?", turns[:1]), ("Et là ?", turns)]
    assert assistant.closed


def test_chat_goes_on_after_ctrl_c_and_after_an_error(
    use, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use(
        events_of(ANSWER),
        [Piece("900"), KeyboardInterrupt()],
        [ModelUnavailable("the server died")],
        events_of(ANSWER),
    )
    type_in(monkeypatch, "un", "deux", KeyboardInterrupt, "trois", "quatre", EOFError)
    assert cli.main(["chat"]) == 0
    assert assistant.asked[-1] == ("quatre", (Turn(ANSWER.question, ANSWER.text),))
    assert "the server died" in capsys.readouterr().err


def test_chat_goes_on_after_a_question_that_cannot_be_put(
    use, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assistant = use()

    def refuse(question: str, history: object) -> Iterator[Event]:
        raise IndexMissing(f"nothing to ask {question!r} of")

    monkeypatch.setattr(assistant, "stream", refuse)
    type_in(monkeypatch, "un", "deux", "/quit")
    assert cli.main(["chat"]) == 0
    assert "nothing to ask 'deux' of" in capsys.readouterr().err


def test_stopping_an_answer_closes_the_stream(use, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = use([Piece("un "), Piece("deux"), ANSWER])

    def interrupted(_text: str, end: str = "") -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr("qa.terminal.out", interrupted)
    assert cli.main(["ask", "Combien ?"]) == 130
    assert assistant.stopped == 1


def test_control_characters_of_a_document_do_not_command_the_terminal(
    use, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = replace(TROOPS, text="rouge \x1b[31m et \x07 \x9b2J fin")
    use(events_of(replace(ABSTENTION, nearest=(evil,))))
    cli.main(["ask", "Combien ?"])
    shown = capsys.readouterr().out
    assert "rouge \ufffd[31m et \ufffd \ufffd2J fin" in shown


@pytest.mark.parametrize(
    ("command", "module"), [("eval", "qa_eval.cli"), ("bench", "qa_eval.bench")]
)
def test_eval_and_bench_pass_their_arguments_on(
    command: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[object] = []

    def run(arguments: list[str], settings: Settings) -> int:
        received.extend([arguments, settings.backend])
        return 3

    monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(main=run))
    arguments = [command, "--data", "x.jsonl", "--backend", "extractive", "--limit=3", "--help"]
    assert cli.main(arguments) == 3
    assert received == [["--data", "x.jsonl", "--limit=3", "--help"], "extractive"]


def test_a_reader_that_goes_away_is_not_an_error_with_a_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "qa", "--help"], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == ""


def qa_command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``qa`` as a person does, with the real models, from ``folder``."""
    return subprocess.run(
        [sys.executable, "-m", "qa", *arguments, "--backend", "embedded"],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own in which the article was indexed by the command."""
    folder = tmp_path_factory.mktemp("cli")
    done = qa_command("index", str(ARTICLE), folder=folder)
    assert done.returncode == 0, done.stderr
    assert "irak-coalition" in done.stdout
    return folder


@pytest.mark.e2e
def test_the_article_answers_with_the_sentence_that_says_it(indexed: Path) -> None:
    question = "Combien de soldats américains sont déployés en Irak ?"
    done = qa_command("ask", question, "--json", folder=indexed)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert "2500" in answer["text"].replace(" ", "").replace("\u202f", "").replace("\xa0", "")
    (citation,) = answer["citations"]
    assert "2.500" in citation["text"] or "2500" in citation["text"].replace(" ", "")


@pytest.mark.e2e
def test_what_the_article_does_not_say_is_exit_3(indexed: Path) -> None:
    done = qa_command("ask", "Quelle est la capitale du Japon ?", folder=indexed)
    assert done.returncode == 3, done.stderr
    assert "Nearest sentences:" in done.stdout


@pytest.mark.e2e
def test_indexing_again_changes_nothing_and_a_missing_file_is_exit_2(indexed: Path) -> None:
    again = qa_command("index", str(ARTICLE), folder=indexed)
    assert again.returncode == 0, again.stderr
    assert "1 unchanged" in again.stdout
    missing = qa_command("index", "not-there.txt", folder=indexed)
    assert missing.returncode == 2
    assert "not-there.txt" in missing.stdout + missing.stderr
