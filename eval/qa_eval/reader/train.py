"""The training loop: rows in, an adapter out; on two cores of a plain processor about an hour.

The base weights are those of the GGUF file, unpacked from their 4 bits, so that the adapter learns
on what it will sit on. It needs the extra ``train``.

Example: ``train(model, encode, written, crowd, Recipe(steps=200), print)``.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from qa_eval.reader.lora import Adapted, Shape, attach, load_gguf
from qa_eval.reader.pack import Encode, Packed, pack, visible
from qa_eval.reader.rows import Row, shuffled

_KEEP_EVERY = 50
SHAPE = Shape(rank=8, alpha=16, first_layer=8)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a training is: AdamW, a short warm-up, then a cosine down to a twentieth."""

    steps: int
    step_tokens: int = 1000
    rate: float = 3e-4
    warm_up_steps: int = 15
    decay: float = 0.01
    clip: float = 1.0
    written_share: float = 0.62
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
    encode: Encode,
    written: Sequence[Row],
    crowd: Sequence[Row],
    recipe: Recipe,
    note: Callable[[str], None],
    start: Path | None = None,
    keep: Callable[[dict[str, Adapted]], None] = lambda adapters: None,
) -> dict[str, Adapted]:
    """Train adapters on both sources and return them, by llama.cpp's name of the tensor.

    :param written: rows that were written for it; each is used once before any is used twice.
    :param crowd: rows of a SQuAD file; () trains on the written ones alone.
    :param note: is told the loss and the speed.
    :param start: an adapter's file to go on from.
    :param keep: is given the adapters after every 50 steps.
    """
    torch.manual_seed(recipe.seed)
    adapters = attach(model, recipe.shape)
    if start is not None:
        load_gguf(adapters, start)
    parameters = [p for adapted in adapters.values() for p in (adapted.a, adapted.b)]
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98)
    )
    draw, started, read = random.Random(recipe.seed), time.monotonic(), 0
    steps = _steps(written, crowd, encode, recipe, draw)
    for step, packs in enumerate(itertools.islice(steps, recipe.steps)):
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * _pace(step, recipe)
        answers = sum(int(one.firsts.sum()) for one in packs)
        loss = 0.0
        for one in packs:
            part = _loss(model, one) / answers
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


def logits(model: Any, packed: Packed, at: npt.NDArray[np.int64]) -> torch.Tensor:  # noqa: ANN401
    """Return what the model would say after the tokens ``at`` of one row: (len(at), vocabulary)."""
    seen = torch.from_numpy(visible([packed]))
    mask = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, -1e9)[None, None]
    hidden = model.model(
        input_ids=torch.from_numpy(packed.ids)[None],
        position_ids=torch.from_numpy(packed.positions)[None],
        attention_mask=mask,
        use_cache=False,
    ).last_hidden_state[0, torch.from_numpy(at)]
    said: torch.Tensor = model.lm_head(hidden).float()
    return said


def _loss(model: Any, packed: Packed) -> torch.Tensor:  # noqa: ANN401 (any causal model)
    """Return Σ weight · cross-entropy of one row."""
    wanted = torch.from_numpy(packed.wanted)
    losses = functional.cross_entropy(logits(model, packed, packed.at), wanted, reduction="none")
    return (losses * torch.from_numpy(packed.weights)).sum()


def _steps(
    written: Sequence[Row],
    crowd: Sequence[Row],
    encode: Encode,
    recipe: Recipe,
    draw: random.Random,
) -> Iterator[list[Packed]]:
    """Yield rows enough for one step, for ever."""
    own, others = _rounds(written, draw), _rounds(crowd, draw)
    while True:
        packs: list[Packed] = []
        while sum(len(one.ids) for one in packs) < recipe.step_tokens:
            mine = not crowd or draw.random() < recipe.written_share
            row = next(own if mine else others)
            packs.append(pack(shuffled(row, draw), encode))
        yield packs


def _rounds(rows: Sequence[Row], draw: random.Random) -> Iterator[Row]:
    while True:
        yield from draw.sample(rows, len(rows))


def _pace(step: int, recipe: Recipe) -> float:
    rising = min(1.0, (step + 1) / recipe.warm_up_steps)
    falling = 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
    return rising * (0.05 + 0.95 * falling)
