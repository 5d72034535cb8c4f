"""A model's files: found, loaded by sentence-transformers, and told apart.

Example: ``load_library_model(hub_folder("intfloat/multilingual-e5-base", ENCODER))``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "bundled"

# Weights once more, for other programs than torch.
_OTHER_RUNTIMES = ["*.onnx", "*.msgpack", "*.h5", "*.ot", "onnx/*", "openvino/*", "coreml/*"]

_SAMPLES, _SAMPLE_BYTES = 64, 64 * 1024


@dataclass(frozen=True, slots=True)
class ModelSetting:
    """A setting that names a model, for messages: what the model is, and what to do without it."""

    name: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.name} (QA_{self.name.upper()})"


ENCODER = ModelSetting("encoder", "encoder", f"set it to {BUNDLED!r}")


def local_folder(name: str, setting: ModelSetting) -> Path | None:
    """Return the folder that a setting's value is, or None where it is a hub name.

    :raises ModelUnavailable: it looks like a folder, and there is none.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ModelUnavailable(
            f"there is no {setting.what} folder {name!r}: set {setting} to a folder that "
            f"sentence-transformers loads, or a hub name; or {setting.instead}"
        )
    return None


def load_library_model(folder: Path) -> SentenceTransformer:
    """Load a SentenceTransformer folder; nothing is downloaded.

    :raises ModelUnavailable: it is none, or a damaged one.
    """
    from sentence_transformers import SentenceTransformer

    with loading(folder, ENCODER):
        return SentenceTransformer(str(folder), local_files_only=True)


@contextmanager
def loading(folder: Path, setting: ModelSetting) -> Iterator[None]:
    """Translate what sentence-transformers raises while it loads a folder.

    :raises ModelUnavailable: the folder is not what it should be.
    """
    from safetensors import SafetensorError

    try:
        with _no_weights_bar():
            yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise not_loaded(folder, setting, error) from error


def not_loaded(folder: Path, setting: ModelSetting, error: Exception) -> ModelUnavailable:
    """Return the error that says that a folder is not what its setting needs."""
    return ModelUnavailable(
        f"cannot load the {setting.what} in {str(folder)!r} ({_first_line(error)}): {setting} "
        f"must name a folder that sentence-transformers loads; or {setting.instead}"
    )


def hub_folder(name: str, setting: ModelSetting) -> Path:
    """Return the folder of a hub model in the hub's cache; only what is missing is downloaded.

    One listing asks the hub for all files. Loading by name would ask for each file and, offline,
    wait through the retries of each (70 s).
    """
    from transformers.utils.hub import snapshot_download

    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(repository, ignore_patterns=_OTHER_RUNTIMES))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(
            f"cannot load the {setting.what} {name!r}: it is neither a folder nor in the hub's "
            f"cache, and the hub did not give it ({_first_line(error)}). Connect to the network "
            f"once, set {setting} to a folder, or {setting.instead}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _no_weights_bar() -> Iterator[None]:
    """Keep transformers from drawing a bar on stderr, where the command line speaks."""
    from transformers.utils import logging as bars

    if not bars.is_progress_bar_enabled():
        yield
        return
    bars.disable_progress_bar()
    try:
        yield
    finally:
        bars.enable_progress_bar()


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let torch use ``count`` threads meanwhile; None leaves its number as it is."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def fingerprint(folder: Path) -> str:
    """Return a digest over the files that decide a model's vectors, big ones by spread samples.

    Reading all of the default model (0.5 GB) would cost each start .3-2 s; training changes every
    weight.
    """
    weights = sorted(folder.rglob("*.safetensors")) or sorted(folder.rglob("*.bin"))
    names = ("tokenizer.json", "config_sentence_transformers.json", "1_Pooling/config.json")
    files = [*weights, *(folder / name for name in names if (folder / name).is_file())]
    digest = hashlib.sha256()
    try:
        for path in files:
            size = path.stat().st_size
            digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
            with path.open("rb") as file:
                for k in range(_SAMPLES):
                    file.seek(max(0, (size - _SAMPLE_BYTES) * k // (_SAMPLES - 1)))
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise ModelUnavailable(
            f"cannot read the encoder's files in {str(folder)!r} ({error.strerror}): unpack it anew"
        ) from error
    return digest.hexdigest()
