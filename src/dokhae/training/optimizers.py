"""AdamW over groups of weights, its variants of the published recipes, and the learning rate by steps."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import optimization

from dokhae.errors import SettingsError
from dokhae.model.layers import layer_lists
from dokhae.training.offload import Groups, OffloadedOptimizer
from dokhae.training.run_config import RunConfig

log = logging.getLogger("dokhae")


def make_optimizer(model: nn.Module, config: RunConfig) -> torch.optim.Optimizer:
    """AdamW as the config wants it. Frozen layers take no gradients from here on.

    Biases and normalisation weights are not decayed. With layer decay d and L layers the depth is D = L + 2:
    embeddings learn at rate * d**D, layer i (from 1) at rate * d**(D - i), the head at rate (ELECTRA, Clark et al.
    2020, in the form of GluonNLP's scripts). Raises SettingsError where the layers share their weights, or are fewer
    than are to be frozen.
    """
    settings = config.optimizer
    depths = freeze(model, config)
    kind = UncorrectedAdamW if settings.no_bias_correction else torch.optim.AdamW
    make = functools.partial(kind, lr=config.learning_rate, eps=settings.adam_epsilon, fused=True)
    groups = _groups(model, config, depths)
    optimizer = OffloadedOptimizer(groups, make) if settings.offload else make(groups)
    # torch's fused step offers to divide fp16's gradients by their scale itself; they have to be whole before, for
    # clipping, and Lightning refuses to clip where that is offered
    optimizer._step_supports_amp_scaling = False  # type: ignore[union-attr]
    return optimizer


def freeze(model: nn.Module, config: RunConfig) -> dict[str, int]:
    """Take the lowest layers out of training where the config asks for it; returns the depth of each weight."""
    depths = depths_for(model, config)
    for name, weight in model.named_parameters() if config.optimizer.frozen_layers else ():
        if depths[name] <= config.optimizer.frozen_layers:
            weight.requires_grad_(False)
    return depths


def _groups(model: nn.Module, config: RunConfig, depths: dict[str, int]) -> Groups:
    """The weights that learn, by depth and decay, each group with its rate."""
    settings, top = config.optimizer, max(depths.values(), default=0)
    groups: dict[tuple[int, float], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            is_matrix = getattr(weight, "is_matrix", weight.ndim > 1)  # FSDP's parts of matrices have one dimension
            decay = settings.weight_decay if is_matrix and "bias" not in name else 0.0  # XLNet's have two dimensions
            groups.setdefault((depths.get(name, 0), decay), []).append(weight)
    return [
        {"params": weights, "weight_decay": decay, "lr": config.learning_rate * settings.layer_decay ** (top - depth)}
        for (depth, decay), weights in groups.items()
    ]


def check_optimizer(model: nn.Module, config: RunConfig, device: str) -> None:
    """SettingsError for settings that the model or the device does not go with."""
    depths_for(model, config)
    if config.optimizer.offload and device == "mps":
        raise SettingsError("optimizer.offload saves nothing on mps, whose memory is the CPU's; leave it out")


def depths_for(model: nn.Module, config: RunConfig) -> dict[str, int]:
    """The depth of each weight where the config asks for it, else none. SettingsError as of make_optimizer."""
    settings = config.optimizer
    if settings.layer_decay == 1 and not settings.frozen_layers:
        return {}
    depths = weight_depths(model)
    layers = max(depths.values()) - 2
    if settings.frozen_layers > layers:
        raise SettingsError(f"optimizer.frozen_layers is {settings.frozen_layers}, but the encoder has {layers} layers")
    return depths


def weight_depths(model: nn.Module) -> dict[str, int]:
    """Weight name -> depth: embeddings 0, L layers from 1 on, head L + 2.

    The layers are the one list of as many modules in the encoder. What comes after them belongs to the last
    one; tables of embeddings, those of relative positions too, to the embeddings. SettingsError where there is no such
    list (ALBERT's layers share their weights), or more than one (XLM's, or an encoder's and a decoder's).
    """
    body, lists = getattr(model, "base_model", model), layer_lists(model)
    if body is model or len(lists) != 1:
        why = f"are in {len(lists)} lists" if len(lists) > 1 else "share their weights, or cannot be told apart"
        raise SettingsError(f"{type(model).__name__}: its layers {why}; leave optimizer.layer_decay at 1 and "
                            "optimizer.frozen_layers at 0")  # fmt: skip
    ((path, layers),) = lists.items()
    inside = {id(weight) for weight in body.parameters()}
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    depths, reached = {}, 0
    for name, weight in model.named_parameters():
        in_layer = name.startswith(f"{path}.")
        if in_layer:
            reached = int(name.removeprefix(f"{path}.").partition(".")[0]) + 1
        table = id(weight) in tables and not in_layer
        depths[name] = len(layers) + 2 if id(weight) not in inside else 0 if table else reached
    return depths


class UncorrectedAdamW(torch.optim.AdamW):
    """AdamW without bias correction, as in BERT's own code: w -= lr * (m / (sqrt(v) + eps) + decay * w).

    torch's own step does the work, at a rate, epsilon and decay that undo its corrections, so it stays as fast. Steps
    are counted by groups: every weight of a group has to have a gradient at every step, as in an encoder it has.
    """

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # noqa: ANN401 - the closure's loss
        """One step of all groups."""
        kept = [(group["lr"], group["eps"], group["weight_decay"]) for group in self.param_groups]
        for group in self.param_groups:
            group["steps"] = group.get("steps", 0) + 1  # saved with the group's other settings
            first, second = group["betas"]
            mean, root = 1 - first ** group["steps"], math.sqrt(1 - second ** group["steps"])
            group["lr"] *= mean / root
            group["eps"] /= root
            group["weight_decay"] *= root / mean
        try:
            return super().step(closure)
        finally:
            for group, (rate, epsilon, decay) in zip(self.param_groups, kept, strict=True):
                group.update(lr=rate, eps=epsilon, weight_decay=decay)


def make_schedule(optimizer: torch.optim.Optimizer, config: RunConfig, steps: int) -> Any:  # noqa: ANN401
    """The learning rate by optimizer steps: warm-up, then linear, cosine or polynomial to zero, or constant."""
    settings = config.optimizer
    warmup = int(settings.warmup) if settings.warmup >= 1 else math.ceil(steps * settings.warmup)
    if settings.warmup >= 1 and warmup >= steps - 1 > 0:
        log.warning("optimizer.warmup is %d steps, and there are %d: the learning rate only rises", warmup, steps)
    warmup = min(warmup, steps - 1)  # at rate 0, a single step would learn nothing
    names = {"constant": "constant_with_warmup"}
    extra = {"lr_end": 0.0, "power": settings.power} if settings.schedule == "polynomial" else None
    return optimization.get_scheduler(names.get(settings.schedule, settings.schedule), optimizer, warmup, steps, extra)
