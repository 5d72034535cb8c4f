"""Settings come from arguments, QA_* variables and qa.toml, in this order; mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from qa import cli
from qa.errors import InputError
from qa.settings import Backend, Settings, load_settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("QA_CACHE", raising=False)


def write_toml(text: str) -> None:
    Path("qa.toml").write_text(text, encoding="utf-8")


def test_defaults_serve_the_loopback_address_only() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 7860)
    assert settings.backend == "auto"
    assert settings.documents == (Path("index/documents"),)
    assert settings.store == Path("index/store")
    assert settings.ollama_url.startswith("http://127.0.0.1:")


def test_a_variable_beats_the_file_and_an_argument_beats_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_toml('backend = "ollama"\nport = 1111\nseed = 5\n')
    monkeypatch.setenv("QA_BACKEND", "embedded")
    monkeypatch.setenv("QA_PORT", "2222")
    settings = load_settings(port=3333)
    assert (settings.seed, settings.backend, settings.port) == (5, "embedded", 3333)


def test_an_argument_that_was_not_given_leaves_the_setting_alone() -> None:
    write_toml('store = "elsewhere"\n')
    assert load_settings(store=None, backend=None).store == Path("elsewhere")


def test_the_file_can_name_several_document_folders() -> None:
    write_toml('documents = ["a", "b"]\n')
    assert load_settings().documents == (Path("a"), Path("b"))


def test_one_document_folder_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_DOCUMENTS", "../docs")
    assert load_settings().documents == (Path("../docs"),)
    monkeypatch.setenv("QA_DOCUMENTS", '["a", "b"]')
    assert load_settings().documents == (Path("a"), Path("b"))
    assert load_settings(documents="c").documents == (Path("c"),)
    assert load_settings(documents=Path("c")).documents == (Path("c"),)


def test_an_empty_variable_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QA_STORE", "QA_PORT", "QA_DOCUMENTS", "QA_NLI"):
        monkeypatch.setenv(name, "")
    assert load_settings() == Settings.model_construct(cache=load_settings().cache)


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    Path("qa.toml").write_text("seed = 9\n", encoding="utf-8-sig")
    assert load_settings().seed == 9


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("QA_BACKEND", "gpt", "backend"),
        ("QA_PORT", "70000", "port"),
        ("QA_PORT", "seven", "port"),
        ("QA_DOCUMENTS", "[docs]", "documents"),
        ("QA_CONTEXT_TOKENS", "12", "context_tokens"),
        ("QA_OLLAMA_TIMEOUT_S", "0", "ollama_timeout_s"),
        ("QA_THREADS", "0", "threads"),
        ("QA_OLLAMA_KEEP_ALIVE", "half an hour", "ollama_keep_alive"),
        ("QA_OLLAMA_KEEP_ALIVE", "30 m", "ollama_keep_alive"),
        ("QA_OLLAMA_KEEP_ALIVE", "1d", "ollama_keep_alive"),
    ],
)
def test_a_wrong_value_is_named_with_its_field(
    variable: str, value: str, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError) as caught:
        load_settings()
    assert field in str(caught.value)
    assert value in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["30m", "1h30m", "1.5h", "0", "3600", "-1", "-1m", "500ms"])
def test_ollamas_durations_and_numbers_of_seconds_are_taken(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_OLLAMA_KEEP_ALIVE", value)
    assert load_settings().ollama_keep_alive == value


def test_no_documents_folder_is_not_the_current_one() -> None:
    write_toml('documents = ""\n')
    with pytest.raises(InputError, match=r"documents.*empty"):
        load_settings()


def test_a_number_of_seconds_may_be_a_number_in_the_file() -> None:
    write_toml("ollama_keep_alive = -1\n")
    assert load_settings().ollama_keep_alive == "-1"


def test_what_is_no_duration_is_refused_with_what_is_one() -> None:
    with pytest.raises(InputError, match=r"'soon'.*'1h30m', seconds, or -1"):
        load_settings(ollama_keep_alive="soon")


def test_a_name_that_does_not_exist_in_the_file_is_named() -> None:
    write_toml("prot = 7861\n")
    with pytest.raises(InputError, match="prot"):
        load_settings()


def test_a_file_that_is_not_toml_is_an_input_error() -> None:
    write_toml("backend = \n")
    with pytest.raises(InputError, match=r"qa\.toml"):
        load_settings()


def test_the_file_is_read_from_the_folder_one_is_in(tmp_path: Path) -> None:
    assert load_settings().seed == 1
    write_toml("seed = 9\n")
    assert load_settings().seed == 9


def test_the_example_file_shows_every_setting_with_its_default() -> None:
    defaults = load_settings().model_dump()
    example = Path(__file__).parents[1] / "qa.toml.example"
    lines = example.read_text(encoding="utf-8").splitlines()
    given = [line.removeprefix("# ") for line in lines if line.startswith("# ") and " = " in line]
    write_toml("\n".join(given))
    shown = load_settings().model_dump()
    assert {line.split(" = ")[0] for line in given} == set(Settings.model_fields)
    # These have no default that a file could state.
    differ = {"cache", "gguf", "nli", "ollama_model", "reranker", "threads"}
    assert {name for name in shown if shown[name] != defaults[name]} == differ


def test_the_command_line_offers_the_same_backends() -> None:
    assert get_args(cli.Backend) == get_args(Backend)
