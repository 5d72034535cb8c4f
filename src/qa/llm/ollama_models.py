"""Which of an Ollama server's models to use: the one of a name, else the best installed one.

Example: ``best_model(probe_server("127.0.0.1:11434"))``, or ``suggest_pull()`` where there is none.
"""

from __future__ import annotations

import re

from qa.errors import ModelUnavailable
from qa.llm import ollama_errors
from qa.llm.ollama_server import ModelInfo, ServerInfo, find_model, probe_server

# Best first; a hypothesis until measured on held-out questions: instruct models that list French
# and are dense, so that a cached prefix is kept. Patterns are searched in the model's name.
_PREFERENCE = (
    r"ministral-3",
    r"qwen3:.*instruct|qwen3-.*instruct|instruct-2507",
    r"qwen3\.[5-9]",
    r"granite4",
    r"gemma[34]",
    r"qwen3",
    r"llama-?3|llama-?4",
    r"mistral",
    r"qwen2\.5.*instruct",
    r"qwen2\.5",
    r"phi",
    r"granite|gemma|qwen|llama|command-r|aya|lucie|eurollm|smollm|olmo|deepseek|gpt-oss",
)
_NOT_CHAT = re.compile(
    r"embed|minilm|\bbge\b|bge-|\be5\b|e5-|arctic-embed|rerank|guard|shield|moondream|llava|bakllava|ocr|"
    r"whisper|flux|z-image|diffusion",
    re.IGNORECASE,
)
_NOT_CHAT_FAMILIES = {"bert", "nomic-bert", "xlm-roberta", "clip", "mllama-vision"}
_SPECIALISED = re.compile(
    r"code|coder|math|base\b|-text\b|sql|starcoder|vision|-vl\b|vl:", re.IGNORECASE
)
# They think before every answer, however they are asked, and have no room left to give it.
_THINKS = re.compile(r"gpt-oss|thinking|reason|-r1\b", re.IGNORECASE)
_TINY_BYTES = 1_200_000_000  # below this, answers are little more than copies (1B models)
_SLOW_BYTES = (
    12_000_000_000  # above this a CPU answers too slowly for a chat; only taken when named
)
_ROOM = 1.25  # weights, the context's cache and the runner, as a multiple of the file's size

# Free memory that each needs with a 4k context and room for the rest of this program.
_PULLS = (
    (12_000_000_000, "ministral-3:8b"),
    (5_000_000_000, "ministral-3:3b"),
    (0, "qwen2.5:1.5b-instruct"),
)


def named_model(url: str, name: str) -> tuple[ServerInfo, ModelInfo]:
    """Return the server at ``url`` and its model ``name``.

    :raises InputError: ``url`` is not a server address.
    :raises ModelUnavailable: no server there, or no such model that can be used.
    """
    server = probe_server(url)
    if server is None:
        raise ollama_errors.nobody_there(url)
    return server, usable_model(server, name)


def usable_model(server: ServerInfo, name: str) -> ModelInfo:
    """Return the server's model of that name, ``:latest`` understood.

    :raises ModelUnavailable: it is not installed, runs elsewhere, or is not for answering.
    """
    model = find_model(server, name)
    if model is None:
        raise ollama_errors.missing_model(name)
    if model.remote:
        raise ModelUnavailable(
            f"{name!r} runs on somebody else's computer, and documents never leave this machine; "
            f"choose an installed model, for example with `{suggest_pull()}`"
        )
    if not _completes(model):
        raise ModelUnavailable(
            f"{name!r} writes no text ({', '.join(model.capabilities)}); choose another installed "
            f"model, for example with `{suggest_pull()}`"
        )
    return model


def usable_models(server: ServerInfo, wanted: str | None = None) -> tuple[ModelInfo, ...]:
    """Return the ``wanted`` model alone, else those that can answer, best first; at least one.

    :raises ModelUnavailable: there is none; the message says why and what to do.
    """
    if wanted:
        return (usable_model(server, wanted),)
    models = chat_models(server)
    if not models:
        raise ModelUnavailable(
            f"Ollama runs but holds no usable chat model; run `{suggest_pull()}`"
        )
    return models


def best_model(
    info: ServerInfo, wanted: str | None = None, *, free_bytes: int | None = None
) -> ModelInfo | None:
    """Return the model to use: the ``wanted`` one if it is installed, else the best installed one.

    Chat models of the preferred families first, larger ones first as far as they fit the free
    memory; base and code models, and then those that only think, last but usable. Never an
    embedding model, never one that runs elsewhere.

    :param info: the server and what it holds.
    :param wanted: the configured model's name, ``:latest`` understood.
    :param free_bytes: memory that a model may take; measured when None.
    :return: None when nothing usable is installed, or ``wanted`` is not usable.
    """
    if wanted:
        model = find_model(info, wanted)
        return model if model is not None and not model.remote and _completes(model) else None
    return next(iter(chat_models(info, free_bytes=free_bytes)), None)


def chat_models(info: ServerInfo, *, free_bytes: int | None = None) -> tuple[ModelInfo, ...]:
    """Return the installed models that can answer, best first (see :func:`best_model`)."""
    usable = [model for model in info.models if _can_chat(model)]
    if not usable:
        return ()
    free = _free_bytes() if free_bytes is None else free_bytes
    return tuple(sorted(usable, key=lambda model: _rank(model, free)))


def suggest_pull(free_bytes: int | None = None) -> str:
    """Return the ``ollama pull …`` for a model that fits the free memory (measured when None)."""
    free = _free_bytes() if free_bytes is None else free_bytes
    name = next(name for least, name in _PULLS if free >= least or least == 0)
    return f"ollama pull {name}"


def _rank(model: ModelInfo, free_bytes: int) -> tuple[bool, bool, bool, bool, bool, int, int, str]:
    """Return the sort key of :func:`best_model`; the smallest is the best."""
    name = model.name.casefold()
    families = [rank for rank, family in enumerate(_PREFERENCE) if re.search(family, name)]
    too_large = model.size_bytes * _ROOM > free_bytes
    return (
        bool(_THINKS.search(name)),
        too_large,
        model.size_bytes > _SLOW_BYTES,
        bool(_SPECIALISED.search(name)),
        model.size_bytes < _TINY_BYTES,
        families[0] if families else len(_PREFERENCE),
        model.size_bytes if too_large else -model.size_bytes,
        name,
    )


def _can_chat(model: ModelInfo) -> bool:
    if model.remote or not _completes(model):
        return False
    return model.family not in _NOT_CHAT_FAMILIES and not _NOT_CHAT.search(model.name)


def _completes(model: ModelInfo) -> bool:
    """Tell whether it continues texts, as an embedding model does not; yes where it is not told."""
    return not model.capabilities or "completion" in model.capabilities


def _free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
