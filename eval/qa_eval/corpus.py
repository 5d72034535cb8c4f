"""The documents of a question set, indexed in a store of the evaluation's own.

Example: ``open_corpus(settings, Path("eval/dev.jsonl"), …)`` gives the items and an open assistant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qa import Assistant
from qa.documents import Parser, Source, find_sources, read_document
from qa.documents.canonical import canonical_text
from qa.errors import InputError
from qa.settings import Settings
from qa_eval.counterfactual import changed
from qa_eval.data import Item, load_items
from qa_eval.squad import is_squad, load_squad

_UNSAFE = re.compile(r"[^\w.-]+")


class _Texts(Mapping[str, str]):
    """Canonical text by document id; a file is read when its text is asked for, and once."""

    def __init__(self, sources: Sequence[Source], parser: Parser) -> None:
        self._sources = {source.id: source for source in sources}
        self._parser = parser
        self._held: dict[str, str] = {}

    def __getitem__(self, id: str) -> str:
        if id not in self._held:
            self._held[id] = read_document(self._sources[id], parser=self._parser).text
        return self._held[id]

    def __contains__(self, id: object) -> bool:
        return id in self._sources

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)


def load(
    data: Path,
    folders: Sequence[Path],
    work: Path,
    *,
    document: Path | None = None,
    near_miss_share: float = 0.0,
    counterfactual: bool = False,
    seed: int = 0,
) -> tuple[tuple[Item, ...], tuple[Path, ...]]:
    """Read a question set and find its documents; everything is checked before a model is loaded.

    :param folders: where the documents of a JSON Lines set are.
    :param work: where the articles of a SQuAD set are written as text files.
    :param document: the one document that items without a name are about.
    :param counterfactual: ask only for numbers, of documents in which they were changed.
    :return: the items, and the paths to index; an item's document is the name of its file, under
        which a file that is indexed by itself is found.
    :raises InputError: naming file, line and field; or two documents have the same name.
    """
    if is_squad(data):
        documents, items = load_squad(data, near_miss_share=near_miss_share, seed=seed)
        if counterfactual:
            items, documents = changed(items, documents)
        return _written(documents, items, work)
    paths = [document] if document else [folder for folder in folders if folder.exists()]
    with Parser() as parser:
        found = find_sources(paths, parser)
        texts = _Texts(found, parser)
        items = load_items(data, texts, document=document_id(document) if document else None)
        if counterfactual:
            items, edited = changed(items, texts)
            return _written(edited, items, work)
    used = {item.document for item in items}
    return _under_names(items, {source.id: source.path for source in found if source.id in used})


def document_id(path: Path) -> str:
    """Return the id that a file has when it is indexed by itself."""
    return canonical_text(path.name)


def _under_names(
    items: Sequence[Item], paths: Mapping[str, Path]
) -> tuple[tuple[Item, ...], tuple[Path, ...]]:
    """Return the items with the names of their files for documents, and the files."""
    names: dict[str, str] = {}
    for id, path in paths.items():
        other = names.setdefault(document_id(path), id)
        if other != id:
            raise InputError(
                f"the documents {other!r} and {id!r} have the same name; rename one, "
                "in the question set too"
            )
    renamed = (replace(item, document=document_id(paths[item.document])) for item in items)
    return tuple(renamed), tuple(paths.values())


def _written(
    documents: Mapping[str, str], items: Sequence[Item], work: Path
) -> tuple[tuple[Item, ...], tuple[Path, ...]]:
    """Write each article that is asked about as a file; ids become file names."""
    work.mkdir(parents=True, exist_ok=True)
    names: dict[str, str] = {}
    for title in dict.fromkeys(item.document for item in items):
        digest = hashlib.sha256(title.encode()).hexdigest()[:6]
        names[title] = f"{_UNSAFE.sub('-', title)[:60]}-{digest}.txt"
        (work / names[title]).write_text(documents[title], encoding="utf-8")
    renamed = tuple(replace(item, document=names[item.document]) for item in items)
    return renamed, tuple(work / name for name in names.values())


def open_assistant(
    items: Sequence[Item],
    paths: Sequence[Path],
    settings: Settings,
    progress: Callable[[str], None] | None = None,
) -> Assistant:
    """Index the documents and open the assistant; the texts must be those the offsets refer to.

    :raises InputError: a document reads differently from the text that the set was made on.
    """
    assistant = Assistant.open(paths, settings=settings, progress=progress)
    try:
        for item in items:
            text = assistant.document(item.document).text
            ends = [end for gold in item.evidence for _, end in gold]
            if ends and max(ends) > len(text):
                raise InputError(f"{item.id}: evidence beyond the end of {item.document!r}")
    except BaseException:
        assistant.close()
        raise
    return assistant
