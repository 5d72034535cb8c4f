"""Training sheets of the voter: a numbered document, and which sentences answer its questions.

Some are whole documents that were written for it (``eval/train/documents/``); some are put together
from passages that were written for the reader (``eval/train/``), four to twenty of different
genres; some are articles of a SQuAD file. Of documents some sentences are left out, of articles
about two paragraphs in five, so that their questions have no answer there.

Example: ``written_sheets(load_passages(Path("eval/train")), random.Random(0))[0].asked``.
"""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError, model_validator

from qa.errors import InputError
from qa.prompt import Language, NumberedDocument, number_document
from qa.sentences import split_sentences
from qa.types import Document, Sentence
from qa.words import fold, language, numbers, stems
from qa_eval.data import Item, first_fault, read_text
from qa_eval.reader.rows import Line, articles, read_line

_QUESTIONS = 8
# Of a written sheet's questions.
_ANSWERED_SHARE = 0.64
_PASSAGES = (4, 7, 10, 14, 20)
_FEWEST_PASSAGES = 3
_WITH_HEADING = 0.25
# Of an article: characters that are read at once, and how many of its paragraphs are left out.
_MOST_CHARS = 4200
_LEFT_OUT = 0.42
# Of the sentences of a written document that are asked about.
_GAPS = 0.12
_FEWEST_ASKED = 3
_FEWEST_SENTENCES = 2
# A question and the numbers, or places, of the sentences that answer it; () where none does.
Asked = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document as the model reads it; each question with its sentences' numbers, () for none."""

    numbered: NumberedDocument
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was written for the reader; places are those of its sentences, from 0."""

    language: Language
    genre: str
    sentences: tuple[Sentence, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A document that was written for the voter, headings included, and all of its questions."""

    language: Language
    sentences: tuple[Sentence, ...]
    asked: tuple[Asked, ...]


def load_passages(folder: Path) -> tuple[Passage, ...]:
    """Read the rows of a folder.

    :raises InputError: naming file, line and field, at the first fault.
    """
    return tuple(
        _passage(read_line(line, path, number))
        for path in sorted(folder.glob("*.jsonl"))
        for number, line in enumerate(io.StringIO(read_text(path)), start=1)
    )


def _passage(line: Line) -> Passage:
    every = split_sentences(Document("passage", line.genre, line.text))
    sentences = tuple(sentence for sentence in every if not sentence.heading) or tuple(every)
    asked = tuple(
        (question, answering(sentences, question, answer) if answer is not None else ())
        for question, answer, _ in line.qa
    )
    return Passage(line.lang, line.genre, sentences, asked)


def answering(sentences: Sequence[Sentence], question: str, answer: str) -> tuple[int, ...]:
    """Return the places of the one or two sentences that hold most of the answer's own words."""
    asked, said = set(stems(question)), set(stems(answer)) | numbers(answer)
    own = said - asked or said
    held = [set(stems(sentence.text)) | numbers(sentence.text) for sentence in sentences]

    def worth(place: int, wanted: set[str]) -> tuple[int, int, int]:
        return len(wanted & held[place]), len(asked & held[place]), -place

    every = range(len(sentences))
    best = max(every, key=lambda place: worth(place, own))
    rest = own - held[best]
    others = [place for place in every if place != best and rest & held[place]]
    second = sorted(others, key=lambda place: worth(place, rest))[-1:]
    return tuple(sorted([best, *second]))


class _Document(BaseModel):
    lang: Language
    genre: str
    sentences: list[str] = Field(min_length=1)
    headings: dict[int, str] = {}
    qa: list[tuple[str, list[int], str]] = Field(min_length=1)

    @model_validator(mode="after")
    def _numbers_exist(self) -> _Document:
        wrong = [n for _, own, _ in self.qa for n in own if not 1 <= n <= len(self.sentences)]
        if wrong:
            raise ValueError(f"no sentence {wrong[0]}, of {len(self.sentences)}")
        return self


def load_documents(folder: Path) -> tuple[Written, ...]:
    """Read the documents of a folder, each with all of its questions.

    :raises InputError: naming file, line and field, at the first fault.
    """
    return tuple(
        _document(line, path, number)
        for path in sorted(folder.glob("*.jsonl"))
        for number, line in enumerate(io.StringIO(read_text(path)), start=1)
    )


def _document(text: str, path: Path, number: int) -> Written:
    try:
        read = _Document.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"{path}, line {number}, {first_fault(error)}") from error
    sentences = []
    for place, sentence in enumerate(read.sentences):
        if place in read.headings:
            sentences.append(Sentence("sheet", 0, 0, 0, read.headings[place], heading=True))
        sentences.append(Sentence("sheet", 0, 0, 0, sentence))
    asked = tuple((question, tuple(sorted(own))) for question, own, _ in read.qa)
    return Written(read.lang, tuple(sentences), asked)


def document_sheets(documents: Sequence[Written], draw: random.Random) -> list[Sheet]:
    """Ask some questions of each document at once, with some of their sentences left out."""
    return [
        sheet
        for document in documents
        for asked in _portions(draw.sample(document.asked, len(document.asked)))
        for sheet in _with_gaps(document, asked, draw)
    ]


