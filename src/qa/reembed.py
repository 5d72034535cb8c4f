"""A new encoder for an index: vectors made anew from the stored text, in a store beside it.

The old index answers meanwhile. An interruption costs one commit at most: the same command goes on
where it stopped. At the end one commit puts the new vectors in the place of the old ones. The same
way mends sentences, search terms and vectors that are damaged, as long as the text is whole.

Example: ``reembed(Path("index/store"), load_encoder("bundled", cache), print)``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from qa.chunks import make_chunks
from qa.embed import Encoder
from qa.errors import IndexMismatch
from qa.ingest import embed_chunks
from qa.pace import Pace
from qa.sentences import split_sentences
from qa.store import DocumentInfo, Label, Origin, Store, erase
from qa.types import Chunk, Document, Sentence

Progress = Callable[[str], None]

FOLDER: Final = "reembed"
_COMMIT_SENTENCES: Final = 2048


@dataclass(frozen=True, slots=True)
class _Stored:
    """A document as the old index has it."""

    document: Document
    origin: Origin
    sentences: tuple[Sentence, ...]
    chunks: tuple[Chunk, ...]
    labels: dict[int, Label]


def reembed(folder: Path, encoder: Encoder, progress: Progress | None = None) -> int:
    """Make every vector of the index in ``folder`` anew and return how many were made now.

    :param folder: the index.
    :param encoder: the one that it is for from now on.
    :param progress: is told how far it is.
    :return: sentences that were encoded; those of an interrupted run are not encoded again.
    :raises IndexMissing: there is no index.
    :raises IndexMismatch: a stored text is damaged.
    :raises QAError: the folder cannot be written.
    """
    with Store.open(folder) as old, _begun(folder / FOLDER, encoder) as new:
        made = 0
        while True:
            made += _catch_up(old, new, encoder, progress)
            if old.replace_by(new):
                break  # else documents changed meanwhile
    shutil.rmtree(folder / FOLDER, ignore_errors=True)  # what is left is used again
    return made


def _begun(folder: Path, encoder: Encoder) -> Store:
    try:
        return Store.open(folder, encoder.id, encoder.dim)
    except IndexMismatch:  # begun with yet another encoder, or damaged
        erase(folder)
        return Store.open(folder, encoder.id, encoder.dim)


def _catch_up(old: Store, new: Store, encoder: Encoder, progress: Progress | None) -> int:
    """Bring the new store in step with the old one and return how many sentences were encoded."""
    wanted, there = old.signatures(), new.signatures()
    new.remove(sorted(there.keys() - wanted.keys()))
    infos = [info for info in old.documents() if wanted.get(info.id) != there.get(info.id)]
    total, done = sum(info.sentences for info in infos), 0
    pace = Pace()
    for batch in _batches(infos):
        stored = [one for one in (_stored(old, info) for info in batch) if one]
        vectors = embed_chunks([chunk for one in stored for chunk in one.chunks], encoder)
        with new.writing():
            start = 0
            for one in stored:
                end = start + len(one.chunks)
                parts = (one.document, one.origin, one.sentences, one.chunks)
                new.put(*parts, vectors[start:end])
                new.label(one.document.id, one.labels)
                start = end
        done += sum(info.sentences for info in batch)
        if progress:
            told = f"{done} of {total} sentences have their new vectors"
            more = f", {pace.told(done, done / total, 'sentences')}" if 0 < done < total else ""
            progress(told + more)
    return done


def _batches(infos: Sequence[DocumentInfo]) -> Iterator[list[DocumentInfo]]:
    batch: list[DocumentInfo] = []
    for info in infos:
        batch.append(info)
        if sum(one.sentences for one in batch) >= _COMMIT_SENTENCES:
            yield batch
            batch = []
    if batch:
        yield batch


def _stored(old: Store, info: DocumentInfo) -> _Stored | None:
    """Return a document with its sentences as they are, or cut anew where they are damaged.

    None: it was removed meanwhile.
    """
    with old.reading():
        if info.id not in old:
            return None
        document = old.document(info.id)
        try:
            sentences = old.sentences(info.id)
        except IndexMismatch:
            cut = tuple(split_sentences(document))
            origin = replace(info.origin, recipe="")  # the next synchronisation reads the file
            return _Stored(document, origin, cut, tuple(make_chunks(document, cut)), {})
        rows = old.rows([info.id])
        contexts, labels = old.contexts_at(rows), old.labels_at(rows)
    chunks = tuple(
        Chunk(sentence, contexts[row])
        for row, sentence in zip(rows, sentences, strict=True)
        if not sentence.heading
    )
    of_index = {at: labels[row] for at, row in enumerate(rows) if row in labels}
    return _Stored(document, info.origin, sentences, chunks, of_index)
