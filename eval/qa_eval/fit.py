"""Fits the evidence models on collected features and reports, by cross-validation over documents.

Logistic regressions (scikit-learn, L2): which candidates are gold, whether the question has an
answer, the same once the writer's first token is known, and whether what is said is right. The cuts
are those that minimise refused answerable plus answered unanswerable questions, each as a share
of its side. Figures are of questions whose document was held out of the fit.

Example: ``fit_part(PARTS[0], load_samples(Path("features.jsonl")))``.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from qa.calibration import Calibration, Logistic
from qa.check import statements
from qa.errors import InputError
from qa.evidence import (
    Candidate,
    Selection,
    decide,
    foremost,
    heard,
    left_open,
    policy,
    question_features,
    read_together,
    sentence_features,
    write_feature,
    written_from,
)
from qa.parts import question_parts
from qa.pointing import pointing
from qa.types import Citation
from qa_eval.features import Sample
from qa_eval.metrics import auroc, citation_scores, ece, mean
from qa_eval.score import right_answer

_FOLDS = 5
# Shares of wrong decisions that are asked for at most: what a cut costs is counted in these.
_REFUSED_AT_MOST = 0.06
# Who cannot tell would do best by refusing everything: at most so many times what may be refused.
_MOST_REFUSED = 2
_ANSWERED_AT_MOST = {"unanswerable:near-miss": 0.1}
_OTHERS_ANSWERED_AT_MOST = 0.05
# Cuts whose cost is so near the least are equally good: one question more is worth as much. On
# documents left out, the middle of them costs less than the least one (eval/LOG.md, 2026-11-29).
_EQUALLY_GOOD = 1.05
# Answerable questions that may be given up before the writer is asked.
_LOST_UNHEARD = 0.01
# The best cosine of one crowd question in 4 059 lies below, and of 12 off-topic ones in 28.
_NEAREST = 0.8
# How much an answer's words say about where it is from; 4 to 12 are within .02 (eval/LOG.md).
_COVER = 8.0
# Not fitted without the vote: where that changes what is read as one text, no draft is collected.
_ALSO_UNFITTED = 0.8
# Probabilities from which a second sentence may be used; of equals the most cautious is taken.
_ALSO = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one policy would do with one sample, decided by models that did not see its document."""

    sample: Sample
    confidence: float
    citation_f1: float  # of the evidence chosen if it answered
    probes: int
    answered: bool
    first: float  # the confidence before the writer was heard
    certainty: float = 0.0  # that what is said is right
    right: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """How one part of the calibration is fitted: what it sees and what it may ask."""

    name: str
    sentence_features: tuple[str, ...]
    question_features: tuple[str, ...]
    writer_features: tuple[str, ...]
    right_features: tuple[str, ...]
    probes: int
    sure: float
    voting: bool
    most: int = 0
    yes: float = 0.0
    least: float = -99.0
    reading: bool = False  # for a model that was trained to read
    nearest: float = _NEAREST
    cover: float = 0.0
    also: float | None = None  # None: fitted


def replayed(sample: Sample, part: Part) -> Sample:
    """Return the sample as a cheaper policy would see it."""
    voting = part.voting
    recorded = {c.hit.sentence: c.probe for c in sample.candidates}
    unasked = [replace(c, vote=c.vote if voting else None, probe=None) for c in sample.candidates]
    cheap = _calibration(part)
    asked = (
        policy(unasked, cheap, lambda c: recorded[c.hit.sentence] or 0.0)
        if part.probes
        else unasked
    )
    gold = dict(zip(recorded, sample.gold, strict=True))
    together = sample.together if voting else sample.together_unvoted
    absent = sample.absent if voting else 0.0
    shown = read_together(unasked)
    return replace(
        sample,
        candidates=tuple(asked),
        gold=tuple(gold[c.hit.sentence] for c in asked),
        together=together if left_open(asked, absent) else foremost(asked),
        absent=absent,
        draft=sample.draft if shown == read_together(sample.candidates) else "",
        shown=tuple(shown),
    )


