"""The swap test: a statement shown beside sentences that do not prove it must be flagged.

Each statement that was shown as written gets other sentences of the same document, drawn at random,
in place of its own; the check that answers go through is then asked again. What it still lets
pass is a citation that it could not have caught.

Example: ``swap_values(prediction, texts, encoder)["swapped_flagged"]`` is 2.0.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from qa.check import check_statement
from qa.embed import Encoder
from qa.sentences import split_sentences
from qa.types import Citation, Document
from qa_eval.predictions import Prediction, Said


def swap_values(
    prediction: Prediction, texts: Mapping[str, str], encoder: Encoder
) -> dict[str, float]:
    """Return how many statements were given wrong sentences, and how many of them were flagged.

    :param texts: canonical text by document id.
    :return: nothing when no statement could be swapped.
    """
    draw = random.Random(prediction.id)  # the same sentences in every run
    tried = flagged = 0
    for said in prediction.statements:
        wrong = _others(said, texts, draw)
        if said.support == "quoted" or not wrong:
            continue
        tried += 1
        flagged += check_statement(said.text, wrong, encoder).support == "quoted"
    return {"swapped": float(tried), "swapped_flagged": float(flagged)} if tried else {}


def _others(said: Said, texts: Mapping[str, str], draw: random.Random) -> tuple[Citation, ...]:
    """Draw as many sentences as are cited, none of them cited; nothing if there are too few."""
    if not said.citations:
        return ()
    name = said.citations[0].document
    own = {(c.start, c.end) for c in said.citations}
    rest = [
        sentence
        for sentence in split_sentences(Document(name, name, texts[name]))
        if not sentence.heading and (sentence.start, sentence.end) not in own
    ]
    if len(rest) < len(own):
        return ()
    return tuple(
        Citation(name, name, None, s.start, s.end, s.text, 0.0) for s in draw.sample(rest, len(own))
    )
