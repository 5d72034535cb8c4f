"""What an Ollama server is and holds, and which of its models to use; it sends no chat request.

Example: ``info = probe_server("127.0.0.1:11434")``, then ``best_model(info, wanted=None)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from qa.errors import InputError

_DEFAULT_PORT = 11434
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

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


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """An installed model. Empty ``capabilities`` and None mean that the server does not tell.

    ``remote``: it runs on somebody else's computer, so it is never used.
    """

    name: str
    digest: str = ""
    size_bytes: int = 0
    family: str = ""
    parameter_size: str = ""
    capabilities: tuple[str, ...] = ()
    context_length: int | None = None
    remote: bool = False


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server that answered: its version ("0.0.0" for source builds) and installed models."""

    url: str
    version: str
    models: tuple[ModelInfo, ...]

    @property
    def version_tuple(self) -> tuple[int, ...]:
        """Return the version's numbers, for comparisons; () when it is not a released version."""
        numbers = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return numbers if any(numbers) else ()


def server_url(setting: str) -> str:
    """Return the URL that ``setting`` means, read as Ollama reads ``OLLAMA_HOST``.

    «Listen everywhere» addresses mean this machine: ``0.0.0.0`` is ``http://127.0.0.1:11434``.

    :param setting: a host, ``host:port``, or a URL.
    :return: scheme, host, port and path, without a slash at the end.
    :raises InputError: it is not a host, a host and port, or a http(s) URL.
    """
    text = setting.strip().rstrip("/")
    scheme, separator, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if separator else ("http", text)
    try:
        split = urlsplit(f"{scheme}://{rest}")
        host, port = split.hostname or "127.0.0.1", split.port
    except ValueError:
        host, port = "", None
    if scheme not in {"http", "https"} or not host or re.search(r"\s", rest):
        raise InputError(
            f"ollama_url {setting!r} is not a server address; write for example "
            "'http://127.0.0.1:11434' or 'host:port'"
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if port is None:
        port = {"http": 80, "https": 443}[scheme] if separator else _DEFAULT_PORT
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port}{split.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Tell whether ``url`` is this machine, which no proxy of the environment may stand before."""
    return (urlsplit(url).hostname or "") in _LOOPBACK


def probe_server(url: str, timeout_s: float = 1.0) -> ServerInfo | None:
    """Return what the server at ``url`` is and holds, or None when no Ollama answers in time."""
    import httpx

    address = server_url(url)
    try:
        with httpx.Client(
            base_url=address, timeout=timeout_s, trust_env=not is_loopback(address)
        ) as client:
            version = client.get("/api/version").raise_for_status().json()["version"]
            listed = client.get("/api/tags").raise_for_status().json()["models"] or []
            return ServerInfo(address, str(version), tuple(_model_info(model) for model in listed))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return None  # nothing there, or something else than Ollama


def _model_info(listed: Mapping[str, object]) -> ModelInfo:
    """Read one entry of ``/api/tags``; older servers leave capabilities and context length out."""
    details = listed.get("details")
    details = details if isinstance(details, Mapping) else {}
    capabilities = listed.get("capabilities")
    length, size = details.get("context_length"), listed.get("size")
    name = str(listed.get("name") or listed.get("model"))
    return ModelInfo(
        name=name,
        digest=str(listed.get("digest") or ""),
        size_bytes=size if isinstance(size, int) else 0,
        family=str(details.get("family") or ""),
        parameter_size=str(details.get("parameter_size") or ""),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
        context_length=length if isinstance(length, int) and length > 0 else None,
        remote=bool(listed.get("remote_host") or listed.get("remote_model"))
        or bool(re.search(r"[-:]cloud$", name)),
    )


def find_model(info: ServerInfo, name: str) -> ModelInfo | None:
    """Return the installed model of that name, ``:latest`` understood, or None."""
    wanted = _full_name(name)
    return next((model for model in info.models if _full_name(model.name) == wanted), None)


def best_model(
    info: ServerInfo, wanted: str | None = None, *, free_bytes: int | None = None
) -> ModelInfo | None:
    """Return the model to use: the ``wanted`` one if it is installed, else the best installed one.

    Chat models of the preferred families first, larger ones first as far as they fit the free
    memory; base and code models last but usable. Never an embedding model, never one that runs
    elsewhere.

    :param info: the server and what it holds.
    :param wanted: the configured model's name, ``:latest`` understood.
    :param free_bytes: memory that a model may take; measured when None.
    :return: None when nothing usable is installed, or ``wanted`` is not.
    """
    if wanted:
        model = find_model(info, wanted)
        return model if model is not None and not model.remote else None
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


def _rank(model: ModelInfo, free_bytes: int) -> tuple[bool, bool, bool, bool, int, int, str]:
    """Return the sort key of :func:`best_model`; the smallest is the best."""
    name = model.name.casefold()
    families = [rank for rank, family in enumerate(_PREFERENCE) if re.search(family, name)]
    too_large = model.size_bytes * _ROOM > free_bytes
    return (
        too_large,
        model.size_bytes > _SLOW_BYTES,
        bool(_SPECIALISED.search(name)),
        model.size_bytes < _TINY_BYTES,
        families[0] if families else len(_PREFERENCE),
        model.size_bytes if too_large else -model.size_bytes,
        name,
    )


def _can_chat(model: ModelInfo) -> bool:
    if model.remote or (model.capabilities and "completion" not in model.capabilities):
        return False
    return model.family not in _NOT_CHAT_FAMILIES and not _NOT_CHAT.search(model.name)


def _full_name(name: str) -> str:
    name = name.strip().casefold()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)
