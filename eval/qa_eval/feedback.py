"""Turns the thumbs that people gave in the chat into questions to measure with.

A thumb up says that answer and citations were right, so they become gold; a refusal that was right
becomes an unanswerable question. A thumb down says only what is wrong: the question goes into a
second file, for a person to complete. This module reads whatever yields :class:`Feedback` and knows
nothing of how conversations are stored.

Example: ``write_feedback(conversations, Path("mine.jsonl"))``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from qa.errors import InputError
from qa.types import Answer, Turn


class Feedback(Protocol):
    """One judged answer; ``documents`` are the ids that were asked, None is all of them."""

    @property
    def question(self) -> str:
        """What was asked."""
        ...

    @property
    def history(self) -> tuple[Turn, ...]:
        """The turns before it."""
        ...

    @property
    def documents(self) -> tuple[str, ...] | None:
        """The documents asked."""
        ...

    @property
    def answer(self) -> Answer:
        """What was answered."""
        ...

    @property
    def verdict(self) -> Literal["up", "down"]:
        """Whether the person found it right."""
        ...


class Judged(Protocol):
    """Conversations as they are kept: ``qa.ui.conversations.Conversations``."""

    def feedback(self) -> Iterable[Feedback]:
        """Yield every answer that was given a thumb."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def stored(store: Path) -> closing[Judged]:
    """Open the conversations that the chat page keeps beside the index.

    :raises InputError: there are none.
    """
    from qa.ui.conversations import FILE, Conversations

    path = store / FILE
    if not path.exists():
        raise InputError(
            f"there are no conversations in {str(store)!r}; chat first (qa serve), or name the "
            "index that the page used with --store DIR"
        )
    return closing(Conversations(path))


@dataclass(frozen=True, slots=True)
class Written:
    """How many questions went where."""

    items: int
    to_complete: int


def write_feedback(judged: Judged, path: Path) -> Written:
    """Write the questions in the eval's format, and beside them those that need a person.

    :param path: of the JSON Lines to write; what needs a person goes to ``NAME.todo.jsonl``.
    :return: the counts; a question judged twice the same way is written once.
    :raises InputError: one of the files exists, and may hold what a person completed.
    """
    to_complete = path.with_suffix(".todo.jsonl")
    for file in (path, to_complete):
        if file.exists():
            raise InputError(
                f"{str(file)!r} exists, and may hold what a person completed; give another name"
            )
    ready: dict[str, dict[str, object]] = {}
    todo: dict[str, dict[str, object]] = {}
    for one in judged.feedback():
        line = dict(_line(one))
        (ready if _is_gold(line) else todo)[str(line["id"])] = line
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, ready.values())
    _write(to_complete, todo.values())
    return Written(len(ready), len(todo))


def _is_gold(line: Mapping[str, object]) -> bool:
    """Tell whether the line is complete: it knows its document, and its answer has evidence."""
    answered = line["kind"] in ("answerable", "followup")
    return bool(line["document"]) and bool(line["evidence"]) == answered


def _line(one: Feedback) -> Iterator[tuple[str, object]]:
    """Yield the fields of a line; one that is not gold is refused until a person completes it."""
    right, answered = one.verdict == "up", one.answer.answered
    document, spans = _evidence(one)
    history = [{"question": turn.question, "answer": turn.answer} for turn in one.history]
    key = json.dumps([one.question, history, document], ensure_ascii=False)
    yield "id", f"feedback-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    yield "document", document
    yield "question", one.question
    refused = right and not answered
    kind = "followup" if history else "answerable"
    yield "kind", "unanswerable:near-miss" if refused else kind
    yield "answers", [one.answer.text] if right and answered else []
    yield "evidence", [spans] if right and spans else []
    yield "history", history


def _evidence(one: Feedback) -> tuple[str, list[dict[str, int]]]:
    """Return the one document that the answer is about, and its cited spans in order.

    The format knows one document a question: an answer from several has none.
    """
    shown = one.answer.citations or one.answer.nearest
    found = list(dict.fromkeys(citation.document for citation in shown))
    if not one.answer.answered and one.documents and len(one.documents) == 1:
        found = list(one.documents)
    if len(found) != 1:
        return "", []
    spans = sorted({(c.start, c.end) for c in one.answer.citations})
    return found[0], [{"start": start, "end": end} for start, end in spans]


def _write(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
