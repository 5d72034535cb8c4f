"""Evidence first: before a word is written, choose the sentences that prove the answer, or abstain.

Three witnesses for a sentence: its retrieval score, a one-token probe («does this text hold the
precise answer?»), and the model's vote over the numbered document. A fitted model over them ranks
the sentences; a second one, over the question as a whole, gives the confidence that there is an
answer (:mod:`qa.calibration`). The module knows nothing of the answer's words.

Example: ``select(question, hits, calibration, ask).chosen``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from qa.calibration import Calibration
from qa.errors import PromptTooLong
from qa.llm.meter import Meter
from qa.prompt import (
    Language,
    NumberedDocument,
    probe_in_document,
    probe_prompt,
    vote_prompt,
    yes_no,
)
from qa.types import Hit, TokenLogprob
from qa.words import names, numbers, stems

# A probe's log-odds are cut here: beyond, they say only «sure».
_MAX_LOGIT = 8.0
# What a plain Yes or No counts where the server gives no log-probabilities.
_PLAIN_LOGIT = 2.0
# More sentences than this are a summary, not an answer.
_MAX_CHOSEN = 3
_ID = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence under consideration: ``probe`` is log P(yes)/P(no), None when it was not asked."""

    hit: Hit
    probe: float | None = None
    voted: bool = False
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class Selection:
    """The sentences to answer from, best first (none: abstain), and the confidence, 0 to 1."""

    candidates: tuple[Candidate, ...]
    chosen: tuple[Hit, ...]
    confidence: float
    notices: tuple[str, ...] = ()


def log_odds(top: Sequence[TokenLogprob], text: str, language: Language) -> float:
    """Turn a probe's first token into log P(yes)/P(no).

    The log-probabilities are those before any grammar, and «Oui» may be two tokens: every
    alternative that is a beginning of exactly one of the two words counts for that word, then the
    two sums are compared. Without alternatives the generated text decides, with a fixed weight.
    """
    yes, no = yes_no(language)
    mass = {yes: 1e-9, no: 1e-9}
    for option in top:
        said = option.token.strip().lower()
        fits = [word for word in mass if said and word.lower().startswith(said)]
        if len(fits) == 1:
            mass[fits[0]] += math.exp(option.logprob)
    if not top:
        said = text.strip().lower()
        sign = (yes.lower().startswith(said) - no.lower().startswith(said)) if said else 0
        return _PLAIN_LOGIT * sign
    return max(-_MAX_LOGIT, min(_MAX_LOGIT, math.log(mass[yes] / mass[no])))


def vote(question: str, numbered: NumberedDocument, ask: Meter) -> tuple[int, ...]:
    """Ask the model which sentences hold the answer; return their indexes in the document.

    Numbers out of range are dropped (the schema forbids them; not every server enforces it).
    """
    text, _ = ask.complete(vote_prompt(numbered, question))
    said = dict.fromkeys(int(number) for number in _ID.findall(text)[:4])
    return tuple(numbered.sentences[n - 1].index for n in said if 1 <= n <= len(numbered.sentences))


def probe(
    question: str, hit: Hit, language: Language, ask: Meter, inside: NumberedDocument | None = None
) -> float:
    """Ask whether the sentence alone answers the question; return log P(yes)/P(no).

    :param inside: ask after this document's cached prefix, for a server that keeps only one prefix.
    """
    text = " ".join(hit.sentence.text.split())
    if inside is not None:
        top, language = probe_in_document(inside, question, text), inside.language
        said, logprobs = ask.complete(top)
    else:
        said, logprobs = ask.complete(probe_prompt(question, text, language))
    return log_odds(logprobs, said, language)


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
    }


