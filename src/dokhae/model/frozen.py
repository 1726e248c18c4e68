"""A model that only answers, on a CPU: its linear layers hold their weights in the order that oneDNN reads them in."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn

from dokhae.model.packing import is_packed

ROWS = 512  # tokens of a usual batch, which oneDNN chooses the order of the weights for; any number may come


class FrozenLinear(nn.Module):
    """A linear layer in evaluation, in the precision of its weights."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().to(dtype), ROWS)
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def forward(self, values: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        made = torch.ops.mkldnn._linear_pointwise(values.to(self.dtype), self.weight, self.bias, "none", [], "")
        return cast(Tensor, made)


def frozen(model: Any, dtype: torch.dtype) -> Any:  # noqa: ANN401 - a transformers model
    """A copy of a packed model for answering on the CPU; weights that need no other order are shared with it.

    The model itself where it is not packed, or torch was built without oneDNN.
    """
    if not is_packed(model) or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return model
    tensors = (*model.parameters(), *model.buffers()) if dtype == torch.float32 else ()
    made = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors}).eval().to(dtype)
    with torch.inference_mode():
        for module in list(made.modules()):
            for name, child in module.named_children():
                if type(child) is nn.Linear:
                    setattr(module, name, FrozenLinear(child, dtype))
    return made
