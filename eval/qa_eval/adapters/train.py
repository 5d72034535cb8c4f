"""The training loop: packed rows in, an adapter out; about an hour on two cores without a GPU.

The base weights are those of the GGUF file, unpacked from their 4 bits, so that the adapter learns
on what it will sit on. It needs the extra ``train``.

Example: ``train(model, batches(packs, 1000), Recipe(steps=200), print)``.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from qa_eval.adapters.lora import Adapted, Shape, attach, load_gguf, without
from qa_eval.adapters.pack import Encode, Packed, visible

T = TypeVar("T")

_KEEP_EVERY = 50
_SUREST = 0.9999  # of an avoided token: what it costs stays finite
SHAPE = Shape(rank=8, alpha=16, first_layer=8)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training is: AdamW, a short warm-up, then a cosine down to a twentieth."""

    steps: int
    rate: float = 3e-4
    warm_up_steps: int = 15
    decay: float = 0.01
    clip: float = 1.0
    shape: Shape = SHAPE
    seed: int = 1


def load_base(gguf: Path) -> tuple[Any, Encode, Callable[[int], str]]:
    """Return the model in bfloat16, its weights unpacked; text → tokens, and a token's text."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = str(gguf.parent), gguf.name
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    packed = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.bfloat16)
    config = type(packed.config)(
        **{k: v for k, v in packed.config.to_dict().items() if k != "quantization_config"}
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(packed.state_dict())

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    return model, encode, lambda token: str(tokenizer.decode([token]))


def train(
    model: Any,  # noqa: ANN401 (any causal model)
    batches: Iterator[list[Packed]],
    recipe: Recipe,
    note: Callable[[str], None],
    start: Path | None = None,
    keep: Callable[[dict[str, Adapted]], None] = lambda adapters: None,
    *,
    inside: bool = True,
) -> dict[str, Adapted]:
    """Train adapters and return them, by llama.cpp's name of the tensor.

    :param batches: the packed rows of each step.
    :param note: is told the loss and the speed.
    :param start: an adapter's file to go on from.
    :param keep: is given the adapters after every 50 steps.
    :param inside: adapt what the questions of a row share, too; else it is read without adapters.
    """
    torch.manual_seed(recipe.seed)
    adapters = attach(model, recipe.shape)
    if start is not None:
        load_gguf(adapters, start)
    parameters = [p for adapted in adapters.values() for p in (adapted.a, adapted.b)]
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98)
    )
    outside = () if inside else tuple(adapters.values())
    started, read = time.monotonic(), 0
    for step, packs in enumerate(itertools.islice(batches, recipe.steps)):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _pace(step, recipe)
        answers = sum(int(one.firsts.sum()) for one in packs)
        loss = 0.0
        for one in packs:
            part = _loss(model, one, outside) / answers
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimiser.step()
        optimiser.zero_grad()
        read += sum(len(one.ids) for one in packs)
        speed = read / (time.monotonic() - started)
        note(f"step {step + 1} of {recipe.steps}: loss {loss:.3f}, {speed:.0f} tokens/s")
        if (step + 1) % _KEEP_EVERY == 0:
            keep(adapters)
    return adapters


def logits(
    model: Any,  # noqa: ANN401 (any causal model)
    packed: Packed,
    at: npt.NDArray[np.int64],
    outside: Sequence[Adapted] = (),
) -> torch.Tensor:
    """Return what the model would say after the tokens ``at`` of one row: (len(at), vocabulary).

    :param outside: adapters that are not applied to what the row's questions share.
    """
    ids, places = torch.from_numpy(packed.ids)[None], torch.from_numpy(packed.positions)[None]
    seen = torch.from_numpy(visible([packed]))
    mask = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, -1e9)[None, None]
    cache, shared = None, 0
    if outside:
        shared = int((packed.branches == 0).sum())
        with torch.no_grad(), without(outside):
            cache = model.model(input_ids=ids[:, :shared], use_cache=True).past_key_values
    hidden = model.model(
        input_ids=ids[:, shared:],
        position_ids=places[:, shared:],
        attention_mask=mask[:, :, shared:],
        past_key_values=cache,
        use_cache=cache is not None,
    ).last_hidden_state[0, torch.from_numpy(at - shared)]
    said: torch.Tensor = model.lm_head(hidden).float()
    return said


def _loss(model: Any, packed: Packed, outside: Sequence[Adapted]) -> torch.Tensor:  # noqa: ANN401
    """Return Σ weight · −log p of one row; p: the token's chance, or that of any but an avoided."""
    said = logits(model, packed, packed.at, outside)
    wanted, avoided = torch.from_numpy(packed.wanted), torch.from_numpy(packed.avoided)
    losses = functional.cross_entropy(said, wanted, reduction="none")
    others = -torch.log1p(-torch.exp(-losses).clamp(max=_SUREST))
    losses = torch.where(avoided, others, losses)
    return (losses * torch.from_numpy(packed.weights)).sum()


def mixed(
    written: Callable[[], Sequence[T]],
    crowd: Callable[[], Sequence[T]],
    share: float,
    draw: random.Random,
) -> Iterator[T]:
    """Yield rows of two sources for ever, each of a source's once before it is made anew.

    :param written: makes the rows that were written for it.
    :param crowd: makes those of a SQuAD file; none at all: the written ones alone.
    :param share: of the written ones.
    """

    def rounds(make: Callable[[], Sequence[T]]) -> Iterator[T]:
        while True:
            rows = make()
            if not rows:
                return
            yield from draw.sample(rows, len(rows))

    own, others = rounds(written), rounds(crowd)
    waiting = next(others, None)
    while True:
        if waiting is None or draw.random() < share:
            yield next(own)
        else:
            yield waiting
            waiting = next(others)


def batches(packs: Iterator[Packed], tokens: int) -> Iterator[list[Packed]]:
    """Yield packed rows enough for one step each: of so many tokens together."""
    while True:
        batch: list[Packed] = []
        while sum(len(one.ids) for one in batch) < tokens:
            batch.append(next(packs))
        yield batch


def _pace(step: int, recipe: Recipe) -> float:
    rising = min(1.0, (step + 1) / recipe.warm_up_steps)
    falling = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return rising * (0.05 + 0.95 * falling)
