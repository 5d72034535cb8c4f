"""What each question is worth: one value a measure, left out where it does not apply.

Values of a question are sums or shares that :mod:`qa_eval.figures` averages; they are written to
``scores.jsonl``, from which two runs are compared. Nothing here asks a model.

Example: ``score_items(items, predictions, texts)[0].values["citation_f1"]``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from qa.errors import InputError
from qa.sentences import split_sentences
from qa.types import Document
from qa_eval.answers import containment, exact, token_f1
from qa_eval.data import Item
from qa_eval.judge import Judge, names_hold, numbers_hold
from qa_eval.metrics import S, best_set, citation_scores, sufficient
from qa_eval.predictions import Pointer, Prediction
from qa_eval.retrieval import rank_scores

SCORES = "scores.jsonl"
# An answer is right when it holds this much of an accepted one and cites a whole gold set.
_RIGHT = 0.8
_OVERVIEW_STATEMENTS = range(3, 7)
_PARAGRAPHS_TOUCHED = 2 / 3
# What a question costs, in seconds, tokens and calls; how soon something is shown, of answers only.
COSTS = ("latency_s", "first_statement_s", "computed_tokens", "generated_tokens", "model_calls")


@dataclass(frozen=True, slots=True)
class Score:
    """One question's values by name; a missing name means that the measure does not apply."""

    id: str
    document: str
    kind: str
    tags: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


def score_items(
    items: Sequence[Item],
    predictions: Sequence[Prediction],
    texts: Mapping[str, str],
    judge: Judge | None = None,
) -> list[Score]:
    """Score every question.

    :param texts: canonical text by document id, of all documents that may be cited.
    :param judge: tells whether a text says a statement; None: by words.
    """
    judge = judge or Judge()
    values = [
        _values(item, prediction, texts, judge)
        for item, prediction in zip(items, predictions, strict=True)
    ]
    _add_retrieval(items, predictions, values)
    return [
        Score(item.id, item.document, item.kind, item.tags, held)
        for item, held in zip(items, values, strict=True)
    ]


def gold_sets(item: Item) -> list[list[Pointer]]:
    """Return the item's alternative gold sets as pointers."""
    return [[Pointer(item.document, *span) for span in gold] for gold in item.evidence]


def is_right(item: Item, prediction: Prediction) -> bool:
    """Tell whether an answerable question got a right answer and sufficient citations."""
    sets = gold_sets(item)
    return prediction.answered and right_answer(
        prediction.text, item.answers, prediction.citations, sets
    )


def right_answer(
    text: str, answers: Sequence[str], cited: Sequence[S], gold: Sequence[Sequence[S]]
) -> bool:
    """Tell whether a text holds enough of an accepted answer, and a whole gold set is cited."""
    return containment(text, answers) >= _RIGHT and sufficient(cited, gold)


def _values(
    item: Item, prediction: Prediction, texts: Mapping[str, str], judge: Judge
) -> dict[str, float]:
    values: dict[str, float] = {
        "before": prediction.before.all,
        "before_valid": prediction.before.valid,
        "after": prediction.after.all,
        "after_valid": prediction.after.valid,
        "latency_s": prediction.latency_s,
        "computed_tokens": prediction.computed_tokens,
        "generated_tokens": prediction.generated_tokens,
        "model_calls": prediction.calls,
        "refused": not prediction.answered,
    }
    if prediction.answered and prediction.first_token_s:
        values["first_statement_s"] = prediction.first_token_s
    if prediction.answered:
        values |= _statements(prediction, texts, judge)
    if item.kind == "overview":
        values |= _overview(prediction, texts[item.document], judge)
    elif item.unanswerable:
        # Answering is wrong, and where a refusal stands there is no right answer to count.
        values |= {"right": 0.0, "overall": float(not prediction.answered)}
        if prediction.answered:
            values["right_answered"] = 0.0
    else:
        values |= _gold(item, prediction)
    if item.kind != "overview":
        values["unanswerable"] = float(item.unanswerable)
        values["answerable"] = float(not item.unanswerable)
        values["confidence"] = prediction.confidence
        told = prediction.answerable
        values["decided_by"] = prediction.confidence if told is None else told
    if item.unanswerable:
        values[f"refused_{item.kind.partition(':')[2].replace('-', '_')}"] = values["refused"]
    return {name: float(value) for name, value in values.items()}


def _gold(item: Item, prediction: Prediction) -> dict[str, float]:
    """Values of a question with gold evidence; a refusal is worth 0."""
    text = prediction.text if prediction.answered else ""
    cited = prediction.citations if prediction.answered else ()
    sets = gold_sets(item)
    precision, recall, f1 = citation_scores(cited, sets)
    best = best_set(cited, sets)
    correct = is_right(item, prediction)
    values: dict[str, float] = {
        "citation_precision": precision,
        "citation_recall": recall,
        "citation_f1": f1,
        "cited": len(set(cited)),
        "cited_right": len(set(cited) & set(best)),
        "gold": len(set(best)),
        "sufficient": sufficient(cited, sets),
        "exact_set": any(set(cited) == set(gold) for gold in sets),
        "containment": containment(text, item.answers),
        "token_f1": (said := token_f1(text, item.answers)),
        "overall": said,
        "exact_match": exact(text, item.answers),
        "token_f1_accents": token_f1(text, item.answers, accents=True),
        "exact_match_accents": exact(text, item.answers, accents=True),
        "over_refusal": not prediction.answered,
        "right": correct,
    }
    if prediction.answered:
        values |= {"citation_f1_answered": f1, "right_answered": correct}
    return values


