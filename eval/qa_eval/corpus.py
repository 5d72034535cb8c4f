"""The documents of a question set, indexed in a store of the evaluation's own.

Example: ``open_corpus(settings, Path("eval/dev.jsonl"), …)`` gives the items and an open assistant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from qa import Assistant
from qa.documents import Parser, find_sources, read_document
from qa.errors import InputError
from qa.settings import Settings
from qa_eval.counterfactual import changed
from qa_eval.data import Item, load_items
from qa_eval.squad import is_squad, load_squad

_UNSAFE = re.compile(r"[^\w.-]+")


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
    :return: the items, and the paths to index.
    :raises InputError: naming file, line and field.
    """
    if is_squad(data):
        documents, items = load_squad(data, near_miss_share=near_miss_share, seed=seed)
        if counterfactual:
            items, documents = changed(items, documents)
        return _written(documents, items, work)
    paths = [document] if document else [folder for folder in folders if folder.exists()]
    with Parser() as parser:
        found = find_sources(paths, parser)
        texts = {source.id: read_document(source, parser=parser).text for source in found}
    name = document.name if document else None
    items = load_items(data, texts, document=name)
    if counterfactual:
        items, edited = changed(items, texts)
        return _written(edited, items, work)
    used = {item.document for item in items}
    sources = [source.path for source in found if source.id in used]
    return items, tuple(sources)


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
