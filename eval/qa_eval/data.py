"""Reads question sets: JSON Lines of our own format, and SQuAD 1.1/2.0 JSON.

Everything is checked here, so that a faulty set is refused before a model is loaded; how a document
becomes text, and what is measured, is not known here.

Example: ``load_items(Path("eval/dev.jsonl"), {"contrat-location.txt": text})``.
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qa.errors import InputError
from qa.sentences import split_text
from qa.types import Turn

Kind = Literal[
    "answerable",
    "followup",
    "overview",
    "unanswerable:near-miss",
    "unanswerable:false-premise",
    "unanswerable:off-topic",
]
Span = tuple[int, int]
T = TypeVar("T")
PARAGRAPH_BREAK = "\n\n"


@dataclass(frozen=True, slots=True)
class Item:
    """One question about one document.

    ``evidence`` holds alternative sets of spans of the document's text; each set is minimal and
    sufficient. Overviews and unanswerable questions have neither answers nor evidence.
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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Span(_Strict):
    start: int = Field(ge=0)
    end: int = Field(gt=0)


class _Turn(_Strict):
    question: str
    answer: str


class _Line(_Strict):
    id: str = Field(min_length=1)
    document: str = ""
    question: str
    kind: Kind
    answers: list[str] = Field(default_factory=list)
    evidence: list[list[_Span]] = Field(default_factory=list)
    history: list[_Turn] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)


class _SquadAnswer(BaseModel):
    text: str = Field(min_length=1)
    answer_start: int = Field(ge=0)


class _SquadQuestion(BaseModel):
    id: str = Field(min_length=1)
    question: str
    answers: list[_SquadAnswer] = Field(default_factory=list)
    is_impossible: bool = False


class _SquadParagraph(BaseModel):
    context: str
    qas: list[_SquadQuestion]


class _SquadArticle(BaseModel):
    title: str = Field(min_length=1)
    paragraphs: list[_SquadParagraph]


class _Squad(BaseModel):
    data: list[_SquadArticle]


def load_items(
    path: Path, documents: Mapping[str, str], *, document: str | None = None
) -> tuple[Item, ...]:
    """Read a question set in JSON Lines, and check it against the documents' texts.

    :param path: the file; blank lines are skipped.
    :param documents: canonical text by document id; may be a mapping that reads on demand.
    :param document: the document of the lines that name none.
    :return: the items, in the file's order.
    :raises InputError: naming file, line and field, at the first fault.
    """
    items: dict[str, Item] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        item = _item(_parse(line, path, number), document or "", f"{path}, line {number}")
        if item.id in items:
            raise InputError(
                f"{path}, line {number}, field 'id': {item.id!r} is already used on line "
                f"{lines[item.id]}; give every question its own id"
            )
        _check(item, documents, f"{path}, line {number}")
        items[item.id], lines[item.id] = item, number
    if not items:
        raise InputError(f"{path} holds no question; write one JSON object on each line")
    return tuple(items.values())


def is_squad(path: Path) -> bool:
    """Return whether a file is SQuAD JSON: one object with a list named ``data``."""
    try:
        content = json.loads(_read(path))
    except json.JSONDecodeError:
        return False
    return isinstance(content, dict) and isinstance(content.get("data"), list)


def load_squad(
    path: Path, *, near_miss_share: float = 0.0, seed: int = 0
) -> tuple[dict[str, str], tuple[Item, ...]]:
    """Read SQuAD 1.1 or 2.0 JSON; an article is a document, its paragraphs joined by a blank line.

    The gold evidence is the sentence that holds the answer, or all that a longer answer touches.
    A question marked impossible becomes a near-miss. Further near-misses are made by asking on the
    article without the gold paragraph; a question is left answerable where that is no near-miss:
    the article has one paragraph only, or an answer also stands elsewhere in it.

    :param path: the file.
    :param near_miss_share: the share of the questions, drawn at random, to make near-misses of.
    :param seed: of that draw.
    :return: the texts by document id (the title), and the items in the file's order.
    :raises InputError: naming file and field, at the first fault.
    """
    documents: dict[str, str] = {}
    items: dict[str, Item] = {}
    draw = random.Random(seed)
    for number, article in enumerate(_squad(path).data):
        where = f"{path}, field 'data.{number}'"
        paragraphs = [_canonical(paragraph.context) for paragraph in article.paragraphs]
        if article.title in documents:
            raise InputError(
                f"{where}: a second article has the title {article.title!r}; rename it"
            )
        documents[article.title] = PARAGRAPH_BREAK.join(paragraphs)
        for place, item in _squad_items(article, documents[article.title], where):
            if item.id in items:
                raise InputError(f"{where}: the id {item.id!r} is used twice; ids must be unique")
            rest = PARAGRAPH_BREAK.join(paragraphs[:place] + paragraphs[place + 1 :])
            chosen = draw.random() < near_miss_share
            if chosen and not item.unanswerable and _lacks_answers(rest, item.answers):
                item = _near_miss(item, f"{article.title} (without paragraph {place + 1})")
                documents[item.document] = rest
            items[item.id] = item
    if not items:
        raise InputError(f"{path} holds no question; 'data' has no 'qas' in any paragraph")
    return documents, tuple(items.values())


