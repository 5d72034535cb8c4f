"""The doctor says what is missing and what to do, whatever is missing, and changes nothing."""

from __future__ import annotations

import json
import socket
import sqlite3
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fakes import HashEncoder
from make_files import pdf
from qa import cli, doctor, weights
from qa.doctor import Check, examine, render
from qa.ingest import sync
from qa.settings import Settings
from qa.store import Store
from tiny_cross import tiny_cross_encoder

TEMPLATE = "{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}"


def closed_port() -> int:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QA_CACHE", raising=False)
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    url = f"http://127.0.0.1:{closed_port()}"
    return Settings(cache=folder / "cache", store=folder / "store", ollama_url=url)


def find(checks: tuple[Check, ...], name: str) -> Check:
    (check,) = [check for check in checks if check.name == name]
    return check


@contextmanager
def ollama(
    *models: str,
    template: str = TEMPLATE,
    general: dict[str, object] | None = None,
    bare: str = "",
    capability: str = "completion",
) -> Iterator[str]:
    """Serve the three look-ups that Ollama answers about itself.

    :param bare: a model whose template drops messages.
    """
    listed = [
        {
            "name": name,
            "model": name,
            "size": 2_000_000_000,
            "digest": "d1",
            "details": {"family": "llama"},
            "capabilities": [capability],
        }
        for name in models
    ]
    answers = {
        "/api/version": {"version": "0.32.15"},
        "/api/tags": {"models": listed},
        "/api/show": {"template": template, "modelfile": "", "model_info": general or {}},
    }

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = answers[self.path]
            if bare and bare.encode() in asked:
                answer = {**answer, "template": "{{ .Prompt }}"}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_on_a_fresh_machine_nothing_is_a_problem_and_nothing_is_made(
    settings: Settings, folder: Path
) -> None:
    checks = examine(settings, deep=True)
    assert [check for check in checks if check.status == "problem"] == []
    assert list(folder.iterdir()) == []
    assert "qa index" in find(checks, "Index").remedy
    assert find(checks, "Documents").status == "warning"


def test_everything_that_is_not_ok_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.machine, "_PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(weights.gguf, "package_file", lambda _package, _name: None)
    monkeypatch.setattr(weights.encoder, "package_file", lambda _package, _name: None)
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    checks = examine(settings)
    wrong = {check.name: check for check in checks if check.status != "ok"}
    assert {"Packages", "Embedded model", "Answers by", "Encoder", "Index"} <= wrong.keys()
    assert "no-such-package" in wrong["Packages"].detail
    assert all(check.remedy for check in wrong.values())


def test_ollama_that_is_not_there_is_a_problem_only_when_it_is_asked_for(
    settings: Settings,
) -> None:
    assert find(examine(settings), "Ollama").status == "ok"
    forced = find(examine(settings.model_copy(update={"backend": "ollama"})), "Ollama")
    assert forced.status == "problem"
    assert settings.ollama_url in forced.detail
    assert "ollama serve" in forced.remedy


def test_ollama_without_a_usable_model_says_what_to_pull(settings: Settings) -> None:
    with ollama() as url:
        check = find(examine(settings.model_copy(update={"ollama_url": url})), "Ollama")
    assert check.status == "warning"
    assert "0.32.15" in check.detail
    assert check.remedy.startswith("ollama pull ")


def test_the_model_that_ollama_would_use_is_named(settings: Settings) -> None:
    with ollama("ministral-3:3b") as url:
        checks = examine(settings.model_copy(update={"ollama_url": url}))
    assert find(checks, "Ollama").status == "ok"
    assert "ministral-3:3b" in find(checks, "Ollama").detail
    assert "ministral-3:3b" in find(checks, "Answers by").detail


FITTED = {
    "general.basename": "Qwen2.5-Coder",
    "general.size_label": "1.5B",
    "general.finetune": "Instruct-GGUF",
    "general.file_type": 15,
}


@pytest.mark.parametrize(
    ("general", "status", "named"),
    [
        (FITTED, "ok", "the model that answers"),
        (FITTED | {"general.basename": "Other"}, "warning", "'Other 1.5B Instruct-GGUF type 15'"),
        ({}, "warning", "does not say what it is"),
    ],
)
def test_a_model_that_the_calibration_was_not_fitted_on_is_a_warning(
    settings: Settings, general: dict[str, object], status: str, named: str
) -> None:
    with ollama("ministral-3:3b", general=general) as url:
        check = find(examine(settings.model_copy(update={"ollama_url": url})), "Calibration")
    assert check.status == status
    assert named in check.detail
    assert bool(check.remedy) == (status == "warning")


