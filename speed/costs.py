"""What a training has to compute, from the model's sizes, and what the hardware computes at best."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIZES = {"cpu": (2048, 4096), "cuda": (4096, 8192)}  # rows and columns of the square matrices that are multiplied
PRODUCTS = 9


def training_operations(model: Path, lengths: Sequence[int]) -> float:
    """Floating-point operations of one forward and backward pass over windows of these lengths, useful tokens only.

    Two for each weight of a matrix product and token forward, four backward; attention's two products among the tokens
    of a window likewise. Recomputation, embeddings, normalisation and the optimizer are not counted.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(model), local_files_only=True)
    attention = 12 * config.num_hidden_layers * config.hidden_size
    return 6.0 * product_weights(config) * sum(lengths) + attention * float(sum(one * one for one in lengths))


def product_weights(config: Any) -> int:  # noqa: ANN401 - a transformers config
    """Weights that every token is multiplied with: those of the linear layers."""
    import torch
    from transformers import AutoModelForQuestionAnswering

    with torch.device("meta"):
        model = AutoModelForQuestionAnswering.from_config(config)
    return sum(module.weight.numel() for module in model.modules() if isinstance(module, torch.nn.Linear))


def matrix_rate(device: str = "cpu", precision: str = "bf16", sizes: Sequence[int] | None = None) -> dict[str, Any]:
    """Operations a second of large matrix products, the best of some sizes; work of a turn."""
    import torch

    kind = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    rates = {}
    for size in sizes or SIZES[device]:
        left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
        seconds = [timed_product(left, right) for _ in range(PRODUCTS + 2)][2:]
        rates[str(size)] = 2.0 * size**3 / statistics.median(seconds)
    return {
        "rates": rates,
        "best": max(rates.values()),
        "threads": torch.get_num_threads(),
        "device": device_name(device),
    }


def timed_product(left: Any, right: Any) -> float:  # noqa: ANN401 - tensors
    """Seconds of one product."""
    finish(left.device.type)
    begun = time.perf_counter()
    left @ right
    finish(left.device.type)
    return time.perf_counter() - begun


def finish(device: str) -> None:
    """Wait until the device has done what it was told."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def device_name(device: str) -> str:
    """What a GPU calls itself."""
    import torch

    return torch.cuda.get_device_name() if device == "cuda" else device
