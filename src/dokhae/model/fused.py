"""The blocks of a BERT's layer as one function each (`block_functions`): for training in 16 bits on a GPU.

A module is a block where its parts are as torch made them, and it says the same when it is asked.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import GELUActivation

from dokhae.model.block_functions import (
    SHORT,
    FeedForwardFunction,
    ResidualFunction,
    ThreefoldFunction,
    has_triton,
)
from dokhae.model.dropout import Dropout
from dokhae.model.normalisation import LayerNorm

log = logging.getLogger("dokhae")
ALIKE = 1e-3  # of the range of what a block says: rounding in fp32 stays well below it
TOKENS = 8  # with which it is asked
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
NORMED = {"dense": (nn.Linear,), "dropout": (nn.Dropout, Dropout), "LayerNorm": (nn.LayerNorm, LayerNorm)}
ACTIVATED = {"dense": (nn.Linear,), "intermediate_act_fn": (GELUActivation,)}


class Fused(Protocol):
    """Stands in for methods of modules until it is taken out, for what has 16 bits and a gradient."""

    def take_out(self) -> None:
        """Leave the modules as they were."""


def fuse(layer: nn.Module) -> list[Fused]:
    """Let stand in what does the work of a layer's blocks, where it has such; what stands in.

    The layer is in evaluation: each of its blocks is asked whether it says the same.
    """
    if next(layer.parameters()).is_cuda and not has_triton():
        return []
    found: list[Fused] = []
    done: set[nn.Module] = set()
    for module in layer.modules():
        if _is_threefold(module):
            found.append(Threefold(module))
        for kind in (FeedForward, Residual):
            if module not in done and kind.fits(module) and kind.is_alike(module):
                block = kind(module)
                if isinstance(block, Residual) and found and isinstance(found[-1], Threefold):
                    found[-1].is_added, block.threefold = True, found[-1]
                found.append(block)
                done.update(module.children())
    return found


def forget(blocks: list[Fused]) -> None:
    """Give up what blocks keep of a pass that broke off."""
    for block in blocks:
        if isinstance(block, Threefold):
            block.kept.clear()


class Block(ABC):
    """A method of a module as one function."""

    method: ClassVar[str] = "forward"

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        self.module, self.run = module, getattr(module, self.method)
        setattr(module, self.method, self.forward)

    def take_out(self) -> None:
        """Leave the module as it was."""
        delattr(self.module, self.method)

    def forward(self, *given: Tensor) -> Tensor:
        """The method's answer."""
        if torch.is_grad_enabled() and given[0].dtype in SHORT:
            return self.answer(self.module, *given)
        return cast(Tensor, self.run(*given))

    @classmethod
    def is_alike(cls, module: Any) -> bool:  # noqa: ANN401
        """Whether a module in evaluation says what it would as a block."""
        try:
            given = cls.example(module)
            with torch.no_grad(), torch.autocast(given[0].device.type, enabled=False):
                wanted, found = getattr(module, cls.method)(*given), cls.answer(module, *given)
        except Exception as error:  # whatever it says to what others of its kind take
            log.debug("%s is no block: %s", type(module).__name__, error)
            return False
        return bool((found - wanted).abs().max() <= ALIKE * (wanted.max() - wanted.min()))

    @staticmethod
    @abstractmethod
    def fits(module: Any) -> bool:  # noqa: ANN401
        """Whether a module has the parts of such a block."""

    @staticmethod
    @abstractmethod
    def example(module: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """What a block can be asked."""

    @staticmethod
    @abstractmethod
    def answer(module: Any, *given: Tensor) -> Tensor:  # noqa: ANN401
        """The block's answer."""


class Residual(Block):
    """A linear layer, dropout, and the normalised sum with what came in before: BertSelfOutput and its like."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        super().__init__(module)
        self.threefold: Threefold | None = None  # of the same attention

    def forward(self, *given: Tensor) -> Tensor:
        """The method's answer."""
        states, before = given
        return super().forward(states, before if self.threefold is None else self.threefold.once_more(before))

    @staticmethod
    def fits(module: Any) -> bool:  # noqa: ANN401
        """Whether a module has the parts of such a block."""
        return _consists_of(module, NORMED)

    @staticmethod
    def example(module: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """States, and what came in before."""
        return _random(module.dense, module.dense.in_features), _random(module.dense, module.dense.out_features)

    @staticmethod
    def answer(module: Any, *given: Tensor) -> Tensor:  # noqa: ANN401
        """The block's answer."""
        return cast(Tensor, ResidualFunction.apply(*given, *_weights(module)))  # type: ignore[no-untyped-call]


class FeedForward(Block):
    """A linear layer and GELU before such a block, which adds what came in: the second half of a BertLayer."""

    method = "feed_forward_chunk"

    @staticmethod
    def fits(module: Any) -> bool:  # noqa: ANN401
        """Whether a module has the parts of such a block."""
        if not hasattr(module, FeedForward.method) or FeedForward.method in vars(module):
            return False
        wide, narrow = getattr(module, "intermediate", None), getattr(module, "output", None)
        return _consists_of(wide, ACTIVATED) and _consists_of(narrow, NORMED)

    @staticmethod
    def example(module: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """States."""
        return (_random(module.intermediate.dense, module.intermediate.dense.in_features),)

    @staticmethod
    def answer(module: Any, *given: Tensor) -> Tensor:  # noqa: ANN401
        """The block's answer."""
        dense = module.intermediate.dense
        told = *given, dense.weight, dense.bias, *_weights(module.output)
        return cast(Tensor, FeedForwardFunction.apply(*told))  # type: ignore[no-untyped-call]


class Threefold:
    """Query, key and value of the same states: who asks for the query has all of them worked out."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        self.parts = [module.query, module.key, module.value]
        # what each of them is given, and says to that; nothing stays, for it would hold the way back of a whole pass
        self.kept: dict[Any, tuple[Tensor, Tensor]] = {}
        self.is_added = False  # whether a block may add the same states to what attention says: it is kept under itself
        for part in self.parts:
            part.forward = partial(self.forward, part)

    def take_out(self) -> None:
        """Leave the modules as they were."""
        for part in self.parts:
            del part.forward

    def forward(self, part: Any, states: Tensor) -> Tensor:  # noqa: ANN401
        """What one of the three says."""
        if not torch.is_grad_enabled() or states.dtype not in SHORT:
            return functional.linear(states, part.weight, part.bias)
        if part is self.parts[0]:
            told = *(one.weight for one in self.parts), *(one.bias for one in self.parts)
            *made, again = ThreefoldFunction.apply(states, *told)  # type: ignore[no-untyped-call]
            self.kept = {one: (states, said) for one, said in zip(self.parts, made, strict=True)}
            if self.is_added:
                self.kept[self] = states, again
        given, said = self.kept.pop(part, (None, states))
        return said if given is states else functional.linear(states, part.weight, part.bias)

    def once_more(self, states: Tensor) -> Tensor:
        """The states as ThreefoldFunction gives them, where the three are of these."""
        given, again = self.kept.pop(self, (None, states))
        return again if given is states else states


def _weights(module: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """What is told of a linear layer with dropout and normalisation."""
    dense, norm = module.dense, module.LayerNorm
    rate = module.dropout.p if module.dropout.training else 0.0
    return dense.weight, dense.bias, norm.weight, norm.bias, rate, norm.eps


def _random(dense: Any, size: int) -> Tensor:  # noqa: ANN401
    """States of some tokens, the same every time."""
    made = torch.randn(1, TOKENS, size, generator=torch.Generator().manual_seed(size))
    return made.to(dense.weight.device, dense.weight.dtype)


def _consists_of(module: Any, parts: Mapping[str, tuple[type, ...]]) -> bool:  # noqa: ANN401
    """Whether a module has these parts alone, of these classes, with all weights; and nothing is put on any of them."""
    children = dict(module.named_children()) if isinstance(module, nn.Module) else {}
    if children.keys() != parts.keys() or not _is_untouched(module):
        return False
    return all(type(children[name]) in kinds and _is_plain(children[name]) for name, kinds in parts.items())


def _is_plain(module: Any) -> bool:  # noqa: ANN401
    """Whether a module has all of its weights, and nothing is put on it."""
    return _is_untouched(module) and None not in module._parameters.values()


def _is_untouched(module: nn.Module) -> bool:
    """Whether a module has no hooks, and no forward but its class's."""
    return "forward" not in vars(module) and not any(getattr(module, one) for one in HOOKS)


def _is_threefold(module: Any) -> bool:  # noqa: ANN401
    """Whether a module has query, key and value of the same size."""
    parts = [getattr(module, name, None) for name in ("query", "key", "value")]
    plain = [part for part in parts if type(part) is nn.Linear and _is_plain(part)]
    return len(plain) == len(parts) and len({part.weight.shape for part in plain}) == 1
