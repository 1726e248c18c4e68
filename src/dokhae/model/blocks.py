"""A second head beside the span head, for answers that are ranges of blocks of a page: paragraphs, tables, lists."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from dokhae.errors import ModelError

FILE_NAME = "block_head.safetensors"  # beside the model's own weights, which stay what transformers reads


# A model gives two kinds of logits; this thread's others wait here until the call that asked for them takes them.
FOUND: ContextVar[Tensor | None] = ContextVar("FOUND", default=None)


class SpanAndBlocks(nn.Module):
    """The span head of a model, and one that says for each token whether a range of blocks begins or ends with it."""

    def __init__(self, spans: nn.Linear) -> None:
        super().__init__()
        self.spans = spans
        self.blocks = nn.Linear(spans.in_features, 2, device=spans.weight.device)
        nn.init.normal_(self.blocks.weight, std=0.02)  # as BERT and its kin begin
        nn.init.zeros_(self.blocks.bias)

    def forward(self, states: Tensor) -> Tensor:
        """(..., hidden) -> (..., 2), start and end logits of spans; those of blocks are kept for `take`."""
        FOUND.set(self.blocks(states))
        return cast(Tensor, self.spans(states))

    def take(self) -> Tensor:
        """The logits of blocks that this thread's last call left, (..., 2)."""
        found = FOUND.get()
        FOUND.set(None)
        assert found is not None, "the model was not run"
        return found


def add_block_head(model: Any) -> None:  # noqa: ANN401 - a transformers model
    """Put a new block head, drawn from torch's seed, beside the span head. ModelError where that is not found."""
    name = span_head(model)
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, SpanAndBlocks(model.get_submodule(name)))


def drop_block_head(model: Any) -> None:  # noqa: ANN401
    """Leave the span head alone, where there are two."""
    for name, module in list(model.named_modules()):
        if isinstance(module, SpanAndBlocks):
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, module.spans)


def block_head(model: Any) -> SpanAndBlocks | None:  # noqa: ANN401
    """The two heads of a model; None where it has the span head alone."""
    return next((module for module in model.modules() if isinstance(module, SpanAndBlocks)), None)


def span_head(model: Any) -> str:  # noqa: ANN401
    """The name of the layer that gives start and end logits."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    heads = [str(name) for name, module in linear if module.out_features == 2]
    if not heads:
        raise ModelError(f"{model.name_or_path}: {type(model).__name__} has no plain span head that a block head could "
                         "stand beside; use --no_block_head")  # fmt: skip
    return heads[-1]


def without_block_head(model: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:  # noqa: ANN401
    """The weights of a model under the names that transformers has for them, and those of its block head ({}: none)."""
    weights: dict[str, Tensor] = model.state_dict()
    own = next((name for name, module in model.named_modules() if isinstance(module, SpanAndBlocks)), None)
    if own is None:
        return weights, {}
    spans, blocks = f"{own}.spans.", f"{own}.blocks."
    head = {name.removeprefix(blocks): weight for name, weight in weights.items() if name.startswith(blocks)}
    others = {name: weight for name, weight in weights.items() if not name.startswith(blocks)}
    return {name.replace(spans, f"{own}."): weight for name, weight in others.items()}, head


def load_block_head(model: Any, path: Path) -> None:  # noqa: ANN401
    """Put the block head that was saved in a file beside the span head."""
    from safetensors.torch import load_file

    add_block_head(model)
    head = block_head(model)
    assert head is not None
    try:
        head.blocks.load_state_dict(load_file(path))
    except Exception as error:  # safetensors and torch have errors of their own
        raise ModelError(f"{path}: is not the block head of this model: {' '.join(str(error).split())}") from None
    with torch.no_grad():
        head.blocks.to(head.spans.weight.dtype)
