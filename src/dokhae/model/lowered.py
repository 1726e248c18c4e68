"""An encoder's layers wholly in 16 bits while it learns, on copies of weights that stay in fp32.

Mixed precision (torch.autocast) casts operator by operator, and leaves what lies between the layers in fp32: then casts
and sums take more of a step than attention does. Source: Micikevicius et al. 2018, "master weights".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dokhae.model.finding import quiet
from dokhae.model.fused import forget, fuse
from dokhae.model.layers import layers_of
from dokhae.model.packing import ask_row, is_packed

log = logging.getLogger("dokhae")
ALIGNED = 64  # numbers at whose multiples a weight begins, for fast matrix products
NEAR = 0.1  # of the range of the logits, in the mean: rounding in 24 layers stays well below it


def lower_layers(model: Any, dtype: torch.dtype, fuses: bool = True) -> list[Lowered]:  # noqa: ANN401 - of transformers
    """Let a packed model's layers learn in 16 bits; what stands in for them, which is what can be compiled then.

    fuses: their blocks as functions of our own where that can be had, which torch's compiler cannot look into. None
    where the model fails so, or says something else altogether: it is asked, as for packing. In evaluation nothing
    changes.
    """
    layers = layers_of(model) if is_packed(model) else []
    training, reason = model.training, _hindrance(layers)
    for with_blocks in (True, False)[not fuses :] if layers and not reason else ():
        made: list[Lowered] = []
        try:
            with quiet():
                same, why = _lower(model.eval(), layers, dtype, with_blocks, made), "they say something else"
        except Exception as error:  # whatever a layer says to numbers of another kind, or a compiler
            same, why = False, str(error).partition("\n")[0] or type(error).__name__
        model.train(training)
        if same:
            if reason:
                log.info("training: without blocks that are one function each: %s", reason)
            return made
        reason = why
        for one in made:
            one.take_out()
    if reason:
        log.info("training: in mixed precision, for the layers do not take %s: %s", dtype, reason)
    return []


def _hindrance(layers: list[nn.Module]) -> str:
    """Why copies of weights cannot stand in for those of the layers, if so."""
    weights = [weight for layer in layers for weight in layer.parameters()]
    if len(set(weights)) < len(weights):
        return "they share weights, whose gradients are summed"
    if any(getattr(module, "gradient_checkpointing", False) for layer in layers for module in layer.modules()):
        return "they are run once more on the way back (gradient_checkpointing in config.json)"
    return ""


def _lower(model: Any, layers: list[nn.Module], dtype: torch.dtype, fuses: bool, made: list[Lowered]) -> bool:  # noqa: ANN401
    """Put what is lowered in the place of each layer, and into `made`; whether the model still says the same."""
    with torch.autocast(next(model.parameters()).device.type, dtype):
        with torch.no_grad():
            mixed = ask_row(model).float()
        for layer in layers:
            made.append(Lowered(layer, dtype, fuses))
        with torch.enable_grad():  # in a context of its own: a head may leave there what leads to all copies
            lowered = copy_context().run(ask_row, model).float()
    learns = [weight for layer in layers for weight in layer.parameters() if weight.requires_grad]
    if learns:  # what fails on its way back should fail now
        torch.autograd.grad(lowered.sum(), learns[:1], allow_unused=True)
    return bool((lowered.detach() - mixed).abs().mean() <= NEAR * (mixed.max() - mixed.min()))


class Lowered(nn.Module):
    """A layer that is given its weights; it stands in the layer's forward until it is taken out."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype, fuses: bool) -> None:
        super().__init__()
        self.layer, self.dtype, self.run = layer, dtype, layer.forward
        self.own = vars(layer).get("forward")  # where it is not its class's
        self.blocks = fuse(layer) if fuses else []
        self.memory: Mapping[
            nn.Parameter, Tensor
        ] = {}  # where gradients of weights are to lie, while a pass is recorded
        layer.forward = self.lowered

    def take_out(self) -> None:
        """Leave the layer as it was."""
        del self.layer.forward
        if self.own is not None:
            self.layer.forward = self.own
        for block in self.blocks:
            block.take_out()

    def forward(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as transformers calls a layer
        """The layer as it is."""
        return self.run(*args, **options)

    def lowered(self, states: Tensor, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """The layer with copies of its weights in 16 bits."""
        if not torch.is_grad_enabled():
            return self.run(states, *args, **options)
        names, weights = zip(*self.named_parameters(), strict=True)
        copies = _Copies.apply(self, *weights)  # type: ignore[no-untyped-call]
        with torch.autocast(states.device.type, enabled=False):
            given = dict(zip(names, copies, strict=True))
            try:
                return functional_call(self, given, (states.to(self.dtype), *args), options)
            except Exception:  # where memory ends, for one: then the pass may be tried in another way
                forget(self.blocks)
                raise


class _Copies(torch.autograd.Function):
    """Weights in another precision, all at once; and so their gradients back."""

    @staticmethod
    def forward(ctx: Any, lowered: Lowered, *weights: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        ctx.set_materialize_grads(False)
        ctx.lowered = lowered
        return tuple(_cast(weights, _room_for(weights, lowered.dtype)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        weights = [*ctx.lowered.parameters()]
        found = {weight: one for weight, one in zip(weights, gradients, strict=True) if one is not None}
        memory = ctx.lowered.memory
        into = [memory[weight] if weight in memory else torch.empty_like(weight) for weight in found]
        made = dict(zip(found, _cast([*found.values()], into), strict=True))
        return None, *(made.get(weight) for weight in weights)


def _room_for(weights: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Memory for them in another precision: matrices, then vectors, so that such as belong together can be one."""
    order = sorted(range(len(weights)), key=lambda number: weights[number].ndim < 2)
    sizes = [-(-weights[number].numel() // ALIGNED) * ALIGNED for number in order]
    places = torch.split(torch.empty(sum(sizes), dtype=dtype, device=weights[0].device), sizes)
    made = {number: place[: weights[number].numel()] for number, place in zip(order, places, strict=True)}
    return [made[number].view(weight.shape) for number, weight in enumerate(weights)]


def _cast(tensors: Sequence[Tensor], into: list[Tensor]) -> list[Tensor]:
    """Copies of tensors in others of their shape."""
    if into:
        torch._foreach_copy_(into, list(tensors))
    return into
