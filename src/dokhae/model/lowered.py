"""An encoder's layers wholly in 16 bits while it learns, on copies of weights that stay in fp32.

Mixed precision (torch.autocast) casts operator by operator, and leaves what lies between the layers in fp32: then casts
and sums take more of a step than attention does. Source: Micikevicius et al. 2018, "master weights".
"""

from __future__ import annotations

import logging
from contextvars import copy_context
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dokhae.model.finding import quiet
from dokhae.model.layers import layers_of
from dokhae.model.packing import ask_row, is_packed

log = logging.getLogger("dokhae")
NEAR = 0.1  # of the range of the logits, in the mean: rounding in 24 layers stays well below it


def lower_layers(model: Any, dtype: torch.dtype) -> list[Lowered]:  # noqa: ANN401 - a transformers model
    """Let a packed model's layers learn in 16 bits; what stands in for them, which is what can be compiled then.

    None where the model fails so, or says something else altogether: it is asked, as for packing. In evaluation nothing
    changes.
    """
    layers = layers_of(model) if is_packed(model) else []
    if not layers:
        return []
    training, same = model.training, False
    made: list[Lowered] = []
    try:
        with quiet(), torch.autocast(next(model.parameters()).device.type, dtype):
            model.eval()
            with torch.no_grad():
                mixed = ask_row(model).float()
            made = [Lowered(layer, dtype) for layer in layers]
            with torch.enable_grad():  # in a context of its own: a head may leave there what leads to all copies
                lowered = copy_context().run(ask_row, model).detach().float()
        same = bool((lowered - mixed).abs().mean() <= NEAR * (mixed.max() - mixed.min()))
        reason = "they say something else"
    except Exception as error:  # whatever a layer says to numbers of another kind
        reason = str(error).partition("\n")[0]
    model.train(training)
    if same:
        return made
    for one in made:
        one.take_out()
    log.info("training: in mixed precision, for the layers do not take %s: %s", dtype, reason)
    return []


class Lowered(nn.Module):
    """A layer that is given its weights; it stands in the layer's forward until it is taken out."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype, self.run = layer, dtype, layer.forward
        self.own = vars(layer).get("forward")  # where it is not its class's
        layer.forward = self.lowered

    def take_out(self) -> None:
        """Leave the layer as it was."""
        del self.layer.forward
        if self.own is not None:
            self.layer.forward = self.own

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as transformers calls a layer
        """The layer as it is."""
        return self.run(*args, **options)

    def lowered(self, states: Tensor, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """The layer with copies of its weights in 16 bits."""
        if not torch.is_grad_enabled():
            return self.run(states, *args, **options)
        names, weights = zip(*self.named_parameters(), strict=True)
        copies = _Copies.apply(self.dtype, *weights)  # type: ignore[no-untyped-call]
        with torch.autocast(states.device.type, enabled=False):
            given = dict(zip(names, copies, strict=True))
            return functional_call(self, given, (states.to(self.dtype), *args), options)


class _Copies(torch.autograd.Function):
    """Weights in another precision, all at once; and so their gradients back."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *weights: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        ctx.set_materialize_grads(False)
        ctx.dtype = weights[0].dtype
        return tuple(_cast(weights, dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        made = iter(_cast([one for one in gradients if one is not None], ctx.dtype))
        return None, *(None if one is None else next(made) for one in gradients)


def _cast(tensors: Any, dtype: torch.dtype) -> list[Tensor]:  # noqa: ANN401
    made = [torch.empty_like(one, dtype=dtype) for one in tensors]
    if made:
        torch._foreach_copy_(made, list(tensors))
    return made
