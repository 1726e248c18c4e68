"""Layer normalisation whose gradients are summed over the tokens in fp32 on a CPU, whatever comes in.

torch sums them there in the type of what comes in (aten/src/ATen/native/cpu/layer_norm_kernel.cpp, its buffer): in
bfloat16 a sum stands still from some 256 terms on. On a GPU it sums in fp32.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from dokhae.model.devices import AUTOCAST


def replace_layer_norm(model: nn.Module) -> None:
    """Give the model the normalisation that sums in fp32 in place of torch's, with the same weights."""
    for module in model.modules():
        if type(module) is nn.LayerNorm:
            module.__class__ = LayerNorm


class LayerNorm(nn.LayerNorm):
    """nn.LayerNorm, with gradients of its weights that are summed in fp32 on a CPU too."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """The input, normalised over its last axes, in its own type."""
        as_torch_does = (
            input.device.type != "cpu" or input.dtype not in AUTOCAST.values() or not self.elementwise_affine
        )
        if as_torch_does or torch.compiler.is_compiling():  # torch's compiler sums in fp32
            return super().forward(input)
        found = _Normed.apply(input, self.weight, self.bias, self.normalized_shape, self.eps)  # type: ignore[no-untyped-call]
        return cast(Tensor, found)


class _Normed(torch.autograd.Function):
    """Normalisation of 16 bits by fp32 weights, and backwards all in fp32."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        values: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        shape: tuple[int, ...],
        eps: float,
    ) -> Tensor:
        exact = weight.float(), None if bias is None else bias.float()
        normed, mean, scale = torch.native_layer_norm(values, shape, *exact, eps)
        ctx.shape, ctx.weight_type = shape, weight.dtype
        ctx.save_for_backward(values, mean, scale, *exact)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        values, mean, scale, weight, bias = ctx.saved_tensors
        wanted = [True, True, bias is not None]
        made = torch.ops.aten.native_layer_norm_backward(
            gradients[0].float(), values.float(), ctx.shape, mean, scale, weight, bias, wanted
        )
        kinds = values.dtype, ctx.weight_type, ctx.weight_type
        return *(None if one is None else one.to(kind) for one, kind in zip(made, kinds, strict=True)), None, None
