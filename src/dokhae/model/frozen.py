"""A model that only answers, on a CPU: its linear layers hold their weights in the order that oneDNN reads them in.

What follows a layer, an activation or the sum with its own input, is worked out while the layer's output is at hand.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from transformers import activations

from dokhae.model.devices import onednn_takes
from dokhae.model.packing import first_tokens, is_packed

ROWS = 512  # tokens of a usual batch, which oneDNN chooses the order of the weights for; any number may come
OWNERS = ("transformers.", "torch.nn.modules.", "dokhae.")  # of classes whose modules may be replaced
# what oneDNN calls an activation, and its form
ACTIVATIONS = {
    activations.GELUActivation: ("gelu", "none"),
    activations.NewGELUActivation: ("gelu", "tanh"),
    activations.GELUTanh: ("gelu", "tanh"),
    nn.ReLU: ("relu", ""),
}


class FrozenLinear(nn.Module):
    """A linear layer in evaluation, in the precision of its weights, with the activation that comes after it."""

    def __init__(self, layer: nn.Linear, dtype: torch.dtype, activation: tuple[str, str] = ("none", "")) -> None:
        super().__init__()
        self.dtype, self.activation = dtype, activation
        self.weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().to(dtype), ROWS)
        self.bias = None if layer.bias is None else layer.bias.detach().to(dtype)

    def __getstate__(self) -> dict[str, Any]:  # what oneDNN has ordered can neither be copied nor sent
        return self.__dict__ | {"weight": self.weight.to_dense()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, ROWS)

    def forward(self, values: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        kind, form = self.activation
        return cast(Tensor, _pointwise(values.to(self.dtype), self.weight, self.bias, kind, [], form))


class FrozenOutput(nn.Module):
    """A linear layer, the sum with what its block was given, and their normalisation: what `_output` says."""

    def __init__(self, block: Any, dtype: torch.dtype) -> None:  # noqa: ANN401 - its classes have no common one
        super().__init__()
        self.dense, self.norm = FrozenLinear(block.dense, dtype), block.LayerNorm

    def forward(self, hidden_states: Tensor, input_tensor: Tensor) -> Tensor:
        """(..., in) and (..., out) -> (..., out)."""
        layer = self.dense
        values, given = hidden_states.to(layer.dtype), input_tensor.to(layer.dtype)
        return cast(Tensor, self.norm(_pointwise.binary(values, given, layer.weight, layer.bias, "add")))


_pointwise = torch.ops.mkldnn._linear_pointwise


def frozen(model: Any, dtype: torch.dtype) -> Any:  # noqa: ANN401 - a transformers model
    """A copy of a packed model for answering on the CPU; weights that need no other order are shared with it.

    The model itself where it is not packed, where something was put on it (an adapter, a hook), or oneDNN does not
    compute in that precision here.
    """
    if not is_packed(model) or not onednn_takes(dtype) or _is_changed(model):
        return model
    # buffers keep their precision: rotary frequencies of 16 bits would be off by whole radians at far positions
    tensors = (*(model.parameters() if dtype == torch.float32 else ()), *model.buffers())
    made = copy.deepcopy(model, {id(tensor): tensor for tensor in tensors}).eval()
    for weight in made.parameters():
        weight.data = weight.data.to(dtype)
    with torch.inference_mode():
        for module in list(made.modules()):
            _freeze_activated(module, dtype)
            for name, child in module.named_children():
                if _does(child, "forward", _output):
                    setattr(module, name, FrozenOutput(child, dtype))
                elif type(child) is nn.Linear:
                    setattr(module, name, FrozenLinear(child, dtype))
    return made


def _freeze_activated(module: nn.Module, dtype: torch.dtype) -> None:
    """Give the first layer of a feed-forward block the activation after it."""
    for method, body, layer, activation in FEED_FORWARD:
        if _does(module, method, body):
            known = ACTIVATIONS.get(type(getattr(module, activation)))
            if known is not None:
                setattr(module, layer, FrozenLinear(getattr(module, layer), dtype, known))
                setattr(module, activation, nn.Identity())


def _is_changed(model: nn.Module) -> bool:
    """Whether something was put on a model: a module of a class that is neither transformers', torch's nor ours (an
    adapter), a hook, or a method of a module's own. It could read a layer's weights, or hold the layer as it was.
    """
    if torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks:
        return True
    for module in model.modules():
        kind, held = type(module), vars(module)
        hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
        if not kind.__module__.startswith(OWNERS) or any(hook is not first_tokens for hook in hooks):
            return True
        if any(callable(held[name]) and callable(getattr(kind, name, None)) for name in held):
            return True
    return False


def _does(module: nn.Module, method: str, body: Callable[..., Any]) -> bool:
    """Whether a module's method does, word for word, what a function here does, whatever its class is called."""
    found, known = getattr(type(module), method, None), cast(FunctionType, body).__code__
    code = getattr(found, "__code__", None)
    return code is not None and (code.co_code, code.co_names) == (known.co_code, known.co_names)


# the methods of transformers' encoders that are known, in transformers' own words: some 80 of its classes have them.
# Where they are worded otherwise, nothing is put together, and answers are the same


def _output(self: Any, hidden_states: Tensor, input_tensor: Tensor) -> Any:  # noqa: ANN401
    hidden_states = self.dense(hidden_states)
    hidden_states = self.dropout(hidden_states)
    hidden_states = self.LayerNorm(hidden_states + input_tensor)
    return hidden_states  # noqa: RET504


def _intermediate(self: Any, hidden_states: Tensor) -> Any:  # noqa: ANN401 - BERT and those made after it
    hidden_states = self.dense(hidden_states)
    hidden_states = self.intermediate_act_fn(hidden_states)
    return hidden_states  # noqa: RET504


def _distilbert(self: Any, input: Tensor) -> Any:  # noqa: A002, ANN401
    x = self.lin1(input)
    x = self.activation(x)
    x = self.lin2(x)
    x = self.dropout(x)
    return x  # noqa: RET504


def _albert(self: Any, attention_output: Tensor) -> Any:  # noqa: ANN401
    ffn_output = self.ffn(attention_output)
    ffn_output = self.activation(ffn_output)
    ffn_output = self.ffn_output(ffn_output)
    return ffn_output  # noqa: RET504


# method, what it does, its first layer, the activation after it
FEED_FORWARD = (
    ("forward", _intermediate, "dense", "intermediate_act_fn"),
    ("ff_chunk", _distilbert, "lin1", "activation"),
    ("ff_chunk", _albert, "ffn", "activation"),
)
