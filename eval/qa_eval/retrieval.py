"""How well the right sentences are found, before any model is asked.

The measures are those of ir_measures, by its names: ``R@k``, ``RR`` (its mean is MRR), ``nDCG@10``.

Example: ``rank_scores((a, b), [(b,)])["RR"]`` is 0.5.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

from qa import Assistant
from qa.order import ORDERED, in_order
from qa.retrieve import retrieve
from qa_eval.predictions import Pointer
from qa_eval.run import Search

DEPTH = 10
NAMES = ("R@1", "R@3", "R@5", "R@10", "RR", "nDCG@10")
S = TypeVar("S", bound=Hashable)


def searcher(assistant: Assistant) -> Search:
    """Return the pipeline's own search over the assistant's store, in its reading order."""
    parts = assistant.resources()

    def search(
        question: str, previous: str | None, documents: Collection[str] | None
    ) -> tuple[Pointer, ...]:
        hits = retrieve(
            question,
            parts.store,
            parts.encoder,
            top_k=ORDERED,
            documents=documents,
            history_question=previous,
        )
        asked = f"{previous} {question}" if previous else question
        hits = in_order(asked, hits, parts.encoder.id)[:DEPTH]
        return tuple(Pointer(h.sentence.document, h.sentence.start, h.sentence.end) for h in hits)

    return search


def rank_scores(
    rankings: Sequence[Sequence[S]], golds: Sequence[Sequence[Sequence[S]]]
) -> list[dict[str, float]]:
    """Return the measures of each ranking; of alternative gold sets the best-placed one counts.

    ``all@k`` is 1 when the whole set is among the first k. What is not found counts 0.

    :param rankings: sentences, best first, of each question.
    :param golds: the alternative gold sets of each question, at least one.
    """
    import ir_measures

    qrels: list[object] = []
    run: list[object] = []
    for place, (ranking, sets) in enumerate(zip(rankings, golds, strict=True)):
        ids = {sentence: str(rank) for rank, sentence in enumerate(ranking)}
        for number, sentence in enumerate(_best_placed(ranking, sets)):
            qrels.append(ir_measures.Qrel(str(place), ids.get(sentence, f"lost{number}"), 1))
        scored = (ir_measures.ScoredDoc(str(place), ids[s], -float(ids[s])) for s in ranking)
        run.extend(scored)
    measures = [ir_measures.parse_measure(name) for name in NAMES]
    found: list[dict[str, float]] = [{} for _ in rankings]
    for metric in ir_measures.iter_calc(measures, qrels, run):
        found[int(metric.query_id)][str(metric.measure)] = float(metric.value)
    for scores in found:
        for k in (1, 3, 5, 10):
            scores[f"all@{k}"] = float(scores[f"R@{k}"] >= 1 - 1e-9)
    return found


def _best_placed(ranking: Sequence[S], sets: Sequence[Sequence[S]]) -> Sequence[S]:
    ranks = {sentence: rank for rank, sentence in enumerate(ranking)}
    return min(sets, key=lambda gold: sorted(ranks.get(s, len(ranking)) for s in gold)[::-1])
