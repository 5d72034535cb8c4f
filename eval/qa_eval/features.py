"""Collects what the evidence step sees, so that its models can be fitted without asking again.

One line a question: every candidate with its retrieval score, vote and probe, and which of them are
gold. It uses the pipeline's own functions, so what is fitted is what runs.

Example: ``collect(resources, model, items, Path("features.jsonl"), voting=True)``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from qa.calibration import calibration_for, load_calibrations
from qa.consider import Search, by_parts, cross
from qa.conversation import leans_on_history, standalone
from qa.embed import Encoder
from qa.errors import InputError
from qa.evidence import Candidate, Overall, considered, decide, policy, read_together
from qa.exchange import Exchange, Resources
from qa.llm.base import ChatModel
from qa.llm.meter import Meter
from qa.parts import question_parts
from qa.prompt import read_prompt, write_prompt
from qa.types import Hit, Sentence
from qa.whole import foreignness
from qa.witnesses import Votes, answer_odds, drafted, probe, read, vote
from qa.words import language
from qa_eval.data import Item
from qa_eval.saying import said_anyway

# More than the pipeline asks for, so that every cheaper policy can be replayed from the file.
_GENEROUS = replace(
    load_calibrations()["conservative"],
    probes=3,
    sure_probe=99.0,
    most_probes=5,
    yes_probe=4.0,
    least_probe=-1.0,
)


class Said(NamedTuple):
    """An answer: its text, the spans that it cites, and what the certainty sees of it."""

    text: str
    cited: tuple[tuple[int, int], ...]
    features: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One question's candidates, ``gold`` marking those in a gold set, as they are stored.

    ``together``: the reader's odds over the best of them as one text; ``together_unvoted``: as they
    would be without a vote. ``draft``: what it writes from that text, nothing where it would
    refuse. ``shown``: which sentences a policy reads as one text (:func:`qa_eval.fit.replayed`).
    ``answers`` are those accepted; ``said`` is what is said if it is answered whatever the
    confidence, by the calibration that the package had; None where that was not recorded.
    """

    id: str
    document: str
    question: str
    kind: str
    candidates: tuple[Candidate, ...]
    gold: tuple[bool, ...]
    gold_sets: tuple[tuple[tuple[int, int], ...], ...]
    together: float = 0.0
    together_unvoted: float = 0.0
    foreign: float = 0.0
    absent: float = 0.0
    write: float = 0.0
    draft: str = ""
    asked: str = ""  # what is read with, where it is not what was sought with
    shown: tuple[Sentence, ...] = ()
    answers: tuple[str, ...] = ()
    said: Said | None = None

    @property
    def answerable(self) -> bool:
        """Tell whether the document answers the question."""
        return not self.kind.startswith("unanswerable")

    @property
    def overall(self) -> Overall:
        """Return what is known of the question beside its candidates one by one."""
        return Overall(self.together, self.foreign, self.absent)

    def readings(self) -> tuple[tuple[int, ...], ...]:
        """Return what a model that reads was shown, by the sentences' indices in the document.

        Each candidate that was read by itself, then the best together, with and without the vote.
        """
        alone = [(c.hit.sentence.index,) for c in self.candidates if c.probe is not None]
        return tuple(dict.fromkeys((*alone, *self.together_readings())))

    def together_readings(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which sentences are read together, by index, then which would be without votes."""
        shown, unvoted = _together(self.candidates)
        return tuple(s.index for s in shown), tuple(s.index for s in unvoted)


# A sample's id and the indices of the sentences that were read as one text.
Reading = tuple[str, tuple[int, ...]]


class _Reader:
    """What the model says of sentences, asked once of each text; ``known`` was asked before."""

    def __init__(self, asked: str, ask: Meter, resources: Resources, known: Sample | None) -> None:
        self._asked, self._ask, self._resources = asked, ask, resources
        self._odds: dict[tuple[Sentence, ...], float] = {}
        self._drafts: dict[tuple[Sentence, ...], str] = {}
        if known is not None and known.asked == asked:
            shown, unvoted = map(tuple, _together(known.candidates))
            self._odds |= {unvoted: known.together_unvoted, shown: known.together}
            self._odds |= {
                (c.hit.sentence,): c.probe for c in known.candidates if c.probe is not None
            }
            self._drafts |= {shown: known.draft} if known.draft else {}

    def odds(self, shown: Sequence[Sentence]) -> float:
        """Return log P(answer)/P(refusal) over the sentences as one text, 0 over none."""
        key = tuple(shown)
        if not key:
            return 0.0
        if key not in self._odds:
            texts = self._resources.passages(shown)
            self._odds[key] = read(self._asked, texts, language(self._asked), self._ask)
        return self._odds[key]

    def draft(self, shown: Sequence[Sentence]) -> str:
        """Return what it writes from the sentences, nothing where it would refuse."""
        key = tuple(shown)
        if self.odds(shown) <= 0:
            return ""
        if key not in self._drafts:
            spoken = language(self._asked)
            prompt = read_prompt(self._asked, self._resources.passages(shown), spoken)
            pieces = drafted(self._ask, prompt, spoken)
            self._drafts[key] = "".join(piece.text for piece in pieces)
        return self._drafts[key]


def _together(candidates: Sequence[Candidate]) -> tuple[list[Sentence], list[Sentence]]:
    """Return what is read together, then what would be without votes."""
    unvoted = [replace(candidate, vote=None) for candidate in candidates]
    return read_together(candidates), read_together(unvoted)


def collect(
    resources: Resources,
    model: ChatModel,
    items: Sequence[Item],
    path: Path,
    *,
    voting: bool,
    known: Sequence[Sample] = (),
    progress: Callable[[str], None] | None = None,
) -> None:
    """Append the features of every item that ``path`` does not hold yet; overviews have none.

    :param known: samples of the same reader: what it said of the same sentences is taken from them.
    :raises InputError: ``path`` holds features of another model.
    """
    done = collected(path, model.label)
    before = {sample.id: sample for sample in known}
    _mend(path)
    with path.open("a", encoding="utf-8") as file:
        for place, item in enumerate(items, start=1):
            if item.id in done or item.kind == "overview":
                continue
            row = _features(resources, Meter(model), item, before.get(item.id), voting=voting)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if progress:
                progress(f"{place}/{len(items)} {item.id}")


def collected(path: Path, model: str) -> set[object]:
    """Return the ids of the questions whose features a file holds; none where there is no file.

    :param model: the label of the model that is asked now. Rows that name none are accepted.
    :raises InputError: a row names another model, or is no JSON.
    """
    rows = _rows(path)
    others = {row["model"] for row in rows if "model" in row} - {model}
    if others:
        raise InputError(
            f"{path} holds features of {', '.join(sorted(map(repr, others)))}, not of {model!r}, "
            "which is asked now; give another folder with --out, or delete the file"
        )
    return {row["id"] for row in rows}


def ids(path: Path) -> set[object]:
    """Return the ids of the questions whose features a file holds, of whatever model."""
    return {row["id"] for row in _rows(path)}


def told_model(path: Path) -> str:
    """Return the label of the model that features were collected with.

    :raises InputError: no row names one.
    """
    named = (str(row["model"]) for row in _rows(path) if "model" in row)
    model = next(named, "")
    if not model:
        raise InputError(f"{path}: no line names its model; collect it anew with qa eval --collect")
    return model


def _features(
    resources: Resources, ask: Meter, item: Item, known: Sample | None, *, voting: bool
) -> dict[str, object]:
    question, previous = item.question, None
    if item.history and leans_on_history(question):
        previous = item.history[-1].question
        question = standalone(question, item.history, ask, language(question))
    search = Search(resources, [item.document], previous)
    exchange = Exchange(question, language(question), ask)
    hits = cross(exchange, search(question), search)
    parts = question_parts(exchange.sought)
    if ask.model.reads and len(parts) > 1 and not previous:
        hits = by_parts(parts, exchange.sought, search)
    asked, question, spoken = question, exchange.sought, exchange.spoken
    numbered = resources.held(item.document) if voting else None
    votes = vote(question, numbered, ask) if numbered else Votes({})
    gold = {span for gold_set in item.evidence for span in gold_set}
    every = considered(hits, votes, item.document)
    reader = _Reader(asked, ask, resources, known) if ask.model.reads else None

    def judge(candidate: Candidate) -> float:
        if reader is not None:
            return reader.odds([candidate.hit.sentence])
        return probe(question, resources.passages([candidate.hit.sentence])[0], spoken, ask)

    asked_of = policy(every, _GENEROUS, judge)
    probes = {candidate.hit.sentence: candidate.probe for candidate in asked_of}
    candidates = [replace(c, probe=probes.get(c.hit.sentence)) for c in every]
    shown, unvoted = _together(every)
    odds = reader.odds(shown) if reader else 0.0
    return {
        "id": item.id,
        "model": ask.model.label,
        "document": item.document,
        "question": question,
        "asked": asked,
        "kind": item.kind,
        "absent": votes.none,
        "together": odds,
        "together_unvoted": reader.odds(unvoted) if reader else 0.0,
        "gold_sets": [[list(span) for span in gold_set] for gold_set in item.evidence],
        "answers": item.answers,
        "said": said_anyway(exchange, candidates, Overall(odds, absent=votes.none), resources),
        "write": _write_odds(
            asked, question, candidates, ask, resources, voting=numbered is not None
        ),
        "draft": reader.draft(shown) if reader else "",
        "candidates": [
            {
                "hit": _dump(candidate.hit),
                "vote": candidate.vote,
                "probe": candidate.probe,
                "gold": (candidate.hit.sentence.start, candidate.hit.sentence.end) in gold,
            }
            for candidate in candidates
        ],
    }


def _write_odds(
    asked: str,
    question: str,
    candidates: Sequence[Candidate],
    ask: Meter,
    resources: Resources,
    *,
    voting: bool,
) -> float:
    """Return the writer's log-odds of answering, over what the present calibration would choose.

    0 of a model that reads: it was heard before.
    """
    if ask.model.reads:
        return 0.0
    part = calibration_for(ask.model.label, voting=voting, reading=ask.model.reads)
    always = replace(part, threshold=0.0, hopeless=0.0)
    chosen = decide(question, candidates, always, Overall()).chosen
    if not chosen:
        return 0.0
    texts = resources.passages([hit.sentence for hit in chosen])
    prompt = write_prompt(asked, texts, language(asked))
    text, top = ask.complete(replace(prompt, max_tokens=1))
    return answer_odds(top, text, language(asked))


def _dump(hit: Hit) -> dict[str, object]:
    s = hit.sentence
    return {
        "sentence": [s.document, s.index, s.start, s.end, s.text],
        "scores": [hit.score, hit.rank, hit.dense, hit.lexical],
    }


def _rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file; a last line that an interruption cut is left out.

    :raises InputError: another line is no JSON, naming file and line.
    """
    if not path.exists():
        return []
    rows = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise InputError(
                    f"{path}, line {number}: no features ({error}); delete the line"
                ) from error
    return rows


def _mend(path: Path) -> None:
    """End the last line of a file, or take it out where it was cut, so that rows can be added."""
    held = path.read_bytes() if path.exists() else b""
    last = held.rpartition(b"\n")[2]
    if not last:
        return
    try:
        json.loads(last)
    except ValueError:
        os.truncate(path, len(held) - len(last))
    else:
        with path.open("ab") as file:
            file.write(b"\n")


def judge_again(path: Path, out: Path, odds: Mapping[Reading, float]) -> None:
    """Write the features once more, with other odds for what was read.

    What would be said is another reader's, and left out.
    """
    with out.open("w", encoding="utf-8") as file:
        for row, sample in zip(_rows(path), load_samples(path), strict=True):
            for candidate in row["candidates"]:  # type: ignore[attr-defined]
                candidate["probe"] = odds.get((sample.id, (candidate["hit"]["sentence"][1],)))
            both = (odds.get((sample.id, read), 0.0) for read in sample.together_readings())
            row["together"], row["together_unvoted"] = both
            row["said"] = None
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def with_foreignness(samples: Sequence[Sample], encoder: Encoder) -> list[Sample]:
    """Return the samples with how foreign each sounds, by the model that the package has now."""
    vectors = encoder.encode([sample.asked for sample in samples], query=True)
    return [
        replace(sample, foreign=foreignness(vector, encoder.id))
        for sample, vector in zip(samples, vectors, strict=True)
    ]


def load_samples(path: Path) -> tuple[Sample, ...]:
    """Read the collected features back; :func:`with_foreignness` adds what is not collected."""

    def candidate(row: dict) -> Candidate:  # type: ignore[type-arg]
        score, rank, dense, lexical = row["hit"]["scores"]
        sentence = Sentence(*row["hit"]["sentence"])
        return Candidate(Hit(sentence, score, rank, dense, lexical), row["probe"], row["vote"])

    def said(row: dict | None) -> Said | None:  # type: ignore[type-arg]
        if row is None:
            return None
        return Said(row["text"], tuple(tuple(span) for span in row["cited"]), row["features"])

    return tuple(
        Sample(
            id=row["id"],
            document=row["document"],
            question=row["question"],
            kind=row["kind"],
            candidates=tuple(candidate(c) for c in row["candidates"]),
            gold=tuple(c["gold"] for c in row["candidates"]),
            gold_sets=tuple(tuple(tuple(span) for span in g) for g in row["gold_sets"]),
            together=row["together"],
            together_unvoted=row["together_unvoted"],
            absent=row.get("absent", 0.0),
            write=row["write"],
            draft=row["draft"],
            asked=row.get("asked", row["question"]),
            answers=tuple(row.get("answers", ())),
            said=said(row.get("said")),
        )
        for row in _rows(path)  # type: ignore[arg-type]
    )
