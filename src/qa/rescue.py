"""An index → an empty one, but for the documents that only the old one still has.

Their sentences and vectors come of the stored text, as for a new document, and they are of no file
from then on: no synchronisation takes them for deleted. An index that cannot be used is set aside.

Example: ``rescue(folder, salvage(folder), [Path("index/documents")], encoder).ids``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa.chunks import make_chunks
from qa.documents import is_there
from qa.embed import Encoder
from qa.errors import IndexMismatch, IndexMissing
from qa.ingest import embed_chunks
from qa.sentences import split_sentences
from qa.store import Origin, Salvaged, Store, erase, set_aside

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rescued:
    """The documents that stay, and where the old database is if it could not be used."""

    ids: tuple[str, ...]
    aside: Path | None


def rescue(
    folder: Path,
    salvaged: Salvaged,
    paths: Sequence[Path],
    encoder: Encoder,
    progress: Progress | None = None,
) -> Rescued:
    """Empty an index, in one commit, but for what no file gives.

    :param folder: the index.
    :param salvaged: what is whole in it.
    :param paths: the files and folders that will be indexed next.
    :param encoder: the one that it is for from now on.
    :param progress: is told how far it is.
    :return: what was done.
    :raises QAError: the folder cannot be written, or another program is writing for too long.
    """
    usable = not salvaged.damaged and _opens(folder)
    roots = [path.resolve() for path in paths]
    kept = [
        document
        for document, origin in salvaged.documents
        if _is_kept(origin, roots, usable=usable)
    ]
    ready = []  # before anything is removed
    for number, document in enumerate(kept, start=1):
        sentences = split_sentences(document)
        chunks = make_chunks(document, sentences)
        ready.append((document, Origin(), sentences, chunks, embed_chunks(chunks, encoder)))
        if progress:
            told = f"taken over {number} of {len(kept)} documents from the old index"
            progress(told)
    aside = None
    if not usable:
        aside = set_aside(folder)
        erase(folder)
    made_for = () if usable else (encoder.id, encoder.dim)
    with Store.open(folder, *made_for) as store, store.writing():
        store.clear(encoder.id, encoder.dim)
        for parts in ready:
            store.put(*parts)
    return Rescued(tuple(document.id for document in kept), aside)


def _opens(folder: Path) -> bool:
    try:
        Store.open(folder).close()
    except (IndexMissing, IndexMismatch):
        return False
    return True


def _is_kept(origin: Origin, roots: Sequence[Path], *, usable: bool) -> bool:
    """Return whether a document is of no file; of a damaged index, of none that is read next.

    What is gone from under ``roots`` was deleted, if the index can be believed.
    """
    if not origin.path:
        return True
    path = Path(origin.path)
    inside, there = any(root in (path, *path.parents) for root in roots), is_there(path)
    return not (inside or there) if usable else not (inside and there)
