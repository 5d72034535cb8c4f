"""Paths → the files to index, each once and under an id of its own.

Example: ``[source.id for source in find_sources([Path("index/documents")])]``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from qa.documents.canonical import canonical_text
from qa.documents.files import split_member
from qa.documents.formats import ARCHIVE, SUFFIXES, has_reader, unsupported
from qa.documents.parser import Parser
from qa.errors import InputError


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read as a document; ``root`` is the folder that its id is relative to.

    The path of a member of an archive goes on inside it: ``docs/a.zip/notes/b.md``. With a
    ``problem`` it cannot be read, and that says why.
    """

    id: str
    path: Path
    root: Path
    problem: str = ""


def find_sources(paths: Iterable[Path], parser: Parser | None = None) -> tuple[Source, ...]:
    """Return the files at ``paths`` that can be read, each once, sorted by id.

    An id is the path inside the folder that was given (the name, for a file). Where two files would
    have the same id, the names of the folders above tell them apart. A zip file is searched as a
    folder is; one that cannot be is a source with a problem.

    :param paths: files, and folders: searched throughout, without hidden files and other suffixes.
    :param parser: looks into archives; without it one is made and closed.
    :return: the sources; none for empty folders.
    :raises InputError: a path that does not exist, or a file given by name that cannot be read.
    """
    if parser is None:
        with Parser() as parser:
            return find_sources(paths, parser)
    found: dict[str, _Found] = {}
    for path in paths:
        for file in _files_at(Path(path)):
            for one in _with_members(file, parser):
                found.setdefault(os.path.realpath(one.path), one)
    files = sorted(found.values())
    ids = _ids([(one.path, one.root) for one in files])
    sources = (Source(name, *one) for name, one in zip(ids, files, strict=True))
    return tuple(sorted(sources, key=lambda source: source.id))


class _Found(NamedTuple):
    path: Path
    root: Path
    problem: str = ""


def _with_members(found: _Found, parser: Parser) -> Iterator[_Found]:
    """Yield a file, or what can be read in an archive."""
    file, root, problem = found
    if problem or file.suffix.lower() != ARCHIVE:
        yield found
        return
    try:
        members = parser.members(file)
    except InputError as error:
        yield _Found(file, root, str(error))
        return
    count = 0
    for member in members:
        name = f"{file}/{member.name}"
        nested = member.name.lower().endswith(ARCHIVE)
        if nested or has_reader(member.name):
            count += 1
            problem = "is an archive in an archive and is not read; unpack it" if nested else ""
            problem = member.problem or problem
            # A hostile name stays a name: what leads outside is written as one part.
            inside = member.name.replace("..", "…").lstrip("/") if problem else member.name
            yield _Found(file / inside, root, f"{name!r} {problem}" if problem else "")
    if not count:
        yield _Found(file, root, f"{str(file)!r} holds no file that can be read")


def _files_at(path: Path) -> Iterator[_Found]:
    """Yield each file at ``path`` with the folder that its id is relative to."""
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be reached ({error.strerror}); check the path"
        ) from error
    if is_folder:
        for file, problem in _walk(path, set()):
            if problem and file == path:
                raise InputError(problem)
            if problem or file.suffix.lower() in SUFFIXES:
                yield _Found(file, path, problem)
    elif not exists and not split_member(path)[1]:
        raise InputError(f"there is no file or folder {str(path)!r}; check the path")
    elif path.suffix.lower() not in SUFFIXES:
        raise unsupported(str(path))
    else:
        yield _Found(path, path.parent)


def _walk(folder: Path, visited: set[str]) -> Iterator[tuple[Path, str]]:
    """Yield the files under ``folder`` in order, and what cannot be read there, with why.

    A folder that links lead back to is read once.
    """
    real = os.path.realpath(folder)
    if real in visited:
        return
    visited.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        why = f"({error.strerror}); check its permissions"
        yield folder, f"the folder {str(folder)!r} cannot be read {why}"
        return
    for entry in entries:
        if not entry.name.startswith("."):
            try:
                yield from _at_entry(entry, visited)
            except OSError as error:  # its folder may be listed but not entered
                yield entry, f"{str(entry)!r} cannot be reached ({error.strerror}); check the path"


def _at_entry(entry: Path, visited: set[str]) -> Iterator[tuple[Path, str]]:
    if entry.is_dir():
        yield from _walk(entry, visited)
    elif entry.is_file():
        yield entry, ""
    elif entry.is_symlink() and entry.suffix.lower() in SUFFIXES and not entry.exists():
        yield entry, f"{str(entry)!r} is a link that leads nowhere; remove it or mend it"


def _ids(pairs: list[tuple[Path, Path]]) -> list[str]:
    """Return one id a file: its path inside its root, with folders above where needed."""
    roots = [Path(os.path.realpath(root)).parts for _, root in pairs]
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
