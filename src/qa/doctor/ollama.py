"""The Ollama server: whether it is there, and whether a model of it can answer.

Example: ``check(settings, probe(settings))``.
"""

from __future__ import annotations

from collections.abc import Sequence

from qa.doctor.checks import Check, gb
from qa.errors import InputError, ModelUnavailable, QAError
from qa.llm.ollama import OllamaModel
from qa.llm.ollama_models import suggest_pull, usable_models
from qa.llm.ollama_server import ModelInfo, ServerInfo, find_model, probe_server
from qa.settings import Settings

Server = ServerInfo | InputError | None
"""What was found at the address: a server, no address at all, or nobody."""


def probe(settings: Settings) -> Server:
    """Look once whether a server answers; several checks need to know."""
    try:
        return probe_server(settings.ollama_url)
    except InputError as error:
        return error


def check(settings: Settings, server: Server) -> Check:
    """Ask a server that is there for its models, and the one that would answer for its faults."""
    wanted = settings.backend == "ollama"
    if isinstance(server, InputError):
        remedy = "correct ollama_url (QA_OLLAMA_URL)"
        return Check("Ollama", "problem" if wanted else "warning", str(server), remedy)
    if server is None:
        detail = f"no server answers at {settings.ollama_url!r}"
        if wanted:
            return Check("Ollama", "problem", detail, "ollama serve, or --backend embedded")
        return Check("Ollama", "ok", f"{detail}; it is not needed")
    names = ", ".join(f"{model.name} ({gb(model.size_bytes)})" for model in server.models)
    detail = f"{server.version} at {server.url}; models: {names or 'none'}"
    name, another = settings.ollama_model, f"{suggest_pull()}, or set ollama_model to another one"
    try:
        models = usable_models(server, name)
    except ModelUnavailable as error:
        absent = name and find_model(server, name) is None
        remedy = f"ollama pull {name}" if absent else another
        return Check("Ollama", "problem" if wanted else "warning", f"{detail}; {error}", remedy)
    used, faults = _first_that_works(settings, models)
    lines = "\n".join([f"{detail}; uses {used.name}" if used else detail, *faults])
    if not faults:
        return Check("Ollama", "ok", lines)
    return Check("Ollama", "warning" if used else "problem", lines, another)


def _first_that_works(
    settings: Settings, models: Sequence[ModelInfo]
) -> tuple[ModelInfo | None, list[str]]:
    """Return the model that is used, and what is wrong with better ones."""
    faults: list[str] = []
    for model in models:
        try:
            found = OllamaModel(settings.ollama_url, model.name).problems
        except QAError as error:
            found = (str(error),)
        if not found:
            return model, faults
        faults += found
    return None, faults
