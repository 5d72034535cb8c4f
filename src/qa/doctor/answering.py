"""The language model that answers, and whether the evidence models were fitted on it.

Example: ``calibration(settings, server, embedded_model(settings, deep=False))``.
"""

from __future__ import annotations

from importlib import util
from pathlib import Path

from qa import weights
from qa.calibration import fitted_for, is_fitted
from qa.doctor.checks import SETUP, Check, Status, gb
from qa.doctor.ollama import Server
from qa.errors import QAError
from qa.llm.adapters import find_adapters
from qa.llm.gguf import label as label_of
from qa.llm.gguf import read_general
from qa.llm.ollama import OllamaModel
from qa.llm.ollama_models import best_model
from qa.llm.ollama_server import ServerInfo
from qa.settings import Settings

_ANEW = "the next question puts it together and verifies it"


def embedded_model(settings: Settings, *, deep: bool) -> Check:
    """Look for the embedded model, or the GGUF file that the settings name."""
    name = "Embedded model"
    lacking: Status = "problem" if settings.backend == "embedded" else "warning"
    if util.find_spec("xllamacpp") is None:
        return Check(name, lacking, "the package xllamacpp is not installed", SETUP)
    if settings.gguf is not None:
        return _own_gguf(name, settings.gguf, settings.cache)
    path = settings.cache / "models" / weights.GGUF_NAME
    if deep and weights.verify_gguf(settings.cache) is False:
        return Check(name, "problem", f"{str(path)!r} is damaged", f"delete it; {_ANEW}")
    if weights.stamped_sha256(path) == weights.GGUF_SHA256:
        when = "every byte verified now" if deep else "verified when it was made"
        return Check(name, "ok", f"{path.name} ({gb(path.stat().st_size)}), {when}")
    if weights.gguf_available(None, settings.cache):
        return Check(name, "ok", f"{path.name}: installed, {_ANEW}")
    detail = f"{path.name}: the packages that hold it are not all installed"
    return Check(name, lacking, detail, SETUP)


def answers_by(settings: Settings, server: Server, embedded: Check) -> Check:
    """Say which model answers."""
    if settings.backend != "auto":
        return Check("Answers by", "ok", f"{settings.backend}, as the setting backend says")
    if isinstance(server, ServerInfo) and (model := best_model(server, settings.ollama_model)):
        return Check("Answers by", "ok", f"Ollama, {model.name}")
    if embedded.status == "ok":
        return Check("Answers by", "ok", "the embedded model")
    detail = "quotations only: there is no language model"
    return Check("Answers by", "warning", detail, f"{SETUP}; or install Ollama")


def calibration(settings: Settings, server: Server, embedded: Check) -> Check:
    """Say whether the evidence models were fitted on the model that answers."""
    name = "Calibration"
    answering = _answering(settings, server, embedded)
    label, reading = answering or ("", True)
    fitted = fitted_for(reading=reading)
    on = f"fitted on {fitted.get('model')!r}, {fitted.get('date')}"
    if answering is None:
        return Check(name, "ok", f"{on}; no model that is there now answers, so none to compare")
    if is_fitted(label, reading=reading):
        return Check(name, "ok", f"{on}, the model that answers")
    what = repr(label) if label else "a model that does not say what it is, or gives no logprobs"
    detail = f"{on}, but {what} answers: a cautious rule decides when to refuse"
    remedy = "expect more wrong refusals; to fit it, in a checkout: qa eval --fit"
    return Check(name, "warning", detail, remedy)


def _own_gguf(name: str, gguf: Path, cache: Path) -> Check:
    try:
        path = weights.find_gguf(gguf, cache)
    except QAError as error:
        return Check(name, "problem", str(error), "correct gguf (QA_GGUF)")
    return Check(name, "ok", f"{str(path)!r} ({gb(path.stat().st_size)}), your own")


def _answering(settings: Settings, server: Server, embedded: Check) -> tuple[str, bool] | None:
    """Return what the answering model calls itself, "" when it does not say, and whether it reads.

    None: quotations only, or an embedded model that is not unpacked yet.
    """
    if settings.backend in ("auto", "ollama") and isinstance(server, ServerInfo):
        model = best_model(server, settings.ollama_model)
        if model is not None:
            return _ollama_label(settings.ollama_url, model.name), False
    path = settings.gguf or settings.cache / "models" / weights.GGUF_NAME
    if settings.backend in ("extractive", "ollama") or embedded.status != "ok":
        return None
    if not path.is_file():
        return None
    return label_of(read_general(path)), find_adapters(path) is not None


def _ollama_label(url: str, name: str) -> str:
    try:
        model = OllamaModel(url, name)
    except QAError:
        return ""
    return model.label if model.has_logprobs else ""
