"""Which model answers: Ollama's, the embedded one, or none (extractive); it loads nothing.

``auto`` takes the first that is there, in that order, and says in ``notices`` what the person could
do for a better one. A backend that is asked for by name is used or is an error.

Example: ``choose_model(ModelOptions(cache=settings.cache)).backend``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from qa.errors import ModelUnavailable
from qa.llm.adapters import find_adapters
from qa.llm.base import ChatModel, Progress
from qa.llm.embedded import EmbeddedModel
from qa.llm.ollama import OllamaModel
from qa.llm.ollama_models import usable_models
from qa.llm.ollama_server import ServerInfo, probe_server
from qa.weights import find_gguf

INSTALL = "pip install 'qa-sentence-citations[embedded]'"


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the choice depends on; the fields are the settings of the same names.

    ``prefixes`` is the folder of the embedded model's saved prefixes (None saves none).
    """

    cache: Path
    backend: Literal["auto", "ollama", "embedded", "extractive"] = "auto"
    gguf: Path | None = None
    ollama_url: str = "http://127.0.0.1:11434"
    ollama_model: str | None = None
    keep_alive: str = "30m"
    timeout_s: float = 300.0
    context_tokens: int = 4096
    threads: int | None = None
    seed: int = 1
    prefixes: Path | None = None
    prefix_cache_bytes: int = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that answers (None: extractive), its name for people, and what they should know."""

    model: ChatModel | None
    backend: str
    notices: tuple[str, ...] = ()


def choose_model(options: ModelOptions, progress: Progress | None = None) -> Choice:
    """Choose the model; the embedded model's file is assembled if that was never done.

    :param options: what the choice depends on.
    :param progress: is told what takes long.
    :return: the model, not loaded yet.
    :raises ModelUnavailable: the backend that was asked for by name is not usable.
    :raises InputError: ``ollama_url`` is not a server address.
    """
    match options.backend:
        case "extractive":
            return Choice(None, "extractive")
        case "ollama":
            return _ollama(options)
        case "embedded":
            return _named(_embedded(options, progress))
        case "auto":
            return _first_usable(options, progress)


def _first_usable(options: ModelOptions, progress: Progress | None) -> Choice:
    notices: list[str] = []
    server = probe_server(options.ollama_url)
    if server is not None:
        try:
            return _ollama_on(server, options)
        except ModelUnavailable as error:
            notices.append(str(error))
    try:
        return _named(_embedded(options, progress), tuple(notices))
    except ModelUnavailable as error:
        notices.append(f"answers are quotations only, without a language model: {error}")
    return Choice(None, "extractive", tuple(notices))


def _named(model: ChatModel, notices: tuple[str, ...] = ()) -> Choice:
    return Choice(model, model.name, notices)


def _ollama(options: ModelOptions) -> Choice:
    server = probe_server(options.ollama_url)
    if server is None:
        raise ModelUnavailable(f"{no_server(options.ollama_url)}, or set backend to 'auto'")
    return _ollama_on(server, options)


def no_server(url: str) -> str:
    """Say that no server answers, and what to do."""
    return f"no Ollama answers at {url!r}; start it (`ollama serve`), correct ollama_url"


def _ollama_on(server: ServerInfo, options: ModelOptions) -> Choice:
    """Choose the server's best model that works; the notices tell of better ones that do not.

    :raises ModelUnavailable: none works; the message tells of the best one.
    """
    failed: list[ModelUnavailable] = []
    for info in usable_models(server, options.ollama_model):
        try:
            return _named(_opened(info.name, options), tuple(map(str, failed)))
        except ModelUnavailable as error:
            failed.append(error)
    raise failed[0]


def _opened(name: str, options: ModelOptions) -> ChatModel:
    model = OllamaModel(
        options.ollama_url,
        name,
        context_tokens=options.context_tokens,
        keep_alive=options.keep_alive,
        timeout_s=options.timeout_s,
        seed=options.seed,
        memory=options.cache / "ollama",
    )
    if model.problems:  # a template that drops messages makes the model invent answers
        raise ModelUnavailable("; ".join(model.problems))
    return model


def _embedded(options: ModelOptions, progress: Progress | None) -> ChatModel:
    if find_spec("xllamacpp") is None:
        raise ModelUnavailable(
            f"the embedded model's package 'xllamacpp' is missing; {INSTALL}, or install Ollama"
        )
    gguf = find_gguf(options.gguf, options.cache, progress)
    return EmbeddedModel(
        gguf,
        context_tokens=options.context_tokens,
        threads=options.threads,
        seed=options.seed,
        prefixes=options.prefixes,
        prefix_cache_bytes=options.prefix_cache_bytes,
        adapters=find_adapters(gguf),
    )
