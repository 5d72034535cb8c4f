"""The models that a person can choose between, and the choice of one; it loads nothing.

Example: ``choose_offered("ollama:qwen2.5:1.5b", options)``.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from qa.errors import InputError, ModelUnavailable
from qa.llm.base import Progress
from qa.llm.choose import (
    INSTALL,
    Choice,
    ModelOptions,
    choose_model,
    no_server,
)
from qa.llm.ollama_models import chat_models, usable_models
from qa.llm.ollama_server import ModelInfo as Installed
from qa.llm.ollama_server import probe_server
from qa.types import ModelInfo
from qa.weights import GGUF_NAME, gguf_available

EXTRACTIVE = ModelInfo(
    id="extractive",
    name="extractive",
    kind="extractive",
    state="ready",
    detail="no language model: answers are the documents' own sentences",
)


def offered_models(options: ModelOptions) -> tuple[ModelInfo, ...]:
    """Return Ollama's models, best first, then the embedded one, then none (extractive).

    A model's ``name`` is what an assistant that uses it shows as its backend. What cannot be used
    is listed too, as missing, with what to do about it.

    :raises InputError: ``ollama_url`` is not a server address.
    """
    return (*_ollama(options), _embedded(options), EXTRACTIVE)


def choose_offered(id: str, options: ModelOptions, progress: Progress | None = None) -> Choice:
    """Return the choice that ``id`` stands for.

    :param id: of an offered model.
    :param options: what the choice depends on; its own backend and Ollama model are set aside.
    :param progress: is told what takes long.
    :return: the model, not loaded yet.
    :raises InputError: no model has this id.
    :raises ModelUnavailable: the model is missing; the message says what to do.
    """
    kind, _, name = id.partition(":")
    if kind == "ollama" and name:
        return choose_model(replace(options, backend="ollama", ollama_model=name), progress)
    if id == "embedded":
        return choose_model(replace(options, backend="embedded"), progress)
    if id == "extractive":
        return choose_model(replace(options, backend="extractive"), progress)
    offered = offered_models(options)
    if found := next((info for info in offered if info.id == id), None):
        raise ModelUnavailable(found.detail)
    known = ", ".join(repr(info.id) for info in offered if info.state == "ready")
    raise InputError(f"there is no model {id!r}; choose one of {known}")


def _ollama(options: ModelOptions) -> list[ModelInfo]:
    server = probe_server(options.ollama_url)
    if server is None:
        return [_missing("ollama", "ollama", no_server(options.ollama_url))]
    wanted, found = options.ollama_model, [_ready(model) for model in chat_models(server)]
    try:
        usable_models(server, wanted)
    except ModelUnavailable as error:
        id, name = (f"ollama:{wanted}", f"ollama · {wanted}") if wanted else ("ollama", "ollama")
        return [_missing(id, name, str(error)), *found]
    return found


def _missing(id: str, name: str, detail: str) -> ModelInfo:
    return ModelInfo(id, name, "ollama", "missing", detail)


def _ready(model: Installed) -> ModelInfo:
    size = f"{model.size_bytes / 1e9:.1f} GB" if model.size_bytes else ""
    detail = ", ".join(part for part in (model.parameter_size, size, "served by Ollama") if part)
    return ModelInfo(f"ollama:{model.name}", f"ollama · {model.name}", "ollama", "ready", detail)


def _embedded(options: ModelOptions) -> ModelInfo:
    name = f"embedded · {(options.gguf or Path(GGUF_NAME)).stem}"
    if find_spec("xllamacpp") and gguf_available(options.gguf, options.cache):
        return ModelInfo("embedded", name, "embedded", "ready", "runs inside this program")
    what = f"no model file {str(options.gguf)!r}" if options.gguf else f"not installed; {INSTALL}"
    return ModelInfo("embedded", name, "embedded", "missing", what)
