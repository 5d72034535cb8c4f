"""Runs a question set through the assistant and writes what it answered and how well.

Each prediction is appended as it is made, so an interrupted run goes on where it stopped. It
measures what people get: the same ``Assistant.stream`` as the chat.

Example: ``run_items(assistant, items, Path("eval/results/dev"), single=True)``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from qa import Assistant
from qa.types import Answer, Piece, Statement
from qa_eval.data import Item
from qa_eval.metrics import (
    auroc,
    citation_scores,
    containment,
    ece,
    exact,
    interval,
    mean,
    token_f1,
)

Row = dict[str, object]


def run_items(
    assistant: Assistant,
    items: Sequence[Item],
    out: Path,
    *,
    single: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Ask every question that ``out/predictions.jsonl`` does not hold yet; return all predictions.

    :param single: ask each question on its own document only.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "predictions.jsonl"
    done = read_predictions(path)
    with path.open("a", encoding="utf-8") as file:
        for place, item in enumerate(items, start=1):
            if item.id in done:
                continue
            row = predict(assistant, item, single=single)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            done[item.id] = row
            if progress:
                verdict = "answered" if row["answered"] else "abstained"
                progress(f"{place}/{len(items)} {item.id}: {verdict} in {row['latency_s']:.1f} s")
    return [done[item.id] for item in items]


def read_predictions(path: Path) -> dict[str, Row]:
    """Return the predictions made so far, by id; a last line cut by an interruption is left out."""
    rows: dict[str, Row] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            rows[row["id"]] = row
    return rows


def predict(assistant: Assistant, item: Item, *, single: bool) -> Row:
    """Ask one question and return its prediction, with whether every pointer is valid."""
    started = time.perf_counter()
    first = 0.0
    answer: Answer | None = None
    scope = [item.document] if single else None
    for event in assistant.stream(item.question, item.history, scope):
        if isinstance(event, (Piece, Statement)) and not first:
            first = time.perf_counter() - started
        if isinstance(event, Answer):
            answer = event
    if answer is None:
        raise RuntimeError(f"{item.id}: the stream ended without an answer")
    valid = all(
        assistant.document(c.document).text[c.start : c.end] == c.text
        for c in (*answer.citations, *answer.nearest, *answer.considered)
    )
    return {
        "id": item.id,
        "question": item.question,
        "answered": answer.answered,
        "text": answer.text,
        "citations": [
            {"document": c.document, "start": c.start, "end": c.end} for c in answer.citations
        ],
        "confidence": answer.confidence,
        "latency_s": round(time.perf_counter() - started, 3),
        "first_token_s": round(first, 3),
        "computed_tokens": answer.usage.computed_tokens,
        "generated_tokens": answer.usage.generated_tokens,
        "pointers_valid": valid,
        "statements": [
            {"text": s.text, "support": s.support, "citations": len(s.citations)}
            for s in answer.statements
        ],
        "standalone": answer.question,
        "considered": [[c.start, c.end, c.score] for c in answer.considered],
        "notices": list(answer.notices),
    }


def score(items: Sequence[Item], rows: Iterable[Row]) -> dict[str, object]:
    """Return the run's figures: means with 95 % intervals, and the counts behind them."""
    pairs = list(zip(items, rows, strict=True))
    gold = [(item, row) for item, row in pairs if item.has_gold]
    refusable = [(item, row) for item, row in pairs if item.unanswerable]
    per_item: dict[str, list[tuple[str, float]]] = {}
    for item, row in gold:
        text = str(row["text"]) if row["answered"] else ""
        cited = [(c["start"], c["end"]) for c in row["citations"]]  # type: ignore[attr-defined]
        precision, recall, f1 = citation_scores(cited, item.evidence)
        values = {
            "citation_precision": precision,
            "citation_recall": recall,
            "citation_f1": f1,
            "containment": containment(text, item.answers),
            "token_f1": token_f1(text, item.answers),
            "exact_match": exact(text, item.answers),
            "over_refusal": float(not row["answered"]),
        }
        for name, value in values.items():
            per_item.setdefault(name, []).append((item.document, value))
        if item.kind == "followup":
            per_item.setdefault("followup_citation_f1", []).append((item.document, f1))
        if "multi" in item.tags:
            per_item.setdefault("multi_citation_f1", []).append((item.document, f1))
    for item, row in refusable:
        kind = item.kind.partition(":")[2].replace("-", "_")
        per_item.setdefault(f"refused_{kind}", []).append(
            (item.document, float(not row["answered"]))
        )
    figures: dict[str, object] = {name: _figure(values) for name, values in per_item.items()}
    figures.update(_whole(gold, refusable))
    figures.update(_costs([row for _, row in pairs]))
    return figures


def _figure(values: Sequence[tuple[str, float]]) -> dict[str, float]:
    by_document: dict[str, list[float]] = {}
    for document, value in values:
        by_document.setdefault(document, []).append(value)
    low, high = interval(by_document)
    return {"mean": mean([v for _, v in values]), "low": low, "high": high, "n": len(values)}


def _whole(
    gold: Sequence[tuple[Item, Row]], refusable: Sequence[tuple[Item, Row]]
) -> dict[str, object]:
    confidence = [float(row["confidence"]) for _, row in (*gold, *refusable)]  # type: ignore[arg-type]
    answerable = [True] * len(gold) + [False] * len(refusable)
    return {
        "auroc": auroc(confidence[: len(gold)], confidence[len(gold) :]),
        "ece": ece(confidence, answerable),
        "pointer_validity": mean(
            [float(bool(row["pointers_valid"])) for _, row in (*gold, *refusable)]
        ),
        "coverage": mean(
            [
                float(all(s["citations"] for s in row["statements"]))  # type: ignore[attr-defined]
                for _, row in (*gold, *refusable)
                if row["answered"]
            ]
        ),
    }


def _costs(rows: Sequence[Row]) -> dict[str, object]:
    def median(name: str) -> float:
        values = sorted(float(row[name]) for row in rows)  # type: ignore[arg-type]
        return values[len(values) // 2] if values else float("nan")

    return {
        "median_computed_tokens": median("computed_tokens"),
        "median_generated_tokens": median("generated_tokens"),
        "median_latency_s": median("latency_s"),
    }


def wrong(items: Sequence[Item], rows: Sequence[Row]) -> list[Row]:
    """Return the predictions to look at: gold missed, a wrong refusal, or a wrong answer."""
    listed = []
    for item, row in zip(items, rows, strict=True):
        cited = [(c["start"], c["end"]) for c in row["citations"]]  # type: ignore[attr-defined]
        bad = (
            bool(row["answered"])
            if item.unanswerable
            else item.has_gold and citation_scores(cited, item.evidence)[2] < 1
        )
        if bad:
            listed.append(
                {**row, "kind": item.kind, "answers": list(item.answers), "item": asdict(item)}
            )
    return listed