def test_an_embedded_model_of_ones_own_is_compared_with_the_fitted_one(
    settings: Settings, folder: Path
) -> None:
    own = folder / "own.gguf"
    entries = {**FITTED, "general.basename": "Mine"}
    body = b"".join(gguf_entry(key, value) for key, value in entries.items())
    own.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + body)
    check = find(examine(settings.model_copy(update={"gguf": own})), "Calibration")
    assert check.status == "warning"
    assert "'Mine 1.5B Instruct-GGUF type 15'" in check.detail


def gguf_entry(key: str, value: object) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    return text(key) + struct.pack("<I", 8) + text(str(value))


def test_without_a_model_there_is_nothing_to_calibrate(settings: Settings) -> None:
    chosen = settings.model_copy(update={"backend": "extractive"})
    assert find(examine(chosen), "Calibration").status == "ok"


def test_a_template_that_drops_the_document_is_a_problem(settings: Settings) -> None:
    with ollama("ministral-3:3b", template="{{ .Prompt }}") as url:
        check = find(examine(settings.model_copy(update={"ollama_url": url})), "Ollama")
    assert check.status == "problem"
    assert "{{ .Prompt }}" in check.detail
    assert check.remedy


def test_the_next_best_model_is_named_beside_the_fault_of_the_best(settings: Settings) -> None:
    with ollama("ministral-3:3b", "llama3.2:3b", bare="ministral-3:3b") as url:
        check = find(examine(settings.model_copy(update={"ollama_url": url})), "Ollama")
    assert check.status == "warning"
    first, second = check.detail.splitlines()
    assert first.endswith("uses llama3.2:3b")
    assert "'ministral-3:3b'" in second
    assert check.remedy


@pytest.mark.parametrize(
    ("name", "capability", "why"),
    [
        ("gpt-oss:120b-cloud", "completion", "somebody else's computer"),
        ("nomic-embed-text", "embedding", "writes no text"),
    ],
)
def test_a_named_model_that_is_installed_and_cannot_answer_is_told_why(
    settings: Settings, name: str, capability: str, why: str
) -> None:
    with ollama(name, capability=capability) as url:
        named = {"ollama_url": url, "ollama_model": name, "backend": "ollama"}
        check = find(examine(settings.model_copy(update=named)), "Ollama")
    assert check.status == "problem"
    assert why in check.detail
    assert f"pull {name}" not in check.remedy


def test_a_wrong_server_address_is_named(settings: Settings) -> None:
    check = find(examine(settings.model_copy(update={"ollama_url": "ftp://x y"})), "Ollama")
    assert check.status == "warning"
    assert "ftp://x y" in check.detail


def test_a_damaged_language_model_is_found_by_hashing_it(settings: Settings) -> None:
    path = settings.cache / "models" / weights.GGUF_NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF and not much more")
    check = find(examine(settings, deep=True), "Embedded model")
    assert check.status == "problem"
    assert str(path) in check.detail
    assert "delete" in check.remedy


def test_an_own_model_file_that_is_none_is_a_problem(settings: Settings, folder: Path) -> None:
    wrong = folder / "model.gguf"
    wrong.write_bytes(b"not it")
    check = find(examine(settings.model_copy(update={"gguf": wrong})), "Embedded model")
    assert check.status == "problem"
    assert "model.gguf" in check.detail


def test_a_cache_that_cannot_be_written_is_a_problem(settings: Settings, folder: Path) -> None:
    (folder / "file").write_text("in the way")
    cache = folder / "file" / "cache"
    check = find(examine(settings.model_copy(update={"cache": cache})), "Model cache")
    assert check.status == "problem"
    assert "QA_CACHE" in check.remedy


def test_settings_say_where_they_come_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "qa.toml").write_text("seed = 7\n", encoding="utf-8")
    monkeypatch.setenv("QA_PORT", "7999")
    url = f"http://127.0.0.1:{closed_port()}"
    detail = find(examine(Settings(backend="extractive", ollama_url=url)), "Settings").detail
    assert "seed = 7 (qa.toml)" in detail
    assert "port = 7999 (variable QA_PORT)" in detail
    assert "backend = extractive (argument)" in detail
    assert "threads" not in detail


def test_the_index_is_counted_and_damage_is_a_problem(settings: Settings, folder: Path) -> None:
    text = folder / "note.txt"
    text.write_text("Le maire parle. Il a 52 ans.\n", encoding="utf-8")
    encoder = HashEncoder()
    with Store.open(settings.store, encoder.id, encoder.dim) as store:
        sync([text], store, encoder)
    check = find(examine(settings), "Index")
    assert check.status == "ok"
    assert "documents 1, sentences 2" in check.detail
    assert encoder.id in check.detail
    for path in settings.store.rglob("*"):
        if path.is_file():
            path.write_bytes(b"not an index" * 50)
    check = find(examine(settings, deep=True), "Index")
    assert check.status == "problem"
    assert "--rebuild" in check.remedy


