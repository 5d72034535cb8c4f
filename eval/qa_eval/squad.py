"""Reads SQuAD 1.1 and 2.0 JSON: an article is a document, and near-misses can be made from it.

Example: ``documents, items = load_squad(Path("dev-v2.0.json"), near_miss_share=0.2)``.
"""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from qa.errors import InputError
from qa.sentences import split_text
from qa_eval.data import (
    AnswerText,
    Item,
    Span,
    Text,
    check_question,
    first_fault,
    read_json,
    read_text,
)

T = TypeVar("T")
_PARAGRAPH_BREAK = "\n\n"


class _Answer(BaseModel):
    text: AnswerText
    answer_start: int = Field(ge=0)


class _Question(BaseModel):
    id: Text = Field(min_length=1)
    question: Text
    answers: list[_Answer] = Field(default_factory=list)
    is_impossible: bool = False


class _Paragraph(BaseModel):
    context: Text
    qas: list[_Question]


class _Article(BaseModel):
    title: Text = Field(min_length=1)
    paragraphs: list[_Paragraph]


class _File(BaseModel):
    data: list[_Article]


def is_squad(path: Path) -> bool:
    """Return whether a file is SQuAD JSON: one object with a list named ``data``.

    A ``.json`` file that is broken is SQuAD too, so that :func:`load_squad` says where; one that
    goes on after a whole value is JSON Lines.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        return path.suffix.lower() == ".json" and not str(error).startswith("Extra data")
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
    :raises InputError: naming file and field, or line and column, at the first fault.
    """
    documents: dict[str, str] = {}
    items: dict[str, Item] = {}
    draw = random.Random(seed)
    for number, article in enumerate(_read(path).data):
        where = f"{path}, field 'data.{number}'"
        paragraphs = [_canonical(paragraph.context) for paragraph in article.paragraphs]
        if article.title in documents:
            raise InputError(
                f"{where}: a second article has the title {article.title!r}; rename it"
            )
        documents[article.title] = _PARAGRAPH_BREAK.join(paragraphs)
        for place, item in _items(article, documents[article.title], where):
            if item.id in items:
                raise InputError(f"{where}: the id {item.id!r} is used twice; ids must be unique")
            rest = _PARAGRAPH_BREAK.join(paragraphs[:place] + paragraphs[place + 1 :])
            chosen = draw.random() < near_miss_share
            if chosen and not item.unanswerable and _lacks_answers(rest, item.answers):
                item = _near_miss(item, f"{article.title} (without paragraph {place + 1})")
                documents[item.document] = rest
            items[item.id] = item
    if not items:
        raise InputError(f"{path} holds no question; 'data' has no 'qas' in any paragraph")
    return documents, tuple(items.values())


def _read(path: Path) -> _File:
    content = read_json(read_text(path), path)
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}, {first_fault(error)}; this is not SQuAD 1.1 or 2.0") from error


def _items(article: _Article, text: str, where: str) -> Iterator[tuple[int, Item]]:
    """Yield each question of an article with the 0-based number of its paragraph."""
    sentences = split_text(text)
    offset = 0
    for place, paragraph in enumerate(article.paragraphs):
        for number, question in enumerate(paragraph.qas):
            field = f"{where[:-1]}.paragraphs.{place}.qas.{number}'"
            check_question(question.question, f"{field[:-1]}.question'")
            spans = [_span(answer, paragraph.context, offset, field) for answer in question.answers]
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
        offset += len(_canonical(paragraph.context)) + len(_PARAGRAPH_BREAK)


def _span(answer: _Answer, context: str, offset: int, where: str) -> Span:
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


def _canonical(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
