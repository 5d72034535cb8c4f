"""The examples of docs/http-api.md do what the document says, against a real server."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from qa.ui import start
from serving import TIMEOUT_S, opened

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "http-api.md"
ADDRESS = "http://127.0.0.1:7860"
NEWS = ROOT / "index" / "documents" / "irak-coalition.txt"


@dataclass(frozen=True)
class Example:
    """A command of the document and what it says that the command prints, where it does."""

    command: tuple[str, ...]
    output: str


def blocks() -> list[list[str]]:
    """Return the indented blocks of the document, without their indentation."""
    lines = DOCUMENT.read_text("utf-8").splitlines()
    runs = groupby(lines, key=lambda line: line.startswith("    "))
    return [[line[4:] for line in run] for indented, run in runs if indented]


def curl_example(block: list[str]) -> Example:
    """Split a block into its command, which ends with its quotes, and the output below it."""
    for end in range(1, len(block) + 1):
        try:
            command = shlex.split("\n".join(block[:end]))
        except ValueError:
            continue  # a quotation goes on
        return Example(tuple(command), "\n".join(block[end:]))
    raise AssertionError(f"no command ends in {block!r}")


CURL = [curl_example(block) for block in blocks() if block[0].startswith("curl ")]
PYTHON = ["\n".join(block) for block in blocks() if "gradio_client" in block[0]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the document that the examples are about."""
    text = NEWS.read_text("utf-8")
    with opened(tmp_path_factory.mktemp("docs"), name=NEWS.name, text=text) as assistant:
        page = start(assistant, port=0, announce=lambda line: None)
        page.run_in_thread()
        yield page.url
        page.close()


def test_the_document_has_examples_of_every_way_to_ask() -> None:
    paths = [part.removeprefix(ADDRESS) for one in CURL for part in one.command if ADDRESS in part]
    assert sorted(paths) == ["/api/ask", "/api/ask", "/api/documents", "/api/stream"]
    assert len(PYTHON) == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("example", CURL, ids=lambda one: " ".join(one.command)[:60])
def test_a_curl_command_answers_as_the_document_says(url: str, example: Example) -> None:
    command = [part.replace(ADDRESS, url) for part in example.command]
    options = ["--silent", "--show-error", "--fail-with-body", "--noproxy", "*"]
    done = subprocess.run(
        [command[0], *options, *command[1:]],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if example.output:
        assert lines == [json.loads(example.output)]
    elif "stream" in " ".join(command):
        assert [line["event"] for line in lines][:2] == ["evidence", "evidence"]
        assert lines[-1]["event"] == "answer"
    else:
        (answer,) = lines
        assert answer["kind"] in ("answer", "no answer")
        assert answer["question"]


def test_the_example_of_gradio_s_client_gives_the_fields_of_the_answer(url: str) -> None:
    names: dict[str, dict[str, object]] = {}
    exec(PYTHON[0].replace(ADDRESS, url), names)
    assert {"text", "statements", "citations", "confidence"} <= names["answer"].keys()
