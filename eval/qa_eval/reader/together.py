"""What the reader is trained on when it reads several sentences of one document as one text.

The text is what the pipeline would show: the sentences that look most like the question's, in the
document's order, each as a passage. For some questions what answers is left out; others are asked
about a text that was made for another question. Two sources: the voter's documents
(``eval/train/documents``), whose answers nobody wrote down, and a SQuAD file.

Example: ``document_rows(load_documents(folder), random.Random(1))[0].text``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from qa.passages import passage
from qa.sentences import split_sentences
from qa.types import Sentence
from qa.words import fold, language, stems
from qa_eval.data import Item
from qa_eval.reader.bm25 import Bm25
from qa_eval.reader.rows import (
    MOST_ANSWER_WORDS,
    UNWRITTEN,
    Asked,
    Row,
    articles,
    sentence_of,
)
from qa_eval.voter.sheets import Written

# Of the texts: how many are a sentence alone; of the others, the sentences.
_ALONE_SHARE = 0.4
_TOGETHER = (3, 5, 5, 5, 6)
# Of the questions that have an answer: how many are asked with it in the text.
_WITH_ANSWER_ALONE, _WITH_ANSWER = 0.6, 0.72
# Of a text: questions; of those that it was not made for, how many it answers, how many not.
_MOST_ANSWERED, _MOST_UNANSWERED = 2, 1
# Of an article: its questions; and the sentences that may hold an accepted answer.
_MOST_ASKED = 12
_MOST_HOLDING = 4


@dataclass(frozen=True, slots=True)
class _Question:
    """A question; each of ``sets`` are places of sentences that answer it, without any none do."""

    text: str
    sets: tuple[frozenset[int], ...]
    answer: str

    @property
    def gold(self) -> frozenset[int]:
        return frozenset().union(*self.sets)

    def asked_of(self, shown: frozenset[int]) -> Asked | None:
        """Return it with its answer from what is shown; None where that is only a part of it."""
        if any(own <= shown for own in self.sets):
            return Asked(self.text, self.answer)
        return None if self.gold & shown else Asked(self.text, None)


def document_rows(documents: Sequence[Written], draw: random.Random) -> list[Row]:
    """Make a row for each question of documents that were written for the voter."""
    rows: list[Row] = []
    for document in documents:
        sentences = [replace(one, index=at) for at, one in enumerate(document.sentences)]
        plain = [one.index for one in sentences if not one.heading]
        asked = []
        for question, numbers in document.asked:
            own = frozenset(plain[number - 1] for number in numbers)
            asked.append(_Question(question, (own,) if own else (), UNWRITTEN))
        rows += _rows(sentences, asked, draw)
    return rows


def article_rows(path: Path, held_out: int, draw: random.Random) -> list[Row]:
    """Make rows of a SQuAD file's articles, but for ``held_out`` of them."""
    rows: list[Row] = []
    for document, items in articles(path, held_out):
        sentences = split_sentences(document)
        questions = list(_article(sentences, items))
        rows += _rows(sentences, draw.sample(questions, min(len(questions), _MOST_ASKED)), draw)
    return rows


def _article(sentences: Sequence[Sentence], items: Sequence[Item]) -> Iterator[_Question]:
    """Yield the questions that have a short answer; whatever sentence holds one may answer."""
    texts = {one.index: fold(one.text) for one in sentences if not one.heading}
    at = {(one.start, one.end): one.index for one in sentences if not one.heading}
    for item in items:
        whole = all(span in at for spans in item.evidence for span in spans)
        answer = next((a for a in item.answers if len(a.split()) <= MOST_ANSWER_WORDS), None)
        accepted = re.compile("|".join(rf"\b{re.escape(fold(one))}\b" for one in item.answers))
        holding = [place for place, text in texts.items() if accepted.search(text)]
        if whole and answer is not None and len(holding) <= _MOST_HOLDING:
            sets = [frozenset(at[span] for span in spans) for spans in item.evidence]
            sets += [frozenset([place]) for place in holding]
            yield _Question(item.question, tuple(dict.fromkeys(sets)), sentence_of(answer))


def _rows(
    sentences: Sequence[Sentence], questions: Sequence[_Question], draw: random.Random
) -> Iterator[Row]:
    plain = [one.index for one in sentences if not one.heading]
    ranks = Bm25([stems(sentences[place].text) for place in plain])
    for question in draw.sample(questions, len(questions)):
        order = [plain[place] for place in ranks.best(stems(question.text))]
        shown = _shown(question, order, draw)
        first = question.asked_of(shown)
        if first is None or not shown:
            continue
        some = [sentences[place] for place in sorted(shown)]
        lines = (" ".join(passage(one, sentences, some).split()) for one in some)
        others = _others(question, questions, shown, sentences, draw)
        yield Row(language(question.text), "\n".join(lines), (first, *others))


def _shown(question: _Question, order: Sequence[int], draw: random.Random) -> frozenset[int]:
    """Return the places of what is shown: what answers and what looks like it, or the latter alone.

    :param order: all places, those that look most like the question's first.
    """
    alone = draw.random() < _ALONE_SHARE
    count = 1 if alone else draw.choice(_TOGETHER)
    if question.sets and draw.random() < (_WITH_ANSWER_ALONE if alone else _WITH_ANSWER):
        own = draw.choice(question.sets)
        rest = [place for place in order if place not in own]
        return own | frozenset(rest[: max(0, count - len(own))] if not alone else ())
    rest = [place for place in order if place not in question.gold]
    skipped = draw.choice((0, 0, 1) if question.sets else (0, 0, 0, 1, 2)) if alone else 0
    return frozenset(rest[skipped : skipped + count])


def _others(
    question: _Question,
    questions: Sequence[_Question],
    shown: frozenset[int],
    sentences: Sequence[Sentence],
    draw: random.Random,
) -> Iterator[Asked]:
    """Yield other questions of the same language that the text answers, and one that it does not.

    Where all of a document's have answers, the latter is one of the likest to what is shown.
    """
    spoken = language(question.text)
    rest = [one for one in questions if one is not question and language(one.text) == spoken]
    told = [(one, asked) for one in rest if (asked := one.asked_of(shown)) is not None]
    answered = [asked for _, asked in told if asked.answer is not None]
    yield from draw.sample(answered, min(len(answered), _MOST_ANSWERED))
    none = [asked for one, asked in told if asked.answer is None and not one.sets]
    if not none:
        there = {stem for place in shown for stem in stems(sentences[place].text)}
        absent = [asked for _, asked in told if asked.answer is None]
        absent.sort(key=lambda asked: -len(there.intersection(stems(asked.question))))
        none = absent[:3]
    yield from draw.sample(none, min(len(none), _MOST_UNANSWERED))
