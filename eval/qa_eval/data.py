"""What a question of a set is, and the reader of our own format, JSON Lines.

Everything is checked here, so that a faulty set is refused before a model is loaded; how a document
becomes text, and what is measured, is not known here. SQuAD files: :mod:`qa_eval.squad`.

Example: ``load_items(Path("eval/dev.jsonl"), {"contrat-location.txt": text})``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from qa.errors import InputError
from qa.pipeline import valid_question
from qa.sentences import split_sentences
from qa.types import Document, Turn

Kind = Literal[
    "answerable",
    "followup",
    "overview",
    "unanswerable:near-miss",
    "unanswerable:false-premise",
    "unanswerable:off-topic",
]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """One question about one document.

    ``evidence`` holds alternative sets of spans of the document's text, each span exactly one
    sentence that can be cited, as citations are; each set is minimal and sufficient. Overviews and
    unanswerable questions have neither answers nor evidence.
    """

    id: str
    document: str
    question: str
    kind: Kind
    answers: tuple[str, ...] = ()
    evidence: tuple[tuple[Span, ...], ...] = ()
    history: tuple[Turn, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def unanswerable(self) -> bool:
        """Return whether the document lacks the answer, so that the question should be refused."""
        return self.kind.startswith("unanswerable")

    @property
    def has_gold(self) -> bool:
        """Return whether there is gold evidence: overviews and unanswerable questions have none."""
        return bool(self.evidence)


def _whole(text: str) -> str:
    text.encode()  # raises ValueError at half a character, such as "\\ud800"
    return text


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("an accepted answer is more than white space")
    return text


Text = Annotated[str, AfterValidator(_whole)]
AnswerText = Annotated[Text, AfterValidator(_worded)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Span(_Strict):
    start: int = Field(ge=0)
    end: int = Field(gt=0)


class _Turn(_Strict):
    question: Text
    answer: Text


class _Line(_Strict):
    id: Text = Field(min_length=1)
    document: Text = ""
    question: Text
    kind: Kind
    answers: list[AnswerText] = Field(default_factory=list)
    evidence: list[list[_Span]] = Field(default_factory=list)
    history: list[_Turn] = Field(default_factory=list)
    tags: list[Text] = Field(default_factory=list)


def load_items(
    path: Path, documents: Mapping[str, str], *, document: str | None = None
) -> tuple[Item, ...]:
    """Read a question set in JSON Lines, and check it against the documents' texts.

    A span of evidence means every sentence of which it holds half or more, and every sentence that
    holds half or more of it; headings are none. These sentences stand in its place in the item.

    :param path: the file; blank lines are skipped.
    :param documents: canonical text by document id; may be a mapping that reads on demand: only
        documents that a question names are asked for.
    :param document: the document of the lines that name none.
    :return: the items, in the file's order.
    :raises InputError: naming file, line and field, at the first fault.
    """
    items: dict[str, Item] = {}
    lines: dict[str, int] = {}
    citable = cache(_citable)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        item = _item(_parse(line, path, number), document or "", where)
        if item.id in items:
            raise InputError(
                f"{where}, field 'id': {item.id!r} is already used on line "
                f"{lines[item.id]}; give every question its own id"
            )
        _check(item, documents, where)
        text = documents[item.document]
        items[item.id] = _in_sentences(item, text, citable(text), where)
        lines[item.id] = number
    if not items:
        raise InputError(f"{path} holds no question; write one JSON object on each line")
    return tuple(items.values())


def read_text(path: Path) -> str:
    """Return the text of a question set.

    :raises InputError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(
            f"the question set {str(path)!r} cannot be read ({error.strerror}); check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (byte {error.start}); save the question set as UTF-8"
        ) from error


