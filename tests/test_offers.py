"""The models offered to choose between, on machines that hold different things."""

from dataclasses import replace

import pytest

from qa.errors import InputError, ModelUnavailable
from qa.llm import choose, offers
from qa.llm.choose import ModelOptions
from qa.llm.offers import choose_offered, offered_models
from qa.llm.ollama_server import ModelInfo
from test_choose import Machine, server_with


@pytest.fixture
def on(monkeypatch):
    def place(machine, *, embedded=True):
        for module in (choose, offers):
            monkeypatch.setattr(module, "probe_server", machine.probe_server)
        monkeypatch.setattr(choose, "find_gguf", machine.find_gguf)
        monkeypatch.setattr(choose, "OllamaModel", machine.ollama_model)
        monkeypatch.setattr(choose, "EmbeddedModel", machine.embedded_model)
        monkeypatch.setattr(offers, "gguf_available", lambda path, cache: embedded)

    return place


def by_id(options):
    return {info.id: info for info in offered_models(options)}


def test_ollamas_chat_models_the_embedded_one_and_none_are_offered(on, tmp_path):
    on(Machine(server_with("nomic-embed-text", "smollm2:1.7b", "ministral-3:3b")))
    found = offered_models(ModelOptions(cache=tmp_path))
    assert [(info.id, info.state) for info in found] == [
        ("ollama:ministral-3:3b", "ready"),
        ("ollama:smollm2:1.7b", "ready"),
        ("embedded", "ready"),
        ("extractive", "ready"),
    ]
    assert [info.kind for info in found] == ["ollama", "ollama", "embedded", "extractive"]
    assert "2.0 GB" in found[0].detail


def test_an_offers_name_is_the_backend_of_the_choice(on, tmp_path):
    on(Machine(server_with("ministral-3:3b")))
    options = ModelOptions(cache=tmp_path, gguf=tmp_path / "model.gguf")
    for info in offered_models(options):
        assert choose_offered(info.id, options).backend == info.name


def test_what_is_missing_is_listed_with_what_to_do(on, tmp_path):
    on(Machine(server=None), embedded=False)
    found = by_id(ModelOptions(cache=tmp_path))
    assert (found["ollama"].state, found["embedded"].state) == ("missing", "missing")
    assert "ollama serve" in found["ollama"].detail
    assert "pip install" in found["embedded"].detail
    assert found["extractive"].state == "ready"


def test_a_server_without_a_chat_model_says_what_to_pull(on, tmp_path):
    on(Machine(server_with("nomic-embed-text")))
    assert "ollama pull" in by_id(ModelOptions(cache=tmp_path))["ollama"].detail


def test_a_configured_model_that_is_not_installed_is_listed_as_missing(on, tmp_path):
    on(Machine(server_with("smollm2:1.7b")))
    options = ModelOptions(cache=tmp_path, ollama_model="ministral-3:3b")
    found = by_id(options)
    assert found["ollama:ministral-3:3b"].state == "missing"
    assert "ollama pull ministral-3:3b" in found["ollama:ministral-3:3b"].detail
    assert found["ollama:smollm2:1.7b"].state == "ready"
    with pytest.raises(ModelUnavailable, match="ollama pull ministral-3:3b"):
        choose_offered("ollama:ministral-3:3b", options)


def test_a_configured_model_that_cannot_be_used_is_listed_with_the_reason(on, tmp_path):
    server = server_with("smollm2:1.7b")
    cloud = ModelInfo("kimi:1t-cloud", remote=True)
    on(Machine(replace(server, models=(*server.models, cloud))))
    found = by_id(ModelOptions(cache=tmp_path, ollama_model="kimi:1t-cloud"))
    assert found["ollama:kimi:1t-cloud"].state == "missing"
    assert "somebody else's computer" in found["ollama:kimi:1t-cloud"].detail
    assert found["ollama:smollm2:1.7b"].state == "ready"


@pytest.mark.parametrize("id", ["gpt", "", "ollama:", "embedded:x"])
def test_an_unknown_model_is_an_error_that_lists_the_ready_ones(on, tmp_path, id):
    on(Machine(server_with("smollm2:1.7b")))
    with pytest.raises(InputError, match=r"'ollama:smollm2:1\.7b', 'embedded', 'extractive'"):
        choose_offered(id, ModelOptions(cache=tmp_path))


def test_a_missing_server_is_an_error_that_says_what_to_do(on, tmp_path):
    on(Machine(server=None))
    with pytest.raises(ModelUnavailable, match="ollama serve"):
        choose_offered("ollama", ModelOptions(cache=tmp_path))


def test_the_configured_backend_does_not_keep_from_choosing_another(on, tmp_path):
    on(Machine(server_with("smollm2:1.7b")))
    options = ModelOptions(cache=tmp_path, backend="embedded", ollama_model="smollm2:1.7b")
    assert choose_offered("extractive", options).model is None
