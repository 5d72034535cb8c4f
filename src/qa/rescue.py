"""An index made ready for all files to be read again; what cannot be read stays.

One that is whole keeps everything, marked so that the next synchronisation reads each file and
replaces what it can. One that is not is set aside; of its documents those that no file gives are
taken over into a new one. Their sentences and vectors come of the stored text: what LlamaIndex
knows of its nodes (ids, metadata, where they begin and end) is only in the old one then. They are
of no file from then on: no synchronisation takes them for deleted.

Example: ``rescue(folder, salvage(folder), [Path("index/documents")], encoder).ids``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qa.chunks import make_chunks
from qa.documents import is_there
from qa.embed import Encoder
from qa.errors import IndexMismatch, IndexMissing
from qa.ingest import embed_chunks
from qa.reembed import reembed
from qa.sentences import split_sentences
from qa.store import Origin, Salvaged, Store, erase, set_aside

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rescued:
    """The documents that were taken over, and where the old database is; none of a whole index."""

    ids: tuple[str, ...]
    aside: Path | None


def rescue(
    folder: Path,
    salvaged: Salvaged,
    paths: Sequence[Path],
    encoder: Encoder,
    progress: Progress | None = None,
) -> Rescued:
    """Let the next synchronisation read all files again, and lose nothing that they do not give.

    :param folder: the index; with another encoder than its own, all vectors are made anew.
    :param salvaged: what is whole in it.
    :param paths: the files and folders that will be indexed next.
    :param encoder: the one that it is for from now on.
    :param progress: is told how far it is.
    :return: what was done.
    :raises QAError: the folder cannot be written, or another program is writing for too long.
    """
    if not salvaged.damaged and _is_whole(folder):
        _mark_old(folder, encoder, progress)
        return Rescued((), None)
    roots = [path.resolve() for path in paths]
    kept = [document for document, origin in salvaged.documents if _is_kept(origin, roots)]
    ready = []  # before anything is removed
    for number, document in enumerate(kept, start=1):
        sentences = split_sentences(document)
        chunks = make_chunks(document, sentences)
        ready.append((document, Origin(), sentences, chunks, embed_chunks(chunks, encoder)))
        if progress:
            told = f"taken over {number} of {len(kept)} documents from the old index"
            progress(told)
    aside = set_aside(folder)
    erase(folder)
    with Store.open(folder, encoder.id, encoder.dim) as store, store.writing():
        for parts in ready:
            store.put(*parts)
    return Rescued(tuple(document.id for document in kept), aside)


def _is_whole(folder: Path) -> bool:
    """Return whether the index opens and everything in it is what was written."""
    try:
        with Store.open(folder) as store, store.reading():
            for info in store.documents():
                store.sentences(info.id)
                store.vectors_at(store.rows([info.id]))
            return not store.check()
    except (IndexMissing, IndexMismatch):
        return False


def _mark_old(folder: Path, encoder: Encoder, progress: Progress | None) -> None:
    with Store.open(folder) as store:
        made_for = (store.manifest.encoder_id, store.manifest.dim)
    if made_for != (encoder.id, encoder.dim):
        reembed(folder, encoder, progress)
    with Store.open(folder) as store, store.writing():
        for info in store.documents():
            store.touch(info.id, replace(info.origin, recipe=""))


def _is_kept(origin: Origin, roots: Sequence[Path]) -> bool:
    """Return whether a document is of no file that is read next.

    Of one that is there and cannot be read the earlier version is only in what is set aside.
    """
    path = Path(origin.path)
    inside = any(root in (path, *path.parents) for root in roots)
    return not (origin.path and inside and is_there(path))
