"""Question → hits: dense and lexical search fused, best first, in a deterministic order.

It knows nothing of prompts or models. Headings are never found: they are not citable.

Example: ``retrieve("Où est Bagdad ?", store, encoder, top_k=8)[0].sentence.text``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from heapq import nlargest
from typing import Final

from qa.embed import Encoder
from qa.entail import Reranker
from qa.store import Scored, Store, Vectors, fuse, mean
from qa.types import Hit, Sentence
from qa.words import stems

# Up to this many sentences every one is scored, so that z-scores are those of the whole set.
_SCORE_ALL: Final = 2000
# Of a larger set, how many each search contributes.
_CANDIDATES: Final = 200
# Hits that a reranker reads, a pair each: four times what the evidence step considers.
_RERANKED: Final = 32
# Equal texts get equal scores whatever else is in the index; float noise is below this.
_DECIMALS: Final = 6


def retrieve(
    question: str,
    store: Store,
    encoder: Encoder,
    *,
    top_k: int,
    documents: Collection[str] | None = None,
    history_question: str | None = None,
) -> tuple[Hit, ...]:
    """Find the sentences that answer a question best.

    :param question: as it was asked.
    :param store: what is searched.
    :param encoder: the one that the store was made with.
    :param top_k: how many hits.
    :param documents: ids to search; None searches all.
    :param history_question: for a follow-up, the question before it: scores are then the mean of
        those of ``question`` and of both questions joined.
    :return: best first; nothing for an empty question or an empty store.
    """
    texts = [question] if question.strip() else []
    if texts and history_question and history_question.strip():
        texts.append(f"{history_question} {question}")
    if not texts or top_k <= 0 or not store.size(documents):
        return ()
    vectors = encoder.encode(texts, query=True)
    with store.reading():  # both searches and the texts of the hits are of one commit
        searches = [
            _Search(text, vector, store, documents)
            for text, vector in zip(texts, vectors, strict=True)
        ]
        return _best(searches, store, top_k)


def rerank(
    question: str,
    hits: Sequence[Hit],
    reranker: Reranker,
    text: Callable[[Sentence], str] = lambda sentence: sentence.text,
) -> tuple[Hit, ...]:
    """Put the best hits in a reranker's order; those behind stay behind.

    Only ranks change: the evidence models were fitted on the scores of retrieval.

    :param text: returns what a sentence is read with.
    :raises ModelUnavailable: the reranker cannot be loaded.
    """
    best = hits[:_RERANKED]
    scores = reranker.scores(question, [text(hit.sentence) for hit in best])
    order = sorted(zip(scores, best, strict=True), key=lambda pair: (-pair[0], pair[1].rank))
    ranked = [*(hit for _, hit in order), *hits[_RERANKED:]]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(ranked, start=1))


class _Search:
    """The scores of one question's text on one commit of the store."""

    def __init__(
        self, text: str, vector: Vectors, store: Store, documents: Collection[str] | None
    ) -> None:
        size = store.size(documents)
        top_k = size if size <= _SCORE_ALL else _CANDIDATES
        self.dense, self.lexical = store.search(vector, set(stems(text)), top_k, documents)
        self.fused = fuse(self.dense, self.lexical, size=size, top_k=top_k)


def _best(searches: list[_Search], store: Store, top_k: int) -> tuple[Hit, ...]:
    best = _leading(mean([search.fused for search in searches]), top_k)
    sentences = store.sentences_at(best)
    ranked = sorted(
        ((best[row], sentence, row) for row, sentence in sentences.items()),
        key=lambda found: (-found[0], found[1].document, found[1].index),
    )[:top_k]
    rows = [row for *_, row in ranked]
    dense = map(max, zip(*(search.dense.at(rows) for search in searches), strict=True))
    lexical = map(max, zip(*(search.lexical.at(rows) for search in searches), strict=True))
    return tuple(
        Hit(sentence, score, rank, dense=of_dense, lexical=of_lexical)
        for rank, ((score, sentence, _), of_dense, of_lexical) in enumerate(
            zip(ranked, dense, lexical, strict=True), start=1
        )
    )


def _leading(scored: Scored, top_k: int) -> dict[int, float]:
    """Return the rows of the best scores, rounded, and all that equal the last of them."""
    near = scored.leading(top_k, slack=10**-_DECIMALS)  # rounding moves no score by as much
    rounded = {row: round(score, _DECIMALS) for row, score in near}
    least = nlargest(top_k, rounded.values())[-1] if rounded else 0.0
    return {row: score for row, score in rounded.items() if score >= least}