def fit_models(samples: Sequence[Sample], part: Part) -> Calibration:
    """Fit the sentence model on answerable questions, then the question models on all."""
    rows, labels = [], []
    for sample in samples:
        if sample.answerable and any(sample.gold):
            for candidate, gold in zip(sample.candidates, sample.gold, strict=True):
                rows.append(sentence_features(candidate, sample.candidates))
                labels.append(gold)
    sentence = _logistic(rows, labels, part.sentence_features)
    answerable = [sample.answerable for sample in samples]
    questions = []
    for sample in samples:
        scored = _scored(sample.candidates, sentence)
        features = question_features(sample.question, scored, sample.overall)
        questions.append({**features, "write": write_feature(sample.write)})
    said = [
        (sample.said.features, _is_right(sample))
        for sample in samples
        if sample.answerable and sample.said
    ]
    return replace(
        _calibration(part),
        sentence=sentence,
        answerable=_logistic(questions, answerable, part.question_features),
        writer=(
            _logistic(questions, answerable, part.writer_features) if part.writer_features else None
        ),
        right=(
            _logistic(*zip(*said, strict=True), part.right_features)
            if part.right_features and len({label for _, label in said}) > 1
            else None
        ),
    )


def _is_right(sample: Sample) -> bool:
    """Tell whether what is said is right; nothing is where the document does not answer."""
    said = sample.said
    return bool(said) and right_answer(said.text, sample.answers, said.cited, sample.gold_sets)


def _calibration(part: Part) -> Calibration:
    """Return what is known of a part before it is fitted: what it may ask."""
    nothing = Logistic({}, 0.0)
    return Calibration(
        nothing,
        nothing,
        threshold=0.5,
        also=1.0,
        probes=part.probes,
        sure_probe=part.sure,
        fitted={},
        most_probes=part.most,
        yes_probe=part.yes,
        least_probe=part.least,
        nearest=part.nearest,
        cover=part.cover,
    )


def _scored(candidates: Sequence[Candidate], model: Logistic) -> list[Candidate]:
    return [replace(c, probability=model(sentence_features(c, candidates))) for c in candidates]


def _logistic(
    rows: Sequence[dict[str, float]], labels: Sequence[bool], names: Sequence[str]
) -> Logistic:
    values = np.array([[row[name] for name in names] for row in rows])
    model = LogisticRegression(C=1.0, max_iter=1000, class_weight=None).fit(values, labels)
    weights = {name: round(float(w), 4) for name, w in zip(names, model.coef_[0], strict=True)}
    return Logistic(weights, round(float(model.intercept_[0]), 4))


def cross_fit(
    samples: Sequence[Sample], fit: Callable[[Sequence[Sample]], Calibration]
) -> list[tuple[Sample, Calibration]]:
    """Pair every sample with a fit on the other folds; a document is wholly in one fold."""
    documents = sorted({_origin(sample) for sample in samples})
    fold_of = {document: place % _FOLDS for place, document in enumerate(documents)}
    pairs = []
    for fold in range(_FOLDS):
        inside = [sample for sample in samples if fold_of[_origin(sample)] == fold]
        rest = [sample for sample in samples if fold_of[_origin(sample)] != fold]
        if inside and rest:
            calibration = fit(rest)
            pairs.extend((sample, calibration) for sample in inside)
    return pairs


def _origin(sample: Sample) -> str:
    return sample.document.partition(" (without")[0]


def outcome(sample: Sample, calibration: Calibration) -> Outcome:
    """Replay one sample under a calibration."""
    always = replace(calibration, threshold=0.0, hopeless=0.0)
    selection = decide(sample.question, sample.candidates, always, sample.overall)
    spans = _cited_spans(sample, selection, always)
    first = selection.confidence
    asked = calibration.writer is None or first >= calibration.hopeless
    tried = asked and bool(selection.chosen)  # nothing is chosen where nothing is near
    confidence = heard(selection, always, sample.write).confidence if tried else first
    sure = _certainty(sample, replace(selection, confidence=confidence), calibration)
    return Outcome(
        sample,
        confidence,
        citation_scores(spans, sample.gold_sets)[2] if sample.gold_sets else 0.0,
        sum(c.probe is not None for c in sample.candidates),
        tried and confidence >= calibration.threshold and sure >= calibration.least_certainty,
        first,
        sure,
        _is_right(sample),
    )


def _certainty(sample: Sample, selection: Selection, calibration: Calibration) -> float:
    if calibration.right is None or not sample.said:
        return selection.confidence
    return selection.confidence * calibration.right(sample.said.features)


