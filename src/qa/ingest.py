"""Files → store: what is new is added, what changed replaced, what is gone removed.

It knows nothing of questions or models other than the encoder.

Example: ``sync([Path("index/documents")], store, encoder, limits=Limits()).added``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from qa.chunks import make_chunks
from qa.documents import (
    READERS_VERSION,
    Limits,
    Parser,
    Source,
    find_sources,
    is_there,
    read_document,
    split_member,
)
from qa.embed import Encoder
from qa.errors import InputError
from qa.pace import Pace
from qa.sentences import SPLITTER_VERSION, has_more_sentences, split_sentences
from qa.store import DocumentInfo, Origin, Store, Vectors
from qa.types import Chunk, Document, Sentence
from qa.words import WORDS_VERSION

Progress = Callable[[str], None]

# Raised when the way in which a sentence's vector is made changes.
_VECTOR_VERSION: Final = 1
_RECIPE: Final = (
    f"readers {READERS_VERSION}, splitter {SPLITTER_VERSION}, words {WORDS_VERSION}, "
    f"vectors {_VECTOR_VERSION}"
)
# Sentences a commit: what an interruption can cost, against waiting for the disk more often.
_COMMIT_SENTENCES: Final = 2048
# A file that changed this recently may change again within one tick of the file system's clock,
# with the same size and time: it is read again the next time ("racily clean", as in git).
_FRESH_NS: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """What a synchronisation did, by document id; ``failed`` has (path, message)."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    sentences: int = 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """A document that was read and waits to be encoded."""

    document: Document
    origin: Origin
    sentences: tuple[Sentence, ...]
    chunks: tuple[Chunk, ...]


@dataclass(slots=True)
class _Work:
    """What is known of the store and done so far in one synchronisation."""

    store: Store
    encoder: Encoder
    parser: Parser
    known: dict[str, DocumentInfo]
    paths: frozenset[str]
    waiting: list[_Reading] = field(default_factory=list)
    waiting_chunks: int = 0
    moved: dict[str, Origin] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    sentences: int = 0
    pace: Pace = field(default_factory=Pace)


def sync(
    paths: Sequence[Path],
    store: Store,
    encoder: Encoder,
    *,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Report:
    """Bring the store in step with the files under ``paths``; documents of other paths stay.

    A file that fails is reported and the others go on; if it was indexed before, that version
    stays. An interruption keeps all that was committed, a document whole or not at all.

    :param paths: files and folders.
    :param store: what is brought in step.
    :param encoder: the one that the store was made with.
    :param limits: files above them fail.
    :param progress: is told what is being done.
    :return: what was done.
    :raises InputError: a path does not exist.
    :raises QAError: the store cannot be written.
    """
    with Parser(limits) as parser:
        # In this order: what another program indexes in between is not taken for deleted.
        known = {info.id: info for info in store.documents()}
        sources = find_sources(paths, parser)
        places = frozenset(_place(source.path) for source in sources)
        work = _Work(store, encoder, parser, known, places)
        for number, source in enumerate(sources, start=1):
            try:
                _take(source, work)
            except InputError as error:
                kept = " (its earlier version stays in the index)" if _indexed(source, work) else ""
                work.failed.append((_shown(source.path), f"{error}{kept}"))
            if work.waiting_chunks >= _COMMIT_SENTENCES:
                _commit(work, progress, (number, len(sources)))
    gone = _gone(paths, {source.id for source in sources}, work)
    _commit(work, progress, (len(sources), len(sources)), gone)
    return Report(
        added=tuple(work.added),
        updated=tuple(work.updated),
        removed=tuple(gone),
        unchanged=tuple(work.unchanged),
        failed=tuple(work.failed),
        sentences=work.sentences,
    )


def document_of(file: Path, report: Report, documents: Sequence[DocumentInfo]) -> str:
    """Return the id of a file's document; of an archive's first one.

    :param file: what was just indexed.
    :param report: what came of it.
    :param documents: those of the store.
    :raises InputError: it could not be read; of an archive, nothing in it.
    """
    place = Path(_shown(Path(_place(file))))
    failed = {Path(_place(Path(path))): message for path, message in report.failed}
    if place in failed:
        raise InputError(failed[place])
    ids = [info.id for info in documents if place in (Path(info.path), *Path(info.path).parents)]
    if not ids:
        reasons = [message for path, message in failed.items() if place in path.parents]
        raise InputError("; ".join(reasons) or f"{file.name!r} was not indexed; index it again")
    return min(ids)


def _indexed(source: Source, work: _Work) -> bool:
    """Return whether the store has a document of a file, or of an archive's members."""
    place = Path(_place(source.path))
    return any(place in (Path(info.path), *Path(info.path).parents) for info in work.known.values())


def _take(source: Source, work: _Work) -> None:
    """Read a file if it has to be, and queue what was read."""
    if source.problem:
        raise InputError(source.problem)
    known = work.known.get(source.id)
    try:
        origin, same = _look(source, known, work.parser)
    except OSError as error:
        raise InputError(f"{source.path.name!r} cannot be read ({error.strerror})") from error
    _refuse_odd_name(origin)
    if known is not None:
        _refuse_namesake(known, origin, work.paths)
        if same:
            work.unchanged.append(source.id)
            if origin != known.origin:
                work.moved[source.id] = origin
            return
    document = read_document(source, parser=work.parser)
    sentences = _split(document, str(source.path), work.parser.limits)
    chunks = make_chunks(document, sentences)
    work.waiting.append(_Reading(document, origin, sentences, chunks))
    work.waiting_chunks += len(chunks)