def test_an_index_that_may_not_be_opened_is_not_to_be_made_anew(settings: Settings) -> None:
    (settings.store / "store.sqlite").mkdir(parents=True)  # cannot be opened by anybody
    check = find(examine(settings), "Index")
    assert "permissions" in check.detail
    assert "--rebuild" not in check.remedy


def test_files_that_were_skipped_are_listed_with_the_reason(
    settings: Settings, folder: Path
) -> None:
    documents = folder / "documents"
    documents.mkdir(exist_ok=True)
    (documents / "note.txt").write_text("Le maire parle.\n", encoding="utf-8")
    (documents / "scan.pdf").write_bytes(pdf([[]]))
    settings = settings.model_copy(update={"documents": (documents,)})
    encoder = HashEncoder()
    with Store.open(settings.store, encoder.id, encoder.dim) as store:
        assert len(sync([documents], store, encoder).failed) == 1
    (documents / "new.txt").write_text("Le maire écoute.\n", encoding="utf-8")
    check = find(examine(settings), "Documents")
    assert check.status == "warning"
    _, first, second = check.detail.splitlines()
    assert first.startswith("not indexed yet") and "new.txt" in first  # noqa: PT018
    assert second.startswith("skipped") and "scan.pdf' is scanned" in second  # noqa: PT018
    for name in ("new.txt", "scan.pdf"):
        (documents / name).unlink()
    assert find(examine(settings), "Documents").status == "ok"


def test_sentences_that_are_damaged_are_mended_from_the_stored_text(
    settings: Settings, folder: Path
) -> None:
    text = folder / "note.txt"
    text.write_text("Le maire parle. Il a 52 ans.\n", encoding="utf-8")
    encoder = HashEncoder()
    with Store.open(settings.store, encoder.id, encoder.dim) as store:
        sync([text], store, encoder)
    with sqlite3.connect(settings.store / "store.sqlite") as raw:
        raw.execute("UPDATE spans SET places = zeroblob(40)")
    raw.close()
    assert find(examine(settings), "Index").status == "ok"
    check = find(examine(settings, deep=True), "Index")
    assert check.status == "problem"
    assert "'note.txt': what is kept of '1 note.txt'" in check.detail
    assert check.remedy == "qa index --reembed"


def test_remedies_stand_below_what_they_are_for_and_the_end_counts() -> None:
    text = render(
        (
            Check("Python", "ok", "3.11"),
            Check("Ollama", "problem", "no server\nat all", "ollama serve"),
            Check("Index", "warning", "empty", "qa index PATH"),
        )
    )
    assert text.splitlines() == [
        "ok       Python  3.11",
        "problem  Ollama  no server",
        "                 at all",
        "                 -> ollama serve",
        "warning  Index   empty",
        "                 -> qa index PATH",
        "",
        "1 problem, 1 warning",
    ]


@pytest.mark.parametrize(("backend", "code"), [("extractive", 0), ("ollama", 2)])
def test_the_exit_code_says_whether_there_is_a_problem(
    backend: str,
    code: int,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("QA_OLLAMA_URL", settings.ollama_url)
    monkeypatch.setenv("QA_CACHE", str(settings.cache))
    arguments = ["doctor", "--verify", "--store", str(settings.store), "--backend", backend]
    assert cli.main(arguments) == code
    assert "Embedded model" in capsys.readouterr().out


def test_the_optional_cross_encoders_are_named(settings: Settings, folder: Path) -> None:
    none = find(examine(settings), "Cross-encoders")
    assert (none.status, "nli and reranker" in none.detail) == ("ok", True)
    nli = tiny_cross_encoder(folder / "my-nli")
    own = examine(settings.model_copy(update={"nli": str(nli), "reranker": str(nli)}))
    assert find(own, "Entailment model").status == "ok"
    assert "my-nli" in find(own, "Entailment model").detail
    wrong = find(own, "Reranker")
    assert wrong.status == "problem"
    assert "3 outputs" in wrong.detail
    assert "QA_RERANKER" in wrong.remedy
    absent = examine(settings.model_copy(update={"nli": "./no", "reranker": "cross-encoder/x"}))
    assert find(absent, "Entailment model").status == "problem"
    assert find(absent, "Reranker").status == "warning"


def test_an_encoder_of_ones_own_is_told_what_it_goes_without(
    settings: Settings, folder: Path
) -> None:
    own = folder / "encoder"
    own.mkdir()
    check = find(examine(settings.model_copy(update={"encoder": str(own)})), "Encoder")
    assert check.status == "ok"
    assert "reading order" in check.detail
    assert weights.ENCODER_NAME in check.detail
