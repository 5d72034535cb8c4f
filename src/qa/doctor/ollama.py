"""The Ollama server: whether it is there, and whether a model of it can answer.

Example: ``check(settings, probe(settings))``.
"""

from __future__ import annotations

from qa.doctor.checks import Check, gb
from qa.errors import InputError, QAError
from qa.llm.ollama import OllamaModel
from qa.llm.ollama_models import best_model, suggest_pull
from qa.llm.ollama_server import ServerInfo, probe_server
from qa.settings import Settings

Server = ServerInfo | InputError | None
"""What was found at the address: a server, no address at all, or nobody."""

_PROBE_TIMEOUT_S = 2.0


def probe(settings: Settings) -> Server:
    """Look once whether a server answers; several checks need to know."""
    try:
        return probe_server(settings.ollama_url, _PROBE_TIMEOUT_S)
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
    model = best_model(server, settings.ollama_model)
    if model is None:
        name = settings.ollama_model
        remedy = f"ollama pull {name}" if name else suggest_pull()
        what = f"{name!r} is not installed" if name else "no model that can answer"
        return Check("Ollama", "problem" if wanted else "warning", f"{detail}; {what}", remedy)
    detail = f"{detail}; uses {model.name}"
    try:
        faults = OllamaModel(settings.ollama_url, model.name).problems
    except QAError as error:
        faults = (str(error),)
    if faults:
        remedy = f"{suggest_pull()}, or set ollama_model (QA_OLLAMA_MODEL) to another one"
        return Check("Ollama", "problem", "\n".join([detail, *faults]), remedy)
    return Check("Ollama", "ok", detail)
