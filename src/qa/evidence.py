"""Evidence first: before a word is written, choose the sentences that prove the answer, or abstain.

Three witnesses for a sentence: its retrieval score, a one-token probe («does this text hold the
precise answer?»; of a model that was trained to read, whether it would answer from it), and the
model's vote over the numbered document. A fitted model over them ranks the sentences; a second one,
over the question as a whole, gives the confidence that there is an answer
(:mod:`qa.calibration`). Where single sentences leave that open, a model that was trained to read is
heard once more, over the best of them as one text. The module knows nothing of the answer's words.

Example: ``select(question, hits, calibration, ask).chosen``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from qa.calibration import Calibration
from qa.errors import PromptTooLong
from qa.llm.meter import Meter
from qa.prompt import Language, NumberedDocument
from qa.types import Hit, Sentence
from qa.witnesses import Votes, probe, read, vote
from qa.words import names, numbers, stems, told_language

# More sentences than this are a summary, not an answer.
_MAX_CHOSEN = 3
# From these log-odds on a writer is sure; 2 was chosen among .5, 1, 2 and 4 (eval/LOG.md).
_SURE_WRITER: Final = 2.0
# How many of the best hits are read as one text, with the voted ones; and how many characters, so
# that a prompt stays short whatever the sentences are.
_READ_TOGETHER: Final = 5
_MOST_CHARS_TOGETHER: Final = 2400
# The foremost: the voted ones and so many of the best hits. Further ones may be asked to find the
# sentence, but one of many says yes by chance, so whether there is an answer is left to these.
_FOREMOST: Final = 2
# From the first log-odds on, the best of them by itself is sure to answer; up to the second, after
# taking off the vote's odds that nothing does, it is sure not to. Outside, hearing the best ones
# together changed next to nothing (eval/LOG.md, 2026-11-29 and 30).
_SURE_ANSWER: Final = 2.5
_SURE_ABSENCE: Final = -6.0
# What sentences that are read together are read with.
Passages = Callable[[Sequence[Sentence]], Sequence[str]]
# Ranks under consideration; a sentence further down is considered when the model votes for it.
CONSIDERED: Final = 8


def _texts(shown: Sequence[Sentence]) -> list[str]:
    return [sentence.text for sentence in shown]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence under consideration.

    ``probe`` is log P(yes)/P(no), or of answering to refusing, None when it was not asked; ``vote``
    the probability with which the model named it, None when it did not.
    """

    hit: Hit
    probe: float | None = None
    vote: float | None = None
    probability: float = 0.0

    @property
    def voted(self) -> bool:
        """Whether the model named this sentence."""
        return self.vote is not None


@dataclass(frozen=True, slots=True)
class Overall:
    """What is known of the question beside its candidates one by one.

    ``together``: log P(answer)/P(refusal) over the best of them read as one text, or the foremost
    probe where that and the vote leave nothing open; ``foreign``: how much it sounds as if no
    document could answer it (:func:`qa.whole.foreignness`); ``absent``: log P(none of the
    document's sentences answers)/P(one does), of a model that was trained to vote, where what it
    voted on holds the sentence with the best probe: of other documents it says nothing.
    """

    together: float = 0.0
    foreign: float = 0.0
    absent: float = 0.0


@dataclass(frozen=True, slots=True)
class Selection:
    """The sentences to answer from, best first (none: abstain), and the confidence, 0 to 1.

    ``features`` are those of the question, for :func:`heard`; ``firsts`` the best sentences for
    each part of a question that asks several things; ``sources`` what the answer is written from
    where that is more than the chosen ones, in the order in which it stands: the answer will show
    which of it proves it.
    """

    candidates: tuple[Candidate, ...]
    chosen: tuple[Hit, ...]
    confidence: float
    notices: tuple[str, ...] = ()
    features: Mapping[str, float] = field(default_factory=dict)
    firsts: tuple[Hit, ...] = ()
    sources: tuple[Hit, ...] = ()