def question_features(question: str, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Return what the answerability model sees: the best candidate, and how the question fits it.

    ``missing`` is the share of the question's numbers and names that no candidate holds: a premise
    that the documents do not share, or another subject.
    """
    best = max(candidates, key=lambda candidate: candidate.probability)
    probes = [candidate.probe for candidate in candidates if candidate.probe is not None]
    wanted = numbers(question) | names(question)
    seen = " ".join(candidate.hit.sentence.text for candidate in candidates)
    held = numbers(seen) | set(stems(seen)) | names(seen)
    asked = set(stems(question))
    own = set(stems(best.hit.sentence.text))
    return {
        "probe": best.probe or 0.0,
        "top_probe": max(probes, default=0.0),
        "score": max(candidate.hit.score for candidate in candidates),
        "cosine": max(candidate.hit.dense for candidate in candidates),
        "voted": float(best.voted),
        "coverage": len(asked & own) / len(asked) if asked else 0.0,
        "missing": len(wanted - held) / len(wanted) if wanted else 0.0,
    }


def select(
    question: str,
    hits: Sequence[Hit],
    calibration: Calibration,
    ask: Meter | None,
    *,
    language: Language = "fr",
    numbered: NumberedDocument | None = None,
    probe_inside: bool = False,
) -> Selection:
    """Choose the sentences that prove the answer and decide whether there is one.

    :param hits: the sentences under consideration, best first.
    :param ask: the model; None selects by retrieval alone.
    :param numbered: the document whose static prefix the model holds; without it there is no vote.
    :param probe_inside: ask the probes after that prefix too.
    """
    if not hits:
        return Selection((), (), 0.0)
    notices: tuple[str, ...] = ()
    voted: tuple[int, ...] = ()
    if ask is not None and numbered is not None:
        try:
            voted = vote(question, numbered, ask)
        except PromptTooLong as error:
            notices = (f"the document was not read whole, so the model did not vote: {error}",)
            probe_inside = False
    document = numbered.document if numbered is not None else None
    candidates = [
        Candidate(hit, voted=hit.sentence.document == document and hit.sentence.index in voted)
        for hit in hits
    ]
    if ask is not None:
        inside = numbered if probe_inside else None
        candidates = policy(
            candidates,
            calibration.probes,
            calibration.sure_probe,
            lambda c: probe(question, c.hit, language, ask, inside),
        )
    return replace(decide(question, candidates, calibration), notices=notices)


def policy(
    candidates: Sequence[Candidate],
    probes: int,
    sure: float,
    ask: Callable[[Candidate], float],
) -> list[Candidate]:
    """Probe the voted sentences and the best ``probes`` hits, as long as it is worth it.

    The voted ones go first; when the only voted sentence is also the first hit and its probe is at
    least ``sure``, its rivals are not asked.

    :param ask: returns the probe's log-odds for one candidate.
    """
    worth = [c for c in candidates if c.voted or c.hit.rank <= probes]
    order = sorted(worth, key=lambda c: (not c.voted, c.hit.rank))
    done: list[Candidate] = []
    for place, candidate in enumerate(order):
        asked = replace(candidate, probe=ask(candidate))
        done.append(asked)
        rest = order[place + 1 :]
        alone = asked.voted and asked.hit.rank == 1 and not any(other.voted for other in rest)
        if alone and (asked.probe or 0.0) >= sure:
            return [*done, *rest]
    return done


def decide(question: str, candidates: Sequence[Candidate], calibration: Calibration) -> Selection:
    """Rank the candidates, choose, and answer or abstain by the calibrated confidence."""
    scored = sorted(
        (
            replace(c, probability=calibration.sentence(sentence_features(c, candidates)))
            for c in candidates
        ),
        key=lambda c: (-c.probability, c.hit.rank),
    )
    confidence = calibration.answerable(question_features(question, scored))
    chosen: tuple[Hit, ...] = ()
    if confidence >= calibration.threshold:
        more = (c.hit for c in scored[1:] if c.probability >= calibration.also)
        chosen = (scored[0].hit, *more)[:_MAX_CHOSEN]
    return Selection(tuple(scored), chosen, confidence)