def _statements(prediction: Prediction, texts: Mapping[str, str], judge: Judge) -> dict[str, float]:
    """Sums over the statements shown: cited, faithful, grounded, supported, quoted."""
    sums = dict.fromkeys(("cited", "numbers", "names", "grounded", "recall", "precision"), 0.0)
    for said in prediction.statements:
        cited = [texts[c.document][c.start : c.end] for c in said.citations]
        source = " ".join(cited)
        recall, precision = judge.support(said.text, cited)
        sums["cited"] += bool(cited)
        sums["numbers"] += numbers_hold(said.text, source)
        sums["names"] += names_hold(said.text, source)
        sums["grounded"] += recall or _grounded(said.text, prediction, texts, judge)
        sums["recall"] += recall
        sums["precision"] += precision
    quoted = sum(said.support == "quoted" for said in prediction.statements)
    counts = {"statements": len(prediction.statements) or 1.0, "statements_quoted": quoted}
    if prediction.draft:
        counts["statements_drafted"] = counts["statements"]
        counts["repaired"] = bool(quoted) or not set(prediction.citations) <= set(prediction.chosen)
    return {**counts, **{f"statements_{name}": value for name, value in sums.items()}}


def _grounded(
    statement: str, prediction: Prediction, texts: Mapping[str, str], judge: Judge
) -> bool:
    """Tell whether some sentence of a cited document says the statement."""
    documents = {c.document for c in prediction.citations}
    return any(
        judge.entails(sentence.text, statement)
        for name in documents
        for sentence in split_sentences(Document(name, name, texts[name]))
    )


def _overview(prediction: Prediction, text: str, judge: Judge) -> dict[str, float]:
    held = [said for said in prediction.statements if said.citations]
    supported = sum(
        judge.support(said.text, [text[c.start : c.end] for c in said.citations])[0]
        for said in held
    )
    touched = _touched(prediction.citations, text)
    values: dict[str, float] = {
        "overview_answered": prediction.answered,
        "overview_3_to_6": len(prediction.statements) in _OVERVIEW_STATEMENTS,
        "overview_paragraphs": touched,
        "overview_two_thirds": touched >= _PARAGRAPHS_TOUCHED - 1e-9,
    }
    if prediction.answered:
        values["overview_statements"] = len(prediction.statements)
        values["overview_supported"] = supported / len(held) if held else 0.0
        after = prediction.after
        values["overview_pointers"] = after.valid / after.all if after.all else 0.0
    return values


def _touched(cited: Sequence[Pointer], text: str) -> float:
    """Return the share of the paragraphs that hold a citation.

    A paragraph stands between blank lines, or is a line where there are none; what holds only
    headings is none.
    """
    blocks, at = [], 0
    separator = "\n\n" if "\n\n" in text else "\n"
    for block in text.split(separator):
        blocks.append((at, at + len(block)))
        at += len(block) + len(separator)
    sentences = [s for s in split_sentences(Document("", "", text)) if not s.heading]
    held = {
        block: {(s.start, s.end) for s in sentences if block[0] <= s.start < block[1]}
        for block in blocks
    }
    spans = {(c.start, c.end) for c in cited}
    touched = [bool(inside & spans) for inside in held.values() if inside]
    return sum(touched) / len(touched) if touched else 0.0


def _add_retrieval(
    items: Sequence[Item], predictions: Sequence[Prediction], values: Sequence[dict[str, float]]
) -> None:
    """Add the ranks of the gold sentences, where the system told what it retrieved."""
    places = [
        place for place, item in enumerate(items) if item.has_gold and predictions[place].retrieved
    ]
    golds = [gold_sets(items[place]) for place in places]
    used = rank_scores([predictions[place].retrieved for place in places], golds)
    raw = rank_scores([predictions[place].retrieved_raw for place in places], golds)
    for place, scores, scores_raw in zip(places, used, raw, strict=True):
        values[place].update(scores)
        if items[place].kind == "followup":
            values[place].update({f"{name} followup": scores[name] for name in ("R@5", "RR")})
            values[place].update({f"{name} raw": scores_raw[name] for name in ("R@5", "RR")})


def write_scores(path: Path, scores: Sequence[Score]) -> None:
    """Write one line a question."""
    lines = (json.dumps(asdict(score), ensure_ascii=False) for score in scores)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_scores(folder: Path) -> list[Score]:
    """Read a finished run's scores.

    :raises InputError: there are none, or they cannot be read.
    """
    path = folder / SCORES
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        rows = [json.loads(line) for line in lines]
        return [Score(**{**row, "tags": tuple(row["tags"])}) for row in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error!r}); give the folder of a finished "
            "`qa eval --out DIR`"
        ) from error
