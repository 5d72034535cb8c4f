"""A damaged index → an empty one with the documents that only the damaged one still has.

Sentences and vectors come of the stored text, as for a new document. Those documents are of no file
from then on: no synchronisation takes them for deleted.

Example: ``rescue(folder, salvage(folder), [Path("index/documents")], encoder).ids``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qa.chunks import make_chunks
from qa.documents import is_there
from qa.embed import Encoder
from qa.ingest import embed_chunks
from qa.sentences import split_sentences
from qa.store import Origin, Salvaged, Store, erase, set_aside
from qa.types import Document

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Rescued:
    """The documents that were taken over, and where the damaged database is."""

    ids: tuple[str, ...]
    aside: Path


def rescue(
    folder: Path,
    salvaged: Salvaged,
    paths: Sequence[Path],
    encoder: Encoder,
    progress: Progress | None = None,
) -> Rescued:
    """Set a damaged index aside and make one of what no file under ``paths`` will give.

    :param folder: the index.
    :param salvaged: what is whole in it.
    :param paths: the files and folders that will be indexed next.
    :param encoder: the new index's.
    :param progress: is told how far it is.
    :return: what was done.
    :raises QAError: the folder cannot be written.
    """
    roots = [path.resolve() for path in paths]
    kept = [document for document, origin in salvaged.documents if not _comes_again(origin, roots)]
    aside = set_aside(folder)
    erase(folder)
    if kept:  # else the encoder need not load for this
        _put_all(kept, folder, encoder, progress)
    return Rescued(tuple(document.id for document in kept), aside)


def _comes_again(origin: Origin, roots: Sequence[Path]) -> bool:
    path = Path(origin.path)
    inside = any(root in (path, *path.parents) for root in roots)
    return bool(origin.path) and inside and is_there(path)


def _put_all(
    documents: Sequence[Document], folder: Path, encoder: Encoder, progress: Progress | None
) -> None:
    with Store.open(folder, encoder.id, encoder.dim) as store:
        for number, document in enumerate(documents, start=1):
            sentences = split_sentences(document)
            chunks = make_chunks(document, sentences)
            store.put(document, Origin(), sentences, chunks, embed_chunks(chunks, encoder))
            if progress:
                told = f"taken over {number} of {len(documents)} documents from the damaged index"
                progress(told)
