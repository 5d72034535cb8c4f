"""The counterfactual test: the numbers that answer are changed in the document.

An answer that still gives the old number comes from the model's memory, not from the document. All
digits keep their number, so every offset stays right; a number is changed wherever it stands, in
the questions, too.

Example: ``changed(items, {"a.txt": "Elle coûte 12 €."})`` edits «12» and the answers with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from qa.types import Turn
from qa_eval.data import Item

_NUMBER = re.compile(r"\d+")
_DAYS = range(10, 32)
_YEAR_DIGITS = 4


def changed(
    items: Sequence[Item], texts: Mapping[str, str]
) -> tuple[tuple[Item, ...], dict[str, str]]:
    """Return the questions whose answer is a number, and the documents with other numbers.

    :param texts: canonical text by document id.
    :return: items with the changed answers, and the changed text of every document they ask about.
    """
    kept = [item for item in items if _answers_by_number(item, texts[item.document])]
    edited: dict[str, str] = {}
    other: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(item.document for item in kept):
        runs = {run for item in kept if item.document == name for run in _runs(item.answers[0])}
        taken = set(_runs(texts[name])) | {run for item in kept for run in _runs(item.question)}
        other[name] = {}
        for run in sorted(runs):
            other[name][run] = _another(run, taken)
            taken.add(other[name][run])
        edited[name] = _put(texts[name], other[name])
    # A number that found no other one cannot tell who follows the document.
    kept = [i for i in kept if all(other[i.document][run] != run for run in _runs(i.answers[0]))]
    return tuple(_changed(item, other[item.document]) for item in kept), edited


def _answers_by_number(item: Item, text: str) -> bool:
    """Tell whether the best answer's numbers all stand in its gold sentences."""
    if not item.evidence or not item.answers:
        return False
    source = " ".join(text[start:end] for start, end in item.evidence[0])
    wanted = set(_runs(item.answers[0]))
    return bool(wanted) and wanted <= set(_runs(source))


def _runs(text: str) -> list[str]:
    return _NUMBER.findall(text)


def _another(run: str, taken: set[str]) -> str:
    """Return a number with as many digits that does not stand in the text yet.

    A day stays a possible day and a year keeps its century: the text stays plausible.
    """
    value, width = int(run), len(run)
    for step in range(1, 10 ** min(width, 4)):
        if width == len("31") and value in _DAYS:
            new = _DAYS.start + (value - _DAYS.start + 7 * step) % len(_DAYS)
        elif width == _YEAR_DIGITS:
            new = value // 100 * 100 + (value + 13 * step) % 100
        else:
            low = 10 ** (width - 1) if width > 1 else 1
            new = low + (value - low + 3 * step) % (10**width - low)
        shown = str(new).zfill(width) if run.startswith("0") else str(new)
        if len(shown) == width and shown not in taken and shown != run:
            return shown
    return run


def _put(text: str, other: Mapping[str, str]) -> str:
    return _NUMBER.sub(lambda found: other.get(found[0], found[0]), text)


def _changed(item: Item, other: Mapping[str, str]) -> Item:
    return replace(
        item,
        question=_put(item.question, other),
        answers=tuple(_put(answer, other) for answer in item.answers if _runs(answer)),
        history=tuple(
            Turn(question=_put(turn.question, other), answer=_put(turn.answer, other))
            for turn in item.history
        ),
    )