def _read(path: Path) -> str:
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


def _canonical(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _fault(error: ValidationError) -> str:
    """Return the first fault as "field '…': what is wrong"."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "(whole line)"
    shown = "" if first["type"] == "missing" else f"; found {first['input']!r:.80}"
    return f"field {field!r}: {first['msg']}{shown}"


def _parse(line: str, path: Path, number: int) -> _Line:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {number}: invalid JSON at column {error.colno} ({error.msg}); "
            "each line must be one JSON object"
        ) from error
    try:
        return _Line.model_validate(record)
    except ValidationError as error:
        raise InputError(f"{path}, line {number}, {_fault(error)}; correct it") from error


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
    """Raise where an item does not fit its kind or its document."""
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
    text = documents[item.document]
    for set_number, spans in enumerate(item.evidence):
        field = f"evidence.{set_number}"
        if not spans:
            raise InputError(f"{where}, field {field!r}: an empty set proves nothing; remove it")
        for number, span in enumerate(spans):
            _check_span(text, span, f"{where}, field '{field}.{number}'")


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


def _squad(path: Path) -> _Squad:
    try:
        content = json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}: invalid JSON at column {error.colno} ({error.msg})"
        ) from error
    try:
        return _Squad.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}, {_fault(error)}; this is not SQuAD 1.1 or 2.0") from error


def _squad_items(article: _SquadArticle, text: str, where: str) -> Iterator[tuple[int, Item]]:
    """Yield each question of an article with the 0-based number of its paragraph."""
    sentences = split_text(text)
    offset = 0
    for place, paragraph in enumerate(article.paragraphs):
        for number, question in enumerate(paragraph.qas):
            field = f"{where[:-1]}.paragraphs.{place}.qas.{number}'"
            spans = [
                _squad_span(answer, paragraph.context, offset, field) for answer in question.answers
            ]
            if not spans and not question.is_impossible:
                raise InputError(f"{field}: no answers, and not marked is_impossible")
            item = Item(
                id=question.id,
                document=article.title,
                question=question.question,
                kind="answerable",
                answers=_distinct(_canonical(answer.text) for answer in question.answers),
                evidence=_distinct(_holding(sentences, span) for span in spans),
            )
            if question.is_impossible:
                item = _near_miss(item, article.title)
            yield place, item
        offset += len(_canonical(paragraph.context)) + len(PARAGRAPH_BREAK)


def _squad_span(answer: _SquadAnswer, context: str, offset: int, where: str) -> Span:
    """Return an answer's span in the article; offsets in the file refer to the text before NFC."""
    start = answer.answer_start
    if context[start : start + len(answer.text)] != answer.text:
        raise InputError(
            f"{where}, field 'answer_start': wrong offset {start}, the context has "
            f"{context[start : start + len(answer.text)]!r:.80} there, not {answer.text!r:.80}"
        )
    first = offset + len(_canonical(context[:start]))
    return first, offset + len(_canonical(context[: start + len(answer.text)]))


def _holding(sentences: Sequence[Span], span: Span) -> tuple[Span, ...]:
    """Return the sentences that a span touches."""
    return tuple((start, end) for start, end in sentences if start < span[1] and span[0] < end)


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _lacks_answers(text: str, answers: Sequence[str]) -> bool:
    folded = text.casefold()
    return bool(text.strip()) and not any(answer.casefold() in folded for answer in answers)


def _near_miss(item: Item, document: str) -> Item:
    return replace(item, document=document, kind="unanswerable:near-miss", answers=(), evidence=())