def _cited_spans(
    sample: Sample, selection: Selection, calibration: Calibration
) -> list[tuple[int, int]]:
    """Return what an answer would cite: what its draft points at, where there is one."""
    several = len(question_parts(sample.question)) > 1
    heeded = left_open(selection.candidates, sample.absent)
    sources = written_from(
        selection, sample.shown, calibration, sample.together, heeded=heeded, several=several
    )
    said = statements(sample.draft, ()) if sources else []
    if not said:
        return [(hit.sentence.start, hit.sentence.end) for hit in selection.chosen]
    needed = pointing(sample.asked, also=calibration.also, cover=calibration.cover)
    likely = {c.hit.sentence: c.probability for c in selection.candidates}
    given = [
        Citation(s.document, "", None, s.start, s.end, s.text, likely.get(s, 0.0))
        for s in (hit.sentence for hit in sources)
    ]
    cited = dict.fromkeys(one for text in said for one in needed(text, given))
    return [(one.start, one.end) for one in cited]


def best_threshold(outcomes: Sequence[Outcome]) -> float:
    """Return the cut with the least cost: each side's share of wrong decisions over what it may be.

    Of the unanswerable side, the mean over its kinds.

    :return: a cut from .05 to .95, the middle of those that are equally good but for a question.
    """
    decided = [_Decided(o.sample, o.confidence, 1.0) for o in outcomes]
    return _best_cut(decided, [float(cut) for cut in np.linspace(0.05, 0.95, 91)])


def best_certainty(outcomes: Sequence[Outcome]) -> float:
    """Return the certainty from which an answer is given that the threshold lets pass.

    By the same cost, but that what is not given costs no more than it was worth: its citation F1.

    :return: from 0 to .5.
    """
    decided = [
        _Decided(o.sample, o.certainty if o.answered else -1.0, o.citation_f1) for o in outcomes
    ]
    return _best_cut(decided, [float(cut) for cut in np.linspace(0.0, 0.5, 51)])


class _Decided(NamedTuple):
    """A question is answered where its value reaches the cut; what it costs if it is not."""

    sample: Sample
    value: float
    worth: float


