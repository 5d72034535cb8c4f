"""The machine: Python, packages, settings, memory and disks.

Example: ``memory()`` warns where the models would not fit.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tomllib
from importlib import metadata
from pathlib import Path

from qa import weights
from qa.doctor.checks import SETUP, Check, gb
from qa.settings import Settings

_PACKAGES = ("torch", "sentence-transformers", "faiss-cpu", "llama-index-core", "gradio", "ollama")
# The embedded model, the encoder and the index of a small collection stay below this.
_MEMORY_BYTES = 3_500_000_000
# The language model, the encoder and prefixes of documents that were read once.
_MODELS_BYTES = 2_200_000_000
_LOW_DISK_BYTES = 500_000_000


def python() -> Check:
    """Say which Python runs, and on what."""
    detail = f"{platform.python_version()} ({sys.executable}), {platform.platform()}"
    return Check("Python", "ok", detail)


def packages() -> Check:
    """Look for the packages that the parts need."""
    versions = {name: _version(name) for name in ("qa-sentence-citations", *_PACKAGES)}
    missing = [name for name, version in versions.items() if version is None]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        return Check("Packages", "problem", f"{found}; missing: {', '.join(missing)}", SETUP)
    return Check("Packages", "ok", found)


def settings_in_force(settings: Settings) -> Check:
    """Say which settings are not the defaults, and where each comes from."""
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


def memory() -> Check:
    """Look whether the models fit the free memory."""
    import psutil

    virtual = psutil.virtual_memory()
    detail = f"{gb(virtual.available)} free of {gb(virtual.total)}, {os.cpu_count()} cores"
    if virtual.available < _MEMORY_BYTES:
        remedy = "close other programs, or use --backend extractive, which loads no language model"
        return Check("Memory", "warning", f"{detail}; up to {gb(_MEMORY_BYTES)} is used", remedy)
    return Check("Memory", "ok", detail)


def disks(settings: Settings) -> tuple[Check, ...]:
    """Look whether the models and the index can be written, and fit."""
    unpacked = (settings.cache / "models" / weights.GGUF_NAME).is_file()
    needed = _LOW_DISK_BYTES if unpacked else _MODELS_BYTES
    return (
        _folder("Model cache", settings.cache, needed, "cache (QA_CACHE)"),
        _folder("Index folder", settings.store, _LOW_DISK_BYTES, "store (QA_STORE)"),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _toml_names(path: Path) -> set[str]:
    try:
        return set(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return set()


def _folder(name: str, folder: Path, needed_bytes: int, setting: str) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(name, "problem", f"{str(folder)!r}: {error}", f"set {setting} to another one")
    detail = f"{str(folder)!r}, {gb(free)} free"
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Check(name, "problem", f"{detail}, not writable", f"set {setting} to another one")
    if free < needed_bytes:
        remedy = f"free {gb(needed_bytes)}, or set {setting} to another disk"
        return Check(name, "warning", f"{detail}; up to {gb(needed_bytes)} is needed", remedy)
    return Check(name, "ok", detail)
