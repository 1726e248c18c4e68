"""What the blocks of a BERT's layer work out, each as one function with gradients of its own.

torch's operators go through memory again and again between two matrix products: for dropout, sum and normalisation,
and most of all for the gradients of biases. Here it is once, both ways (`gpu_kernels`). The idea: Apex' and Liger's
fused normalisation.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dokhae.model import plain_kernels

SHORT = (torch.bfloat16, torch.float16)


@cache
def has_triton() -> bool:
    """Whether kernels can be made."""
    return find_spec("triton") is not None


def kernels_for(states: Tensor) -> Any:  # noqa: ANN401 - a module
    """The kernels of a GPU for 16 bits; else what they work out in torch's own operators."""
    if not states.is_cuda or states.dtype not in SHORT or not has_triton():
        return plain_kernels
    from dokhae.model import gpu_kernels  # Triton, which not every machine has

    return gpu_kernels


class ResidualFunction(torch.autograd.Function):
    """A linear layer, dropout, and the normalised sum with what came in before. States: (..., size)."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        states: Tensor,
        before: Tensor,
        weight: Tensor,
        bias: Tensor,
        *norm: Any,  # noqa: ANN401
    ) -> Tensor:
        """What it says; `ctx` keeps what the way back needs."""
        rows = _rows(functional.linear(states, weight, bias))
        normed, *kept = _norm_ahead(ctx, rows, before, *norm)
        ctx.save_for_backward(_rows(states), weight, *kept)
        ctx.shapes = states.shape, before.shape
        return normed.view(before.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The gradient of each argument."""
        states, weight, *kept = ctx.saved_tensors
        of_sum, of_rows, of_bias, *of_norm = _norm_back(ctx, gradients[0], *kept)
        of_states, of_before = (of_rows @ weight).view(ctx.shapes[0]), of_sum.view(ctx.shapes[1])
        return of_states, of_before, of_rows.t() @ states, of_bias, *of_norm, None, None


class FeedForwardFunction(torch.autograd.Function):
    """A linear layer and GELU, another one, dropout, and the normalised sum with what came in. States: (..., size)."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        states: Tensor,
        wide: Tensor,
        wide_bias: Tensor,
        weight: Tensor,
        bias: Tensor,
        *norm: Any,  # noqa: ANN401
    ) -> Tensor:
        """What it says; `ctx` keeps what the way back needs."""
        rows = _rows(states)
        values = functional.linear(rows, wide, wide_bias)
        active = functional.gelu(values)
        normed, *kept = _norm_ahead(ctx, functional.linear(active, weight, bias), states, *norm)
        ctx.save_for_backward(rows, wide, values, active, weight, *kept)
        ctx.shape = states.shape
        return normed.view(states.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The gradient of each argument."""
        states, wide, values, active, weight, *kept = ctx.saved_tensors
        of_sum, of_rows, of_bias, *of_norm = _norm_back(ctx, gradients[0], *kept)
        of_weight = of_rows.t() @ active
        of_values, of_wide_bias = kernels_for(states).gelu_back(of_rows @ weight, values)
        of_states = of_sum.addmm_(of_values, wide).view(ctx.shape)
        return of_states, of_values.t() @ states, of_wide_bias, of_weight, of_bias, *of_norm, None, None


def _norm_ahead(
    ctx: Any,  # noqa: ANN401
    rows: Tensor,
    before: Tensor,
    scale: Tensor,
    shift: Tensor,
    rate: float,
    eps: float,
) -> tuple[Tensor, ...]:
    """Dropout and the normalised sum; and what the way back needs."""
    seed = torch.empty((), dtype=torch.int64, device=rows.device).random_()  # a recorded pass draws another each time
    ctx.drop = plain_kernels.drop_of(rate)
    made = kernels_for(rows).drop_add_norm(rows, _rows(before).contiguous(), scale, shift, seed, ctx.drop, eps)
    return *made, scale, seed


def _norm_back(
    ctx: Any,  # noqa: ANN401
    change: Tensor,
    sums: Tensor,
    means: Tensor,
    scales: Tensor,
    scale: Tensor,
    seed: Tensor,
) -> tuple[Tensor, ...]:
    """Gradients: of the sum, of the rows; of the rows' bias, of scale and shift."""
    rows = _rows(change).contiguous()
    of_sum, of_rows, columns = kernels_for(rows).drop_add_norm_back(rows, sums, means, scales, scale, seed, ctx.drop)
    return of_sum, of_rows, *columns


class ThreefoldFunction(torch.autograd.Function):
    """Query, key and value of the same states, (..., size), in one product; and the states as they are.

    Who adds the states later takes those: then their gradient goes into the product of the way back, and no sum goes
    through memory of its own.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, *told: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        """What it says; `ctx` keeps what the way back needs."""
        weight, bias = joined(told[:3]), joined(told[3:])
        ctx.save_for_backward(_rows(states), weight)
        ctx.set_materialize_grads(False)
        ctx.shape = states.shape
        return *functional.linear(states, weight, bias).chunk(3, -1), states.view_as(states)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, ...]:  # noqa: ANN401
        """The gradient of each argument. That of the states which was given is written over."""
        states, weight = ctx.saved_tensors
        *three, added = (None if one is None else _rows(one).contiguous() for one in gradients)
        size = len(weight) // len(three)
        filled = (states.new_zeros(len(states), size) if one is None else one for one in three)  # of what nobody took
        change, of_biases = kernels_for(states).join(*filled)
        of_states = change @ weight if added is None else added.addmm_(change, weight)
        return of_states.view(ctx.shape), *(change.t() @ states).chunk(3), *of_biases


def joined(parts: tuple[Tensor, ...]) -> Tensor:
    """Tensors one after another: where they lie so already, as they are."""
    first, size = parts[0], parts[0].numel()
    places = [first.storage_offset() + number * size for number in range(len(parts))]
    storages = {part.untyped_storage()._cdata for part in parts}
    lie_so = len(storages) == 1 and places == [part.storage_offset() for part in parts]
    if not lie_so or not all(part.is_contiguous() for part in parts):
        return torch.cat(parts)
    return first.as_strided((len(parts) * len(first), *first.shape[1:]), first.stride())


def _rows(states: Tensor) -> Tensor:
    """(..., size) -> (token, size)."""
    return states.reshape(-1, states.shape[-1])
