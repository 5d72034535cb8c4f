"""Judges collected candidates anew with another adapter, on the unpacked weights.

``qa eval --collect`` asks llama.cpp with the packaged reader. A reader that was just trained is
weighed against it on the same candidates, without asking for the rest again: every candidate that
was read is read by the new one, by itself and together, all questions about one text in one go.

Example: ``judge(load_samples(path), texts, model, encode, decode, print)``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from qa.errors import InputError
from qa.passages import passage
from qa.prompt import Language
from qa.sentences import split_sentences
from qa.types import Document, TokenLogprob
from qa.witnesses import answer_odds
from qa.words import language
from qa_eval.adapters.pack import Encode
from qa_eval.adapters.train import logits
from qa_eval.features import Reading, Sample
from qa_eval.reader.pack import pack
from qa_eval.reader.rows import Asked, Row

# As many of the likeliest tokens as the running pipeline hears of.
_TOP = 20
_MOST_QUESTIONS = 8

Decode = Callable[[int], str]


def judge(
    samples: Sequence[Sample],
    texts: Mapping[str, str],
    model: Any,  # noqa: ANN401 (any causal model)
    encode: Encode,
    decode: Decode,
    note: Callable[[str], None],
) -> dict[Reading, float]:
    """Read every candidate that was read, and the best together; return log P(answer)/P(refusal).

    :param texts: the documents' by name.
    :param model: with the adapter attached.
    :raises InputError: a sample's document is not among the texts.
    """
    missing = sorted({sample.document for sample in samples} - texts.keys())
    if missing:
        raise InputError(f"no text of {missing[0]!r}, about which features were collected")
    asked = _by_text(samples, texts)
    odds: dict[Reading, float] = {}
    for place, ((text, spoken), group) in enumerate(asked.items(), start=1):
        for start in range(0, len(group), _MOST_QUESTIONS):
            some = group[start : start + _MOST_QUESTIONS]
            row = Row(spoken, text, tuple(Asked(sample.asked, None) for sample, _ in some))
            for (sample, read), value in zip(some, _odds(row, model, encode, decode), strict=True):
                odds[sample.id, read] = value
        if place % 100 == 0:
            note(f"{place} of {len(asked)} texts")
    return odds


def _by_text(
    samples: Sequence[Sample], texts: Mapping[str, str]
) -> dict[tuple[str, Language], list[tuple[Sample, tuple[int, ...]]]]:
    """Group what was read by its text and the prompt's language."""
    sentences = {name: split_sentences(Document(name, name, text)) for name, text in texts.items()}
    asked: dict[tuple[str, Language], list[tuple[Sample, tuple[int, ...]]]] = defaultdict(list)
    for sample in samples:
        every = sentences[sample.document]
        for read in sample.readings():
            shown = [every[index] for index in read]
            lines = (" ".join(passage(sentence, every, shown).split()) for sentence in shown)
            asked["\n".join(lines), language(sample.asked)].append((sample, read))
    return asked


def _odds(row: Row, model: Any, encode: Encode, decode: Decode) -> Iterator[float]:  # noqa: ANN401
    """Yield log P(answer)/P(refusal) of each question of a row."""
    packed = pack(row, encode)
    with torch.inference_mode():
        said = logits(model, packed, packed.at[packed.firsts])
        likely = torch.log_softmax(said, dim=-1).topk(_TOP)
    for values, tokens in zip(likely.values.tolist(), likely.indices.tolist(), strict=True):
        top = [
            TokenLogprob(decode(token), value) for token, value in zip(tokens, values, strict=True)
        ]
        yield answer_odds(top, "", row.language)