def _portions(asked: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    for start in range(0, len(asked), _QUESTIONS):
        yield asked[start : start + _QUESTIONS]


def _with_gaps(document: Written, asked: Sequence[Asked], draw: random.Random) -> Iterator[Sheet]:
    """Yield the document without a few sentences, whose questions have no answer there."""
    alone = sorted({own[0] for _, own in asked if len(own) == 1})
    gone = {number for number in alone if draw.random() < _GAPS}
    plain = [sentence for sentence in document.sentences if not sentence.heading]
    left = [number for number in range(1, len(plain) + 1) if number not in gone]
    renumbered = {old: new for new, old in enumerate(left, start=1)}
    lost = {id(plain[number - 1]) for number in gone}
    kept = [sentence for sentence in document.sentences if id(sentence) not in lost]
    still = [
        (question, tuple(renumbered[number] for number in own if number in renumbered))
        for question, own in asked
        if len(own) == 1 or not gone.intersection(own)
    ]
    if still:
        yield _sheet(kept, document.language, still)


def written_sheets(passages: Sequence[Passage], draw: random.Random) -> list[Sheet]:
    """Put passages of one language and different genres together, each in one sheet."""
    by_language: dict[Language, list[Passage]] = defaultdict(list)
    for passage in passages:
        by_language[passage.language].append(passage)
    return [
        _put_together(group, spoken, draw)
        for spoken, some in sorted(by_language.items())
        for group in _groups(draw.sample(some, len(some)), draw)
    ]


def _groups(passages: list[Passage], draw: random.Random) -> Iterator[list[Passage]]:
    while len(passages) >= _FEWEST_PASSAGES:
        group: dict[str, Passage] = {}
        rest = []
        size = draw.choice(_PASSAGES)
        for passage in passages:
            if len(group) < size and passage.genre not in group:
                group[passage.genre] = passage
            else:
                rest.append(passage)
        if len(group) < _FEWEST_PASSAGES:
            return
        passages = rest
        yield list(group.values())


def _put_together(group: Sequence[Passage], spoken: Language, draw: random.Random) -> Sheet:
    sentences: list[Sentence] = []
    asked: list[Asked] = []
    numbered = 0
    for passage in group:
        if draw.random() < _WITH_HEADING:
            title = passage.genre.capitalize()
            sentences.append(Sentence("sheet", len(sentences), 0, 0, title, heading=True))
        for question, places in passage.asked:
            asked.append((question, tuple(numbered + place + 1 for place in places)))
        sentences += passage.sentences
        numbered += len(passage.sentences)
    answered = [one for one in asked if one[1]]
    others = [one for one in asked if not one[1]]
    most = min(len(answered), round(_QUESTIONS * _ANSWERED_SHARE))
    picked = draw.sample(answered, most)
    picked += draw.sample(others, min(len(others), _QUESTIONS - most))
    return _sheet(sentences, spoken, draw.sample(picked, len(picked)))


def squad_sheets(path: Path, held_out: int, draw: random.Random) -> list[Sheet]:
    """Make sheets of a SQuAD file's articles, but for ``held_out`` of them."""
    return [
        sheet
        for document, items in articles(path, held_out)
        for window in _windows(document)
        for sheet in _article(window, items, draw)
    ]


def _windows(document: Document) -> Iterator[list[list[Sentence]]]:
    """Yield an article's paragraphs, as many at once as are read at once."""
    paragraphs: list[list[Sentence]] = []
    end = 0
    for sentence in split_sentences(document):
        if not paragraphs or "\n" in document.text[end : sentence.start]:
            paragraphs.append([])
        paragraphs[-1].append(sentence)
        end = sentence.end
    window: list[list[Sentence]] = []
    size = 0
    for paragraph in paragraphs:
        chars = sum(len(sentence.text) for sentence in paragraph)
        if window and size + chars > _MOST_CHARS:
            yield window
            window, size = [], 0
        window.append(paragraph)
        size += chars
    yield window


def _article(
    window: Sequence[Sequence[Sentence]], items: Sequence[Item], draw: random.Random
) -> Iterator[Sheet]:
    inside = {(s.start, s.end) for part in window for s in part if not s.heading}
    asked = [item for item in items if _alone(item) in inside]
    if len(asked) < _FEWEST_ASKED:
        return
    asked = draw.sample(asked, len(asked))
    for start in range(0, len(asked), 2 * _QUESTIONS):
        gone = {place for place in range(len(window)) if draw.random() < _LEFT_OUT}
        if len(gone) == len(window):
            gone.pop()
        kept = [s for place, part in enumerate(window) if place not in gone for s in part]
        plain = [sentence for sentence in kept if not sentence.heading]
        number = {(s.start, s.end): place for place, s in enumerate(plain, start=1)}
        picked = list(_still_asked(asked[start : start + 2 * _QUESTIONS], number, kept))
        if len(plain) >= _FEWEST_SENTENCES and picked:
            spoken = language(" ".join(sentence.text for sentence in plain))
            yield _sheet(kept, spoken, picked[:_QUESTIONS])


def _alone(item: Item) -> tuple[int, int] | None:
    """Return the one sentence that is enough by the first gold set; None if there is none."""
    first = item.evidence[0] if item.evidence else ()
    return first[0] if len(first) == 1 else None


def _still_asked(
    items: Sequence[Item], number: Mapping[tuple[int, int], int], kept: Sequence[Sentence]
) -> Iterator[Asked]:
    """Yield questions with their numbers; one without is asked where no accepted answer is left."""
    text = fold(" ".join(sentence.text for sentence in kept))
    for item in items:
        span = item.evidence[0][0]
        if span in number:
            yield item.question, (number[span],)
        elif not any(fold(answer) in text for answer in item.answers):
            yield item.question, ()


def _sheet(
    sentences: Sequence[Sentence],
    spoken: Language,
    asked: Sequence[Asked],
) -> Sheet:
    own = [replace(sentence, index=place) for place, sentence in enumerate(sentences)]
    numbered = number_document(Document("sheet", "sheet", ""), own, spoken)
    return Sheet(numbered, tuple(asked))
