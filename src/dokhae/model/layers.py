"""The layers of an encoder, for whoever takes them one by one: learning rates, the compiler, FSDP."""

from __future__ import annotations

from typing import Any

from torch import nn


def layer_lists(model: Any) -> dict[str, nn.ModuleList]:  # noqa: ANN401 - a transformers model
    """The outermost lists of as many modules as the model has layers (an encoder, or its decoder), by name.

    None where the layers share their weights (ALBERT); several in XLM, or in an encoder with a decoder.
    """
    counts = {getattr(model.config, name, None) for name in ("num_hidden_layers", "decoder_layers")}
    lists = {name: module for name, module in model.named_modules() if isinstance(module, nn.ModuleList)}
    outermost = (name for name in lists if not any(name.startswith(f"{other}.") for other in lists))
    return {name: lists[name] for name in outermost if len(lists[name]) in counts}


def layers_of(model: Any) -> list[nn.Module]:  # noqa: ANN401 - a transformers model
    """The layers of a model, the lowest first; none where they are not in one list."""
    found = list(layer_lists(model).values())
    return list(found[0]) if len(found) == 1 else []