def sentence_features(candidate: Candidate, rivals: Sequence[Candidate]) -> dict[str, float]:
    """Return what the sentence model sees of one candidate among ``rivals`` (itself included).

    ``behind`` and ``lag`` are its distances to the best retrieval score and to the best probe.
    """
    asked = candidate.probe is not None
    top_score = max(rival.hit.score for rival in rivals)
    top_probe = max((r.probe for r in rivals if r.probe is not None), default=0.0)
    return {
        "score": candidate.hit.score,
        "behind": top_score - candidate.hit.score,
        "probe": candidate.probe or 0.0,
        "lag": top_probe - candidate.probe if candidate.probe is not None else 0.0,
        "probed": float(asked),
        "voted": float(candidate.voted),
        "vote": candidate.vote or 0.0,
    }


def question_features(
    question: str, candidates: Sequence[Candidate], overall: Overall
) -> dict[str, float]:
    """Return what the answerability model sees: the best candidate, and how the question fits it.

    ``foremost`` is :func:`foremost`, ``gap`` how far the best probe is ahead.
    ``missing`` is the share of the question's numbers and names that no candidate holds: a premise
    that the documents do not share, or another subject; ``unnamed`` and ``undated`` are its share
    of names and whether it has a number that the best sentence does not hold: the same fact of
    somebody else, of another year. ``length`` is the log of the characters of the sentence with
    the best probe: the more a sentence says, the readier is the model's yes.
    """
    surest = _surest(candidates)
    best = max(candidates, key=lambda candidate: candidate.probability)
    probes = sorted((c.probe for c in candidates if c.probe is not None), reverse=True)
    counted, named = numbers(question), names(question)
    wanted = counted | named
    proof = best.hit.sentence.text
    seen = " ".join(candidate.hit.sentence.text for candidate in candidates)
    held = numbers(seen) | set(stems(seen)) | names(seen)
    asked = set(stems(question))
    own = set(stems(proof))
    return {
        "probe": best.probe or 0.0,
        "top_probe": max(probes, default=0.0),
        "foremost": foremost(candidates),
        "length": math.log(1 + len(surest.hit.sentence.text)),
        "score": max(candidate.hit.score for candidate in candidates),
        "cosine": max(candidate.hit.dense for candidate in candidates),
        "lexical": max(candidate.hit.lexical for candidate in candidates),
        "gap": probes[0] - probes[1] if len(probes) > 1 else 0.0,
        "voted": float(best.voted),
        "vote": best.vote or 0.0,
        "together": overall.together,
        "foreign": overall.foreign,
        "absent": overall.absent,
        "sure": best.probability,
        "coverage": len(asked & own) / len(asked) if asked else 0.0,
        "missing": len(wanted - held) / len(wanted) if wanted else 0.0,
        "unnamed": len(named - names(proof) - own) / len(named) if named else 0.0,
        "undated": float(bool(counted - numbers(proof))),
    }


