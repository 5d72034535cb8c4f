"""A beginning and its branches → token arrays: it is read once, and each question branches off.

A branch sees the beginning and itself, at the positions that it would have alone, so that a packed
row teaches exactly what its questions would teach one by one, for a third of the tokens.

Example: ``lay_out(rules_and_passage, [(question, answer)], encode).ids``, where ``encode`` turns
text into token ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qa.types import Message

Encode = Callable[[str], list[int]]
# The first token says whether it answers: it weighs as much as this over the whole rest.
_FIRST_WEIGHT, _REST_WEIGHT = 1.0, 0.7
END = "<|im_end|>"


@dataclass(frozen=True, slots=True)
class Avoided:
    """What is not to be said: of an answer that nobody wrote down, its first token is no other."""

    text: str


@dataclass(frozen=True, slots=True)
class Packed:
    """One row's tokens, each (n,), and its targets, each (m,).

    ``branches`` is 0 in the shared beginning and k in the k-th question. Target j: at token
    ``at[j]`` the model is to say ``wanted[j]``, which weighs ``weights[j]``, or anything else where
    it is ``avoided``; ``firsts`` marks the first token of each answer.
    """

    ids: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    branches: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    wanted: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    firsts: npt.NDArray[np.bool_]
    avoided: npt.NDArray[np.bool_]


def lay_out(beginning: str, asked: Sequence[tuple[str, str | Avoided]], encode: Encode) -> Packed:
    """Lay out one row.

    :param beginning: the rendered prompt up to where the questions differ.
    :param asked: the rest of each prompt, and what is to be answered, its end included.
    """
    ids = encode(beginning)
    shared = len(ids)
    positions, branches = list(range(shared)), [0] * shared
    targets: list[tuple[int, int, float, bool, bool]] = []
    for number, (question, answer) in enumerate(asked, start=1):
        own = encode(question)
        start = len(ids) + len(own) - 1
        wanted = [] if isinstance(answer, Avoided) else encode(answer)
        if isinstance(answer, Avoided):
            targets.append((start, encode(answer.text)[0], _FIRST_WEIGHT, True, True))
        for place, token in enumerate(wanted):
            rest = _REST_WEIGHT / max(1, len(wanted) - 1)
            weight = _FIRST_WEIGHT if place == 0 else rest
            targets.append((start + place, token, weight, place == 0, False))
        ids += own + wanted
        positions += range(shared, shared + len(own) + len(wanted))
        branches += [number] * (len(own) + len(wanted))
    at, tokens, weights, firsts, avoided = zip(*targets, strict=True)
    return Packed(
        np.array(ids),
        np.array(positions),
        np.array(branches),
        np.array(at),
        np.array(tokens),
        np.array(weights, np.float32),
        np.array(firsts),
        np.array(avoided),
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


def turn(message: Message) -> str:
    """Return a message as the model's template renders it."""
    return f"<|im_start|>{message.role}\n{message.content}{END}\n"