def check_question(question: str, where: str) -> None:
    """Refuse a question that :mod:`qa.pipeline` would refuse in the middle of a run.

    :param where: its file, line and field, to begin the message with.
    :raises InputError: it is empty, has no word in it, or is too long.
    """
    try:
        valid_question(question)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def first_fault(error: ValidationError) -> str:
    """Return the first fault as "field '…': what is wrong", for a message."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "(whole line)"
    shown = "" if first["type"] == "missing" else f"; found {first['input']!r:.80}"
    return f"field {field!r}: {first['msg']}{shown}"


def read_json(text: str, path: Path, line: int | None = None) -> object:
    """Return the value that JSON text holds.

    :param line: of the file, where the text is no more than that.
    :raises InputError: naming file, line and column where they are known.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {line or error.lineno}: "
            f"invalid JSON at column {error.colno} ({error.msg}); correct it"
        ) from error
    except (RecursionError, ValueError) as error:
        where = f"{path}, line {line}" if line else str(path)
        raise InputError(
            f"{where}: JSON nested too deep, or a number of too many digits; correct it"
        ) from error


def _parse(line: str, path: Path, number: int) -> _Line:
    record = read_json(line, path, number)
    try:
        return _Line.model_validate(record)
    except ValidationError as error:
        raise InputError(f"{path}, line {number}, {first_fault(error)}; correct it") from error


def _item(line: _Line, document: str, where: str) -> Item:
    if not (line.document or document):
        raise InputError(f"{where}, field 'document': missing; name it, or pass --document FILE")
    return Item(
        id=line.id,
        document=line.document or document,
        question=line.question,
        kind=line.kind,
        answers=tuple(line.answers),
        evidence=tuple(tuple((s.start, s.end) for s in option) for option in line.evidence),
        history=tuple(Turn(turn.question, turn.answer) for turn in line.history),
        tags=tuple(line.tags),
    )


def _check(item: Item, documents: Mapping[str, str], where: str) -> None:
    """Raise where an item cannot be asked, or does not fit its kind or its document."""
    check_question(item.question, f"{where}, field 'question'")
    gold = item.kind in ("answerable", "followup")
    for field, values in (("answers", item.answers), ("evidence", item.evidence)):
        if bool(values) != gold:
            rule = "needs at least one" if gold else "must have none"
            raise InputError(f"{where}, field {field!r}: a question of kind {item.kind!r} {rule}")
    if item.kind == "followup" and not item.history:
        raise InputError(f"{where}, field 'history': a follow-up needs the turns before it")
    if item.document not in documents:
        raise InputError(
            f"{where}, field 'document': {item.document!r} is not among the documents; "
            "put it into the documents' folder or correct the name"
        )


def _in_sentences(item: Item, text: str, citable: Sequence[Span], where: str) -> Item:
    """Return the item with sentences for evidence; raise where a span does not mean any."""
    sets = []
    for set_number, spans in enumerate(item.evidence):
        field = f"evidence.{set_number}"
        if not spans:
            raise InputError(f"{where}, field {field!r}: an empty set proves nothing; remove it")
        meant: set[Span] = set()
        for number, span in enumerate(spans):
            place = f"{where}, field '{field}.{number}'"
            _check_span(text, span, place)
            meant.update(_meant(span, citable, place))
        sets.append(tuple(sorted(meant)))
    return replace(item, evidence=tuple(sets))


def _citable(text: str) -> tuple[Span, ...]:
    sentences = split_sentences(Document("", "", text))
    return tuple((s.start, s.end) for s in sentences if not s.heading)


def _meant(span: Span, citable: Sequence[Span], where: str) -> list[Span]:
    """Return the sentences that share at least half of the shorter of the two with a span."""
    start, end = span
    found = [
        (first, last)
        for first, last in citable
        if 2 * (min(end, last) - max(start, first)) >= min(end - start, last - first)
    ]
    if not found:
        raise InputError(
            f"{where}: {start}-{end} is no sentence that can be cited, such as a heading; "
            "give the sentences that prove the answer"
        )
    return found


def _check_span(text: str, span: Span, where: str) -> None:
    start, end = span
    if not start < end <= len(text):
        raise InputError(
            f"{where}: offsets {start}-{end} are not inside the document, which has "
            f"{len(text)} characters; correct them"
        )
    if text[start:end] != text[start:end].strip() or _cuts(text, start) or _cuts(text, end):
        raise InputError(
            f"{where}: wrong offset, {start}-{end} is {text[start:end]!r:.80}, which cuts a word "
            "or begins or ends with a space; evidence is whole sentences of the canonical text"
        )


def _cuts(text: str, offset: int) -> bool:
    """Return whether an offset lies inside a word."""
    return text[offset - 1 : offset].isalnum() and text[offset : offset + 1].isalnum()
