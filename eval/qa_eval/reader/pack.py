"""Rows → token arrays: a passage is read once, and each of its questions branches off from it.

A branch sees the passage and itself, at the positions that it would have alone, so that a packed
row teaches exactly what its questions would teach one by one, for a third of the tokens.

Example: ``pack(row, encode).ids``, where ``encode`` turns text into token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qa.prompt import no_answer, read_prompt
from qa.types import Message
from qa_eval.reader.rows import Row

Encode = Callable[[str], list[int]]
# The first token says whether it answers: it weighs as much as this over the whole rest.
_FIRST_WEIGHT, _REST_WEIGHT = 1.0, 0.7
_END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Packed:
    """One row's tokens, each (n,), and its targets, each (m,).

    ``branches`` is 0 in the shared passage and k in the k-th question. Target j: at token
    ``at[j]`` the model is to say ``wanted[j]``, which weighs ``weights[j]``; ``firsts`` marks the
    first token of each answer.
    """

    ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    branches: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    wanted: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    firsts: npt.NDArray[np.bool_]


def pack(row: Row, encode: Encode) -> Packed:
    """Lay out one row: the rules and the passage, then every question with its answer."""
    head, _ = _parts(row, row.asked[0].question)
    ids = encode(head)
    shared = len(ids)
    positions, branches = list(range(shared)), [0] * shared
    targets: list[tuple[int, int, float, bool]] = []
    for number, asked in enumerate(row.asked, start=1):
        question = encode(_parts(row, asked.question)[1])
        answer = encode((asked.answer or f"{no_answer(row.language)}.") + _END)
        start = len(ids) + len(question) - 1
        for place, token in enumerate(answer):
            rest = _REST_WEIGHT / max(1, len(answer) - 1)
            weight = _FIRST_WEIGHT if place == 0 else rest
            targets.append((start + place, token, weight, place == 0))
        ids += question + answer
        positions += range(shared, shared + len(question) + len(answer))
        branches += [number] * (len(question) + len(answer))
    at, wanted, weights, firsts = zip(*targets, strict=True)
    return Packed(
        np.array(ids),
        np.array(positions),
        np.array(branches),
        np.array(at),
        np.array(wanted),
        np.array(weights, np.float32),
        np.array(firsts),
    )


def visible(packs: Sequence[Packed]) -> npt.NDArray[np.bool_]:
    """Return (n, n) bool over the joined rows: whether token i sees token j."""
    branches = np.concatenate([one.branches for one in packs])
    rows = np.repeat(np.arange(len(packs)), [len(one.ids) for one in packs])
    order = np.arange(len(branches))
    same_branch = (branches[None] == 0) | (branches[None] == branches[:, None])
    seen: npt.NDArray[np.bool_] = (
        (rows[:, None] == rows[None]) & (order[:, None] >= order[None]) & same_branch
    )
    return seen


def _parts(row: Row, question: str) -> tuple[str, str]:
    """Return the rendered prompt, cut before the question: the beginning is shared."""
    system, user = read_prompt(question, [row.text], row.language).messages
    shared, _, label = user.content[: -len(question)].rpartition("\n")
    return (
        f"{_turn(system)}<|im_start|>user\n{shared}\n",
        f"{label}{question}{_END}\n<|im_start|>assistant\n",
    )


def _turn(message: Message) -> str:
    return f"<|im_start|>{message.role}\n{message.content}{_END}\n"