def _surest(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate with the best probe."""
    return max(candidates, key=lambda c: (-math.inf if c.probe is None else c.probe, -c.hit.rank))


def select(
    question: str,
    hits: Sequence[Hit],
    calibration: Calibration,
    ask: Meter | None,
    *,
    language: Language = "fr",
    asked: str = "",
    asked_in: Language = "fr",
    numbered: NumberedDocument | None = None,
    probe_inside: bool = False,
    passages: Passages = _texts,
    foreign: float = 0.0,
    several: bool = False,
) -> Selection:
    """Choose the sentences that prove the answer and decide whether there is one.

    :param hits: the sentences under consideration, best first.
    :param ask: the model; None selects by retrieval alone.
    :param language: of the question.
    :param asked: the question in the person's own language, which a model that reads is asked.
    :param asked_in: that language, where the words of ``asked`` do not tell.
    :param numbered: the document whose static prefix the model holds; without it there is no vote.
    :param probe_inside: ask the probes after that prefix too.
    :param passages: returns what sentences that are read together are read with.
    :param foreign: how much the question sounds as if no document could answer it.
    :param several: whether it asks several things.
    """
    if not hits:
        return Selection((), (), 0.0)
    if ask is None or max(hit.dense for hit in hits) < calibration.nearest:
        candidates = considered(hits, Votes({}), None)
        return decide(question, candidates, calibration, Overall(foreign=foreign))
    notices: tuple[str, ...] = ()
    votes = Votes({})
    if numbered is not None:
        try:
            votes = vote(question, numbered, ask)
        except PromptTooLong as error:
            notices = (f"the document was not read whole, so the model did not vote: {error}",)
            probe_inside = False
    every = considered(hits, votes, numbered.document if numbered is not None else None)
    inside = numbered if probe_inside else None
    own = asked or question

    def hear(shown: Sequence[Sentence]) -> float:
        texts = passages(shown)
        if ask.model.reads:
            return read(own, texts, told_language(own) or asked_in, ask)
        return probe(question, texts[0], language, ask, inside)

    candidates = policy(every, calibration, lambda candidate: hear([candidate.hit.sentence]))
    shown = read_together(every)
    voted_on = numbered.document if numbered is not None else None
    absent = votes.none if {one.document for one in shown} == {voted_on} else 0.0
    heeded = "together" in calibration.answerable.weights and left_open(candidates, absent)
    together = hear(shown) if heeded else foremost(candidates)
    within = _surest(candidates).hit.sentence.document == voted_on
    overall = Overall(together, foreign, votes.none if within else 0.0)
    selection = decide(question, candidates, calibration, overall)
    sources = written_from(selection, shown, calibration, together, heeded=heeded, several=several)
    return replace(selection, notices=notices, sources=sources)


def written_from(
    selection: Selection,
    shown: Sequence[Sentence],
    calibration: Calibration,
    together: float,
    *,
    heeded: bool,
    several: bool,
) -> tuple[Hit, ...]:
    """Return what is written from as one text; nothing, where it is written from the chosen ones.

    That is what was read together, where that was heard to answer, and what is read together where
    several sentences may be needed or none is sure to be the right one.

    :param shown: the sentences that are read together.
    :param together: that of :class:`Overall`.
    :param heeded: whether they were, since single ones leave it open.
    :param several: whether several things are asked.
    """
    if not (calibration.cover and selection.chosen and together > 0):
        return ()
    several = several or sum(c.voted for c in selection.candidates) > 1
    unsure = max(c.probability for c in selection.candidates) < calibration.also
    if not (several or unsure or heeded):
        return ()
    asked = {c.hit.sentence: c.hit for c in selection.candidates}
    return tuple(asked.get(one, Hit(one, 0.0, 1)) for one in shown)


def considered(hits: Sequence[Hit], votes: Votes, document: str | None) -> list[Candidate]:
    """Return the best hits and, wherever it ranks, each sentence that the model voted for.

    :param document: the one that was voted on.
    """
    candidates = []
    for hit in hits:
        inside = hit.sentence.document == document
        vote = votes.probability.get(hit.sentence.index) if inside else None
        if vote is not None or hit.rank <= CONSIDERED:
            candidates.append(Candidate(hit, vote=vote))
    return candidates


def foremost(candidates: Sequence[Candidate]) -> float:
    """Return the highest probe of the voted ones and of the very best hits, 0 without any."""
    first = (c for c in candidates if c.voted or c.hit.rank <= _FOREMOST)
    return max((c.probe for c in first if c.probe is not None), default=0.0)


def left_open(candidates: Sequence[Candidate], absent: float) -> bool:
    """Tell whether the probes and the vote leave open if there is an answer.

    :param absent: log P(none of the document's sentences answers)/P(one does), 0 where they are not
        all of the document that was voted on.
    """
    best = foremost(candidates)
    return best - max(absent, 0.0) > _SURE_ABSENCE and best < _SURE_ANSWER


def read_together(candidates: Sequence[Candidate]) -> list[Sentence]:
    """Return the sentences that are read as one text, in the order in which they stand.

    The voted ones and the best hits, as many of them as are short enough, at least one.
    """
    order = sorted(candidates, key=lambda c: (not c.voted, c.hit.rank))
    best = [c.hit.sentence for c in order if c.voted or c.hit.rank <= _READ_TOGETHER]
    sizes = itertools.accumulate(len(sentence.text) for sentence in best)
    short = [one for one, size in zip(best, sizes, strict=True) if size <= _MOST_CHARS_TOGETHER]
    return sorted(short or best[:1], key=lambda sentence: (sentence.document, sentence.index))


def merge(selections: Sequence[Selection]) -> Selection:
    """Join the selections for the parts of one question.

    What proves any part is chosen; the confidence is that of the part that is answered best, since
    a part without an answer is left out, not guessed.
    """
    best: dict[Sentence, Candidate] = {}
    for candidate in (c for selection in selections for c in selection.candidates):
        known = best.get(candidate.hit.sentence)
        if known is None or candidate.probability > known.probability:
            best[candidate.hit.sentence] = candidate
    firsts = [selection.chosen[:1] for selection in selections]
    rests = [selection.chosen[1:] for selection in selections]
    chosen = {hit.sentence: hit for group in (*firsts, *rests) for hit in group}
    notices = dict.fromkeys(notice for selection in selections for notice in selection.notices)
    surest = max(selections, key=lambda selection: selection.confidence)
    return Selection(
        tuple(sorted(best.values(), key=lambda c: (-c.probability, c.hit.rank))),
        tuple(chosen.values())[:_MAX_CHOSEN],
        surest.confidence,
        tuple(notices),
        surest.features,
        tuple(dict.fromkeys(hit for group in firsts for hit in group)),
    )


def policy(
    candidates: Sequence[Candidate], calibration: Calibration, ask: Callable[[Candidate], float]
) -> list[Candidate]:
    """Probe the voted sentences and the best hits, as long as it is worth it.

    The voted ones go first; when the only voted sentence is also the first hit and its probe is
    sure (``sure_probe``), its rivals are not asked. While no probe is a plain yes (``yes_probe``),
    further hits are asked; after the foremost, only if one has reached ``least_probe``: where those
    all refuse, a yes is mere chance.

    :param ask: returns the probe's log-odds for one candidate.
    :return: the candidates that were asked or spared; others have no witness but retrieval.
    """

    def due(candidate: Candidate) -> bool:
        return candidate.voted or candidate.hit.rank <= calibration.probes

    order = sorted(candidates, key=lambda c: (not c.voted, c.hit.rank))
    done: list[Candidate] = []
    best = -math.inf
    for place, candidate in enumerate(order):
        rank = candidate.hit.rank
        least = -math.inf if rank <= _FOREMOST else calibration.least_probe
        further = rank <= calibration.most_probes and least <= best < calibration.yes_probe
        if not due(candidate) and not further:
            continue
        asked = replace(candidate, probe=ask(candidate))
        done.append(asked)
        best = max(best, asked.probe or 0.0)
        others = any(other.voted for other in order[place + 1 :])
        alone = asked.voted and asked.hit.rank == 1 and not others
        if alone and (asked.probe or 0.0) >= calibration.sure_probe:
            return [*done, *filter(due, order[place + 1 :])]
    return done


def decide(
    question: str,
    candidates: Sequence[Candidate],
    calibration: Calibration,
    overall: Overall,
) -> Selection:
    """Rank the candidates, choose, and answer or abstain by the calibrated confidence."""
    scored = sorted(
        (
            replace(c, probability=calibration.sentence(sentence_features(c, candidates)))
            for c in candidates
        ),
        key=lambda c: (-c.probability, c.hit.rank),
    )
    features = question_features(question, scored, overall)
    near = features["cosine"] >= calibration.nearest
    confidence = calibration.answerable(features) if near else 0.0
    chosen: tuple[Hit, ...] = ()
    if near and confidence >= calibration.first_cut:
        more = (c.hit for c in scored[1:] if c.probability >= calibration.also)
        chosen = (scored[0].hit, *more)[:_MAX_CHOSEN]
    return Selection(tuple(scored), chosen, confidence, features=features)


def write_feature(odds: float) -> float:
    """Cut the writer's log-odds where it is sure: how sure says no more about the answer."""
    return max(-_SURE_WRITER, min(_SURE_WRITER, odds))


def settled(calibration: Calibration) -> bool:
    """Return whether the writer has no say in what was fitted.

    So it is for a model that reads, which was heard sentence by sentence, and where the sentences
    were chosen without a model.
    """
    return calibration.writer is None and bool(calibration.fitted.get("model"))


def heard(selection: Selection, calibration: Calibration, odds: float) -> Selection:
    """Decide again now that the writer has begun: nothing stays chosen if it is not to be shown.

    :param odds: log P(it answers)/P(it refuses), from the writer's first token.
    """
    if settled(calibration):
        return selection
    if calibration.writer is None:
        # Nothing was fitted on this writer: it is taken at its word.
        doubt = 1 / (1 + math.exp(-odds))
        refused = replace(selection, chosen=(), confidence=min(selection.confidence, doubt))
        return refused if odds < 0 else selection
    confidence = calibration.writer({**selection.features, "write": write_feature(odds)})
    chosen = selection.chosen if confidence >= calibration.threshold else ()
    return replace(selection, chosen=chosen, confidence=confidence)
