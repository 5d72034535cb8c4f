"""What the reader is trained on: a passage, and questions that it answers or does not.

Two sources: passages written for this purpose (``eval/train/*.jsonl``), and a SQuAD file, whose
unanswered questions are made by asking about the sentences that look most like the answer's. The
module knows nothing of models.

Example: ``load_rows(Path("eval/train"))[0].asked[0].answer``.
"""

from __future__ import annotations

import io
import itertools
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from qa.errors import InputError
from qa.passages import passage
from qa.prompt import Language
from qa.sentences import split_sentences
from qa.types import Document, Sentence
from qa.words import fold, language, stems
from qa_eval.data import Item, first_fault, read_text
from qa_eval.reader.bm25 import Bm25
from qa_eval.squad import load_squad

# Longer "answers" of a crowd are whole sentences; the reader is to be short.
MOST_ANSWER_WORDS = 14
# Of the sentences that look most like the answer's, how many may serve as wrong ones.
_HARD = 4
_SECOND_HARD_SHARE = 0.4
_MOST_QUESTIONS = 7
_SPLIT_SEED = 7
_TRIALS = 20
UNWRITTEN = ""
"""An answer that the text holds and nobody wrote down."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a passage; ``answer`` is None where the passage does not answer it.

    It is ``UNWRITTEN`` where the passage does and how is not known.
    """

    question: str
    answer: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A passage and its questions, all in one language (the prompt's)."""

    language: Language
    text: str
    asked: tuple[Asked, ...]


class Line(BaseModel):
    """A line of ``eval/train/``."""

    lang: Literal["fr", "en"]
    genre: str
    text: str = Field(min_length=1)
    qa: list[tuple[str, str | None, str]] = Field(min_length=1)


def load_rows(*paths: Path) -> tuple[Row, ...]:
    """Read files, and every ``*.jsonl`` of folders; a passage asked in two languages is two rows.

    :raises InputError: naming file, line and field, at the first fault.
    """
    rows: list[Row] = []
    for path in itertools.chain.from_iterable(map(_files, paths)):
        for number, line in enumerate(io.StringIO(read_text(path)), start=1):
            read = read_line(line, path, number)
            asked = [Asked(question, answer) for question, answer, _ in read.qa]
            rows.extend(_by_language(read.text, asked))
    if not rows:
        raise InputError(f"no training rows in {', '.join(map(str, paths))}; *.jsonl are needed")
    return tuple(rows)


def read_line(text: str, path: Path, number: int) -> Line:
    """Read one line.

    :raises InputError: naming file, line and field.
    """
    try:
        return Line.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{path}, line {number}, {first_fault(error)}") from error


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.jsonl")) if path.is_dir() else [path]


def _by_language(text: str, asked: Sequence[Asked]) -> Iterator[Row]:
    groups: dict[Language, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[language(one.question)].append(one)
    for spoken, group in sorted(groups.items()):
        yield Row(spoken, text, tuple(group))


def with_others(rows: Sequence[Row], share: float, seed: int) -> tuple[Row, ...]:
    """Ask some passages what only another document can answer, too.

    Such a question names something, or gives a number, of which the passage has nothing.

    :param share: of the rows that get one such question more.
    :param seed: of the choice of rows and questions.
    """
    draw = random.Random(seed)
    questions: dict[Language, list[str]] = defaultdict(list)
    for row in rows:
        questions[row.language] += [one.question for one in row.asked if named(one.question)]
    return tuple(
        replace(row, asked=(*row.asked, Asked(foreign, None)))
        if draw.random() < share and (foreign := _foreign(row, questions[row.language], draw))
        else row
        for row in rows
    )


def _foreign(row: Row, questions: Sequence[str], draw: random.Random) -> str | None:
    """Return a question that names nothing that the passage, or a question about it, names."""
    known = fold(" ".join([row.text, *(one.question for one in row.asked)]))
    for question in draw.sample(questions, min(_TRIALS, len(questions))):
        if not any(fold(name) in known for name in named(question)):
            return question
    return None


def named(question: str) -> list[str]:
    """Return the numbers of a question and its words with a capital, but the first."""
    words = re.findall(r"[\w-]+", question)
    return [word for word in words[1:] if word[0].isupper() or word[0].isdigit()]


def squad_rows(path: Path, *, held_out: int, seed: int) -> tuple[Row, ...]:
    """Make rows of a SQuAD file's articles, but for ``held_out`` of them.

    :param seed: of the choice of wrong sentences.
    """
    draw = random.Random(seed)
    return tuple(
        row
        for document, items in articles(path, held_out)
        for row in _article(document, items, draw)
    )


def articles(path: Path, held_out: int) -> Iterator[tuple[Document, list[Item]]]:
    """Yield a SQuAD file's articles with their questions, but for ``held_out`` of them."""
    documents, items = load_squad(path)
    asked: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        asked[item.document].append(item)
    for title in sorted(documents.keys() - held_out_titles(documents, held_out)):
        yield Document(title, title, documents[title]), asked[title]


def held_out_titles(titles: Iterable[str], count: int) -> frozenset[str]:
    """Return the titles of the articles that are kept for measuring: always the same ones."""
    ordered = sorted(titles)
    random.Random(_SPLIT_SEED).shuffle(ordered)
    return frozenset(ordered[:count])


def write_held_out(path: Path, count: int, target: Path) -> None:
    """Write the held-out articles of a SQuAD file as a SQuAD file of their own."""
    content = json.loads(read_text(path))
    left = held_out_titles((article["title"] for article in content["data"]), count)
    kept = [article for article in content["data"] if article["title"] in left]
    text = json.dumps({**content, "data": kept}, ensure_ascii=False)
    target.write_text(text, encoding="utf-8")


def _article(document: Document, items: Sequence[Item], draw: random.Random) -> Iterator[Row]:
    sentences = split_sentences(document)
    plain = [sentence for sentence in sentences if not sentence.heading]
    place = {(sentence.start, sentence.end): index for index, sentence in enumerate(plain)}
    ranked = Bm25([stems(sentence.text) for sentence in plain])
    asked: dict[int, dict[Asked, None]] = defaultdict(dict)
    for item in items:
        gold = {place[spans[0]] for spans in item.evidence if len(spans) == 1 and spans[0] in place}
        answer = next((a for a in item.answers if len(a.split()) <= MOST_ANSWER_WORDS), None)
        if len(gold) != len(item.evidence) or answer is None or not gold:
            continue
        first = place[item.evidence[0][0]]
        if fold(answer) not in fold(plain[first].text):
            continue
        asked[first][Asked(item.question, sentence_of(answer))] = None
        for wrong in _wrong(item, gold, plain, sentences, ranked, draw):
            asked[wrong][Asked(item.question, None)] = None
    for index, questions in asked.items():
        text, every = passage(plain[index], sentences), list(questions)
        draw.shuffle(every)
        for start in range(0, len(every), _MOST_QUESTIONS):
            yield from _by_language(text, every[start : start + _MOST_QUESTIONS])


def _wrong(
    item: Item,
    gold: set[int],
    plain: Sequence[Sentence],
    sentences: Sequence[Sentence],
    ranked: Bm25,
    draw: random.Random,
) -> Iterator[int]:
    """Yield one or two sentences that look like the answer's and hold no accepted answer."""
    answers = [fold(answer) for answer in item.answers]
    hard: list[int] = []
    for index in ranked.best(stems(item.question)):
        text = fold(passage(plain[index], sentences))
        if index not in gold and not any(answer in text for answer in answers):
            hard.append(index)
        if len(hard) == _HARD:
            break
    if hard:
        yield draw.choice(hard[:3])
        if draw.random() < _SECOND_HARD_SHARE:
            yield draw.choice(hard)


def sentence_of(answer: str) -> str:
    """Return a crowd's answer as the reader is to write it: a sentence."""
    text = " ".join(answer.split()).strip(" ,;:")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "»")) else f"{text}."


def shuffled(row: Row, draw: random.Random) -> Row:
    """Return the row with its questions in another order."""
    return replace(row, asked=tuple(draw.sample(row.asked, len(row.asked))))
