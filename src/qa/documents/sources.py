"""Paths → the files to index, each once and under an id of its own.

Example: ``[source.id for source in find_sources([Path("index/documents")])]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from qa.documents.canonical import canonical_text
from qa.documents.formats import SUFFIXES, unsupported
from qa.errors import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read as a document; ``root`` is the folder that its id is relative to."""

    id: str
    path: Path
    root: Path


def find_sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """Return the files at ``paths`` that can be read, each once, sorted by id.

    An id is the path inside the folder that was given (the name, for a file). Where two files would
    have the same id, the names of the folders above tell them apart.

    :param paths: files, and folders: searched throughout, without hidden files and other suffixes.
    :return: the sources; none for empty folders.
    :raises InputError: a path that does not exist, or a file given by name that cannot be read.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    for path in paths:
        for file, root in _files_at(Path(path)):
            found.setdefault(file.resolve(), (file, root))
    pairs = sorted(found.values())
    ids = _ids(pairs)
    sources = (Source(name, path, root) for name, (path, root) in zip(ids, pairs, strict=True))
    return tuple(sorted(sources, key=lambda source: source.id))


def _files_at(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file at ``path`` with the folder that its id is relative to."""
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be reached ({error.strerror}); check the path"
        ) from error
    if is_folder:
        for file in _walk(path, set()):
            if file.suffix.lower() in SUFFIXES:
                yield file, path
    elif not exists:
        raise InputError(f"there is no file or folder {str(path)!r}; check the path")
    elif path.suffix.lower() not in SUFFIXES:
        raise unsupported(path)
    else:
        yield path, path.parent


def _walk(folder: Path, visited: set[Path]) -> Iterator[Path]:
    """Yield the files under ``folder`` in order; a folder that links lead back to is read once."""
    real = folder.resolve()
    if real in visited:
        return
    visited.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"the folder {str(folder)!r} cannot be read ({error.strerror}); check its permissions"
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, visited)
        elif entry.is_file():
            yield entry


def _ids(pairs: list[tuple[Path, Path]]) -> list[str]:
    """Return one id a file: its path inside its root, with folders above where needed."""
    roots = [root.resolve().parts for _, root in pairs]
    names = [path.relative_to(root).as_posix() for path, root in pairs]
    depth = [0] * len(pairs)
    while True:
        ids = [
            canonical_text("/".join((*root[len(root) - above :], name)))
            for root, name, above in zip(roots, names, depth, strict=True)
        ]
        count = Counter(ids)
        deeper = [
            index
            for index, name in enumerate(ids)
            if count[name] > 1 and depth[index] < len(roots[index]) - 1
        ]
        if not deeper:
            return _numbered(ids)
        for index in deeper:
            depth[index] += 1


def _numbered(ids: list[str]) -> list[str]:
    """Number what is still equal: names that differ only in their Unicode form."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in ids:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return numbered