def _best_cut(decided: Sequence[_Decided], cuts: Sequence[float]) -> float:
    """Return the middle one of the best of some cuts, which ascend.

    Those that refuse far too much are left out; what another cut refuses anyway counts there, too.
    """
    yes = [one for one in decided if one.sample.answerable]
    no: dict[str, list[float]] = defaultdict(list)
    for one in decided:
        if not one.sample.answerable:
            no[one.sample.kind].append(one.value)

    def cost(cut: float) -> float:
        answered = (
            mean([c >= cut for c in values]) / _ANSWERED_AT_MOST.get(kind, _OTHERS_ANSWERED_AT_MOST)
            for kind, values in no.items()
        )
        lost = mean([one.worth if one.value < cut else 0.0 for one in yes])
        return lost / _REFUSED_AT_MOST + mean(list(answered))

    most = _MOST_REFUSED * _REFUSED_AT_MOST
    cuts = [cut for cut in cuts if mean([one.value < cut for one in yes]) <= most] or cuts[:1]
    costs = [cost(cut) for cut in cuts]
    most_cost = min(costs) * _EQUALLY_GOOD + 1e-9
    near = [cut for cut, value in zip(cuts, costs, strict=True) if value <= most_cost]
    return round(near[len(near) // 2], 3)


def summary(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the figures that the choice of a policy is made by."""
    gold = [o for o in outcomes if o.sample.answerable]
    figures = {
        "citation_f1_always": mean([o.citation_f1 for o in gold]),
        "citation_f1": mean([o.citation_f1 if o.answered else 0.0 for o in gold]),
        "over_refusal": mean([float(not o.answered) for o in gold]),
        "auroc": auroc(
            [o.confidence for o in gold],
            [o.confidence for o in outcomes if not o.sample.answerable],
        ),
        "probes": mean([float(o.probes) for o in outcomes]),
    }
    said = [o for o in outcomes if o.answered and o.sample.said]
    if said:
        figures["right of what is said"] = mean([float(o.right) for o in said])
        figures["ece"] = ece([o.certainty for o in said], [o.right for o in said])
    for kind in sorted({o.sample.kind for o in outcomes}):
        side = [o for o in outcomes if o.sample.kind == kind]
        right = [float(o.answered == o.sample.answerable) for o in side]
        figures[f"right side: {kind}"] = mean(right)
    return {name: round(value, 3) for name, value in figures.items()}


_RIGHT = ("least", "quoted", "cited", "asked")
PARTS = (
    Part(
        "read",
        ("behind", "probe", "lag", "voted", "vote"),
        ("foremost", "together", "foreign", "unnamed", "undated", "absent"),
        (),
        _RIGHT,
        probes=1,
        sure=0.0,
        voting=True,
        most=4,
        yes=4.0,
        least=0.0,
        reading=True,
        cover=_COVER,
    ),
    Part(
        "read-alone",
        ("behind", "probe", "lag"),
        ("foremost", "together", "foreign", "unnamed", "undated"),
        (),
        _RIGHT,
        probes=1,
        sure=99.0,
        voting=False,
        most=4,
        yes=4.0,
        least=0.0,
        reading=True,
        cover=_COVER,
        also=_ALSO_UNFITTED,
    ),
    Part(
        "vote",
        ("score", "behind", "probe", "lag", "voted"),
        ("top_probe", "vote"),
        ("top_probe", "write", "length", "missing"),
        (),
        probes=2,
        sure=0.0,
        voting=True,
        most=3,
    ),
    Part(
        "probe",
        ("score", "behind", "probe", "lag"),
        ("top_probe",),
        ("top_probe", "write", "length", "missing"),
        (),
        probes=2,
        sure=99.0,
        voting=False,
        most=3,
    ),
    Part(
        "extractive",
        ("score", "behind"),
        ("score", "lexical", "cosine", "sure", "coverage", "missing"),
        (),
        (),
        probes=0,
        sure=99.0,
        voting=False,
    ),
)


def parts_for(names: Sequence[str] | None, *, reading: bool) -> list[Part]:
    """Return the parts that a model can fit, or those of them with these names.

    :param reading: whether the model was trained to read.
    :raises InputError: a name that is none of theirs.
    """
    parts = {part.name: part for part in PARTS if part.reading == reading or not part.probes}
    for name in names or ():
        if name not in parts:
            raise InputError(
                f"--parts {name}: this model fits {', '.join(parts)}; name one of them"
            )
    return [parts[name] for name in names or parts]


def usable(part: Part, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that a part can be fitted on.

    With votes, if it votes, and with every probe that it asks for.
    """
    voted = [s for s in samples if not part.voting or any(c.voted for c in s.candidates)]
    return [s for s in voted if not part.probes or _recorded(s, part)]


def _recorded(sample: Sample, part: Part) -> bool:
    recorded = {c.hit.sentence: c.probe for c in sample.candidates}
    asked = replayed(sample, part).candidates
    due = [c.hit.sentence for c in asked if c.probe is not None]
    return all(recorded[sentence] is not None for sentence in due)


def fit_part(part: Part, samples: Sequence[Sample]) -> tuple[Calibration, list[Outcome]]:
    """Fit one part; the cuts come from questions whose document was held out."""
    seen = [replayed(sample, part) for sample in samples if sample.candidates]

    pairs = cross_fit(seen, lambda some: fit_models(some, part))

    def held_out(**cuts: float) -> list[Outcome]:
        return [outcome(s, replace(c, **cuts)) for s, c in pairs]  # type: ignore[arg-type]

    outcomes = held_out()
    cuts = {"threshold": best_threshold(outcomes), "hopeless": _hopeless(outcomes)}
    cuts["also"] = part.also or _best_also({cut: _cited(held_out(also=cut)) for cut in _ALSO})
    if part.right_features:
        cuts["least_certainty"] = best_certainty(held_out(**cuts))
    return replace(fit_models(seen, part), **cuts), held_out(**cuts)  # type: ignore[arg-type]


def _best_also(cited: dict[float, float]) -> float:
    return max(cited, key=lambda cut: (cited[cut], cut))


def _hopeless(outcomes: Sequence[Outcome]) -> float:
    """Return the first confidence below which one answerable question in a hundred lies."""
    first = [o.first for o in outcomes if o.sample.answerable]
    return math.floor(float(np.quantile(first, _LOST_UNHEARD)) * 1000) / 1000


def _cited(outcomes: Sequence[Outcome]) -> float:
    return round(mean([o.citation_f1 for o in outcomes if o.sample.answerable]), 3)


def as_data(calibration: Calibration, fitted: dict[str, object]) -> dict[str, object]:
    """Return a part as it is stored in ``evidence.json``."""
    models = {name: getattr(calibration, name) for name in ("sentence", "answerable", "right")}
    cuts = ("threshold", "also", "probes", "sure_probe", "most_probes", "yes_probe", "least_probe")
    if calibration.writer:
        models["writer"], cuts = calibration.writer, (*cuts, "hopeless")
    return {
        "fitted": fitted,
        **{
            name: {"weights": dict(model.weights), "intercept": model.intercept}
            for name, model in models.items()
            if model
        },
        **{
            name: getattr(calibration, name)
            for name in (*cuts, "nearest", "cover", "least_certainty")
        },
    }
