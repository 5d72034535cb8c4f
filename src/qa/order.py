"""The order in which sentences are read: how likely each is to hold the answer, unread.

Retrieval's fused score treats words and meaning alike. A model fitted on questions of a crowd
weighs them anew, and knows that a sentence which merely repeats the question says nothing new. Its
weights are data (``data/order.json``); ``python -m qa_eval.order`` fits them.

Example: ``in_order("Où est Bagdad ?", hits, encoder.id)[0].rank`` is 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Final

from qa.types import Hit
from qa.words import stems

# Hits that are put in order; those behind stay behind.
ORDERED: Final = 24


def order_features(question: str, hits: Sequence[Hit]) -> list[dict[str, float]]:
    """Return what the model sees of each hit.

    ``dense`` is its cosine, ``lexical`` its BM25 score as a share of the best one's, ``new`` the
    logarithm of one more than how many stems it has that the question has not.
    """
    asked = set(stems(question))
    best = max((hit.lexical for hit in hits), default=0.0) or 1.0
    return [
        {
            "dense": hit.dense,
            "lexical": hit.lexical / best,
            "new": math.log1p(len(set(stems(hit.sentence.text)) - asked)),
        }
        for hit in hits
    ]


def in_order(question: str, hits: Sequence[Hit], encoder: str) -> tuple[Hit, ...]:
    """Put the best hits in the order in which they are to be read.

    Only ranks change: the evidence models were fitted on the scores of retrieval.

    :param encoder: the id of the one that the hits were found with; where the order was fitted with
        another one, whose cosines spread differently, the hits stay as they are.
    """
    fitted_with, weights = _fitted()
    if encoder != fitted_with:
        return tuple(hits)
    best = hits[:ORDERED]
    scores = [
        sum(weight * features[name] for name, weight in weights.items())
        for features in order_features(question, best)
    ]
    order = sorted(zip(scores, best, strict=True), key=lambda pair: (-pair[0], pair[1].rank))
    ranked = [*(hit for _, hit in order), *hits[ORDERED:]]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(ranked, start=1))


@cache
def _fitted() -> tuple[str, Mapping[str, float]]:
    """Return the id of the encoder, and the weights."""
    data = json.loads((files("qa") / "data" / "order.json").read_text(encoding="utf-8"))
    return data["fitted"]["encoder"], data["weights"]
