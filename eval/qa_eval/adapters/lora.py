"""Low-rank adapters on a model's linear layers (LoRA, Hu et al. 2021), and their GGUF file.

Only the upper layers are adapted: what the lower ones do is not specific to the task, and nothing
has to be carried back through them.

Example: ``adapters = attach(model, Shape(rank=8, alpha=16, first_layer=8))``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from qa.errors import InputError
from qa.llm.adapters import BASE, INVOCATION

# Hugging Face's name of a linear layer → llama.cpp's.
_TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """Rank and scale (``alpha / rank``) of the adapters, and the first layer that has them."""

    rank: int
    alpha: int
    first_layer: int


class Adapted(nn.Module):
    """A frozen linear layer plus ``alpha / rank · B A``; A is (rank, in), B (out, rank)."""

    def __init__(self, linear: nn.Linear, shape: Shape) -> None:
        super().__init__()
        self.linear = linear
        self.applied = True
        self.scale = shape.alpha / shape.rank
        self.a = nn.Parameter(torch.empty(shape.rank, linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, shape.rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Add what the adapter says to what the layer says."""
        if not self.applied:
            said: torch.Tensor = self.linear(inputs)
            return said
        low = functional.linear(inputs, self.a.to(inputs.dtype))
        return self.linear(inputs) + functional.linear(low, self.b.to(inputs.dtype)) * self.scale


def attach(model: Any, shape: Shape) -> dict[str, Adapted]:  # noqa: ANN401 (any causal model)
    """Freeze the model and adapt its layers from ``first_layer`` on.

    :return: the adapters by llama.cpp's name of the tensor, ``blk.8.attn_q.weight``.
    """
    model.requires_grad_(False)
    adapters = {}
    for number, layer in enumerate(model.model.layers):
        for path, name in _TENSORS.items():
            if number >= shape.first_layer:
                block, _, leaf = path.partition(".")
                parent = getattr(layer, block)
                adapted = Adapted(getattr(parent, leaf), shape)
                setattr(parent, leaf, adapted)
                adapters[f"blk.{number}.{name}.weight"] = adapted
    return adapters


@contextlib.contextmanager
def without(adapters: Iterable[Adapted]) -> Iterator[None]:
    """Let the layers say what they say without their adapters."""
    every = list(adapters)
    for adapted in every:
        adapted.applied = False
    try:
        yield
    finally:
        for adapted in every:
            adapted.applied = True


def _parameters(adapters: Mapping[str, Adapted]) -> dict[str, nn.Parameter]:
    """Return all parameters by llama.cpp's names."""
    return {
        f"{name}.lora_{part}": getattr(adapted, part)
        for name, adapted in adapters.items()
        for part in ("a", "b")
    }


def load_gguf(adapters: Mapping[str, Adapted], path: Path) -> None:
    """Set adapters to what a file written by :func:`write_gguf` holds.

    :raises InputError: the file's tensors are not theirs, by name and shape.
    """
    import gguf

    held = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}
    wanted = _parameters(adapters)
    shapes = {name: tuple(parameter.shape) for name, parameter in wanted.items()}
    if shapes != {name: values.shape for name, values in held.items()}:
        raise InputError(f"{str(path)!r} holds other adapters than are to be trained")
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(torch.from_numpy(held[name]))


def shape_of(path: Path) -> Shape:
    """Return the shape of a file's adapters."""
    import gguf

    reader = gguf.GGUFReader(path)
    layers = [int(tensor.name.split(".")[1]) for tensor in reader.tensors]
    ranks = [min(tensor.shape.tolist()) for tensor in reader.tensors]
    alpha = int(reader.fields["adapter.lora.alpha"].contents())
    return Shape(rank=min(ranks), alpha=alpha, first_layer=min(layers))


def write_gguf(
    adapters: Mapping[str, Adapted],
    shape: Shape,
    path: Path,
    *,
    base: str,
    about: str,
    invocation: Sequence[int] = (),
) -> None:
    """Write the adapters as llama.cpp reads them: half precision, and what they belong to.

    :param base: the label of the weights that they were trained on.
    :param about: how they were made.
    :param invocation: the tokens from which on they are applied; without them, from the first on.
    """
    tensors = {name: one.detach().numpy() for name, one in _parameters(adapters).items()}
    _write(tensors, shape.alpha, path, base, about, invocation)


def write_mean(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of adapters of one base and scale; it has all of their ranks together.

    Weights that were trained apart, or one after the other, err differently: their mean is better
    than either (Wortsman et al. 2022).

    :raises InputError: the files are of several bases, scales or layers, or called differently.
    """
    import gguf

    readers = [gguf.GGUFReader(path) for path in paths]
    held = [
        {tensor.name: np.array(tensor.data, np.float32) for tensor in one.tensors}
        for one in readers
    ]
    bases = {str(one.fields[BASE].contents()) for one in readers}
    alphas = {float(one.fields["adapter.lora.alpha"].contents()) for one in readers}
    called = {_invocation(one) for one in readers}
    shapes = {tuple(sorted((name, v.shape) for name, v in one.items())) for one in held}
    if max(len(bases), len(alphas), len(shapes), len(called)) > 1:
        names = ", ".join(map(str, paths))
        raise InputError(f"{names} are adapters of several bases, scales, layers or calls")
    mean = {
        name: np.concatenate([one[name] for one in held], axis=0)
        if name.endswith("_a")
        else np.concatenate([one[name] / len(held) for one in held], axis=1)
        for name in held[0]
    }
    about = f"the mean of {len(paths)} adapters"
    _write(mean, alphas.pop() * len(paths), out, bases.pop(), about, called.pop())


def _invocation(reader: Any) -> tuple[int, ...]:  # noqa: ANN401 (gguf has no types)
    """Return the tokens from which on a file's adapters are applied; () for all."""
    field = reader.fields.get(INVOCATION)
    return tuple(int(token) for token in field.contents()) if field is not None else ()


def _write(
    tensors: Mapping[str, npt.NDArray[np.float32]],
    alpha: float,
    path: Path,
    base: str,
    about: str,
    invocation: Sequence[int] = (),
) -> None:
    import gguf

    writer = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_type("adapter")
    writer.add_string(BASE, base)
    writer.add_description(about)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(alpha))
    if invocation:
        kinds = gguf.GGUFValueType
        writer.add_key_value(INVOCATION, list(invocation), kinds.ARRAY, kinds.UINT32)
    for name, values in tensors.items():
        writer.add_tensor(name, values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
