"""The answers to look at, each with its reasons and its place in the document.

Example: ``reasons(item, prediction, score)`` is ``["answered, though the document …"]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from qa_eval.data import Item
from qa_eval.predictions import Pointer, Prediction
from qa_eval.score import Score

# Characters shown before and after what is marked.
_AROUND = 240
_WHOLE = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document's text: ``gold`` and ``cited`` say what it belongs to."""

    text: str
    gold: bool = False
    cited: bool = False


def reasons(item: Item, prediction: Prediction, score: Score) -> list[str]:
    """Say what is wrong with an answer, in words; nothing when it is right."""
    values = score.values
    if prediction.after.valid < prediction.after.all:
        return ["a citation does not slice back to its document"]
    if item.unanswerable:
        return ["answered, though the document has no answer"] if prediction.answered else []
    if not prediction.answered:
        return ["refused, though the document has the answer"]
    if item.kind == "overview":
        return _overview(score)
    found = []
    if not values["sufficient"]:
        found.append("the citations do not prove the answer")
    elif values["citation_f1"] < _WHOLE:
        found.append("more is cited than the answer needs")
    if not values["right"] and values["sufficient"]:
        found.append("the text does not hold the answer")
    return found


def _overview(score: Score) -> list[str]:
    checks = (
        ("overview_3_to_6", "not three to six statements"),
        ("overview_supported", "a statement is not supported by its sentences"),
        ("overview_two_thirds", "less than two thirds of the paragraphs are touched"),
    )
    return [reason for name, reason in checks if score.values.get(name, 0.0) < _WHOLE]


def context(text: str, gold: Sequence[Pointer], cited: Sequence[Pointer]) -> list[Part]:
    """Cut out of a document what surrounds the gold and the cited sentences.

    :return: parts in order; a part «…» stands for what was left out.
    """
    marked = [*gold, *cited]
    if not marked:
        return [Part(text[: 2 * _AROUND] + ("…" if len(text) > 2 * _AROUND else ""))]
    shown = _merged([(p.start - _AROUND, p.end + _AROUND) for p in marked], len(text))
    borders = {edge for p in marked for edge in (p.start, p.end)}
    parts: list[Part] = []
    for start, end in shown:
        if start > 0:
            parts.append(Part("… "))
        edges = sorted({start, end, *(edge for edge in borders if start < edge < end)})
        for left, right in itertools.pairwise(edges):
            parts.append(
                Part(
                    text[left:right],
                    any(p.start <= left and right <= p.end for p in gold),
                    any(p.start <= left and right <= p.end for p in cited),
                )
            )
        if end < len(text):
            parts.append(Part(" …"))
    return parts


def _merged(spans: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return the spans cut to the text, in order, those that touch made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(size, end)) for start, end in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
