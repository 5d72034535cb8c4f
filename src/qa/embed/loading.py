"""A model's files: found, loaded by sentence-transformers, and told apart.

Example: ``load_library_model(hub_folder("intfloat/multilingual-e5-base"))``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qa.errors import ModelUnavailable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BUNDLED = "bundled"

# Weights once more, for other programs than torch.
_OTHER_RUNTIMES = ["*.onnx", "*.msgpack", "*.h5", "*.ot", "onnx/*", "openvino/*", "coreml/*"]

_SAMPLES, _SAMPLE_BYTES = 64, 64 * 1024


def load_library_model(folder: Path) -> SentenceTransformer:
    """Load a SentenceTransformer folder; nothing is downloaded.

    :raises ModelUnavailable: it is none, or a damaged one.
    """
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    try:
        with _no_weights_bar():
            return SentenceTransformer(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnavailable(
            f"cannot load the encoder in {str(folder)!r} ({_first_line(error)}): it must be a "
            f"SentenceTransformer folder; or set encoder (QA_ENCODER) to {BUNDLED!r}"
        ) from error


def hub_folder(name: str) -> Path:
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
            f"cannot load the encoder {name!r}: it is neither a folder nor in the hub's cache, and "
            f"the hub did not give it ({_first_line(error)}). Connect to the network once, set "
            f"encoder (QA_ENCODER) to a folder, or to {BUNDLED!r}"
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