def _split(document: Document, place: str, limits: Limits) -> tuple[Sentence, ...]:
    """Return the sentences of a document, if they are not too many to be held at once."""
    if has_more_sentences(document.text, limits.sentences):
        raise InputError(
            f"{place!r} has more than {limits.sentences} sentences; split it or raise max_sentences"
        )
    return split_sentences(document)


def _look(source: Source, known: DocumentInfo | None, parser: Parser) -> tuple[Origin, bool]:
    """Return the file's state, and whether the store has it so: by size and time, else by bytes.

    The size and time of a member are those of its archive.
    """
    stat = split_member(source.path)[0].stat()
    fresh = time.time_ns() - stat.st_mtime_ns < _FRESH_NS
    origin = Origin(
        root=_place(source.root),
        path=_place(source.path),
        size=stat.st_size,
        mtime_ns=0 if fresh else stat.st_mtime_ns,
        recipe=_RECIPE,
    )
    before = known.origin if known else Origin()
    if not fresh and replace(origin, sha256=before.sha256, root=before.root) == before:
        return replace(origin, sha256=before.sha256), True
    if stat.st_size > parser.limits.file_bytes:
        return origin, False  # reading it is what fails, with the right message
    digest = parser.digest(source.path)
    return replace(origin, sha256=digest), (digest, _RECIPE) == (before.sha256, before.recipe)


def _refuse_odd_name(origin: Origin) -> None:
    for path in (origin.root, origin.path):
        if path != _shown(Path(path)):
            raise InputError(f"the name {path!r} is not UTF-8; rename it")


def _refuse_namesake(known: DocumentInfo, origin: Origin, given: frozenset[str]) -> None:
    if known.path not in (given | {origin.path, ""}) and is_there(Path(known.path), unseen=True):
        raise InputError(
            f"{origin.path!r} would have the id {known.id!r}, which {known.path!r} has "
            f"already: index both paths in one command, or rename one"
        )


def _gone(paths: Sequence[Path], present: set[str], work: _Work) -> list[str]:
    """Return the known documents whose files are gone from the paths, or have another id now."""
    roots = {_place(path) for path in paths}
    broken = {_place(Path(path)) for path, _ in work.failed}

    def is_gone(info: DocumentInfo) -> bool:
        places = {info.path, *map(str, Path(info.path).parents)}
        if places & broken:  # it, or the archive or folder that it is in
            return False
        # Of a folder inside that was given by itself: what is hidden here may be there still.
        inside = bool(places & roots) and not is_there(Path(info.path), unseen=True)
        return inside or info.root in roots or info.path in work.paths

    missing = (info for name, info in work.known.items() if name not in present)
    return sorted(info.id for info in missing if is_gone(info))


def _place(path: Path) -> str:
    return os.path.realpath(path)


def _shown(path: Path) -> str:
    """Return a path as text that can be shown: file systems have names that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _commit(
    work: _Work, progress: Progress | None, done: tuple[int, int], gone: Sequence[str] = ()
) -> None:
    """Encode what waits and make one commit of it all; without anything to do, none."""
    if not (work.waiting or work.moved or gone):
        return
    waiting, moved = work.waiting, work.moved
    work.waiting, work.waiting_chunks, work.moved = [], 0, {}
    vectors = embed_chunks(
        [chunk for one in waiting for chunk in one.chunks], work.encoder, progress
    )
    with work.store.writing():
        work.store.remove(gone)
        for document_id, origin in moved.items():
            work.store.touch(document_id, origin)
        start = 0
        for one in waiting:
            end = start + len(one.chunks)
            work.store.put(one.document, one.origin, one.sentences, one.chunks, vectors[start:end])
            start = end
    for one in waiting:
        known = one.document.id in work.known
        (work.updated if known else work.added).append(one.document.id)
    work.sentences += sum(len(one.sentences) for one in waiting)
    if progress:
        progress(_told(work, *done))


def _told(work: _Work, done: int, total: int) -> str:
    """Return how far it is, and while it goes on, how fast and about how long still."""
    told = f"indexed {done} of {total} documents, {work.sentences} sentences"
    if done == total:
        return told
    return f"{told}, {work.pace.told(work.sentences, done / total, 'sentences')}"


def embed_chunks(
    chunks: Sequence[Chunk], encoder: Encoder, progress: Progress | None = None
) -> Vectors:
    """Return (n, dim) float32 rows of length 1: each the sum of a sentence alone and in context.

    On PIAF the sum finds the right sentence more often than either text (design, row "chunks").
    """
    if not chunks:
        return np.empty((0, encoder.dim), dtype=np.float32)
    alone = [chunk.sentence.text for chunk in chunks]
    read = [f"{chunk.context} {chunk.sentence.text}".strip() for chunk in chunks]
    both = encoder.encode([*alone, *read], progress=progress)
    vectors = both[: len(chunks)] + both[len(chunks) :]
    # Opposite vectors, which no real encoder gives, would leave nothing to normalise.
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return np.asarray(vectors / lengths, dtype=np.float32)
