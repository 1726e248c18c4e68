"""The span head: numpy inputs -> start and end logits, on any device and precision; its loss."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.errors import ModelError, SettingsError

Precision = Literal["fp32", "bf16", "fp16"]
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def to_tensor(array: NDArray[np.generic], device: torch.device | str) -> Tensor:
    """A numpy array as a tensor on a device."""
    return torch.from_numpy(array).to(device)


def span_logits(
    model: torch.nn.Module, inputs: Mapping[str, NDArray[np.int64]], device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """Start and end logits, float32, (window, column). ModelError where a token id has no embedding."""
    embeddings = getattr(model, "get_input_embeddings", lambda: None)()
    known, highest = getattr(embeddings, "num_embeddings", np.inf), inputs["input_ids"].max(initial=0)
    if highest >= known:  # a GPU would only stop with an assertion of its own, and be lost to the process
        raise ModelError(f"token {highest} has no embedding, the model has {known}: its tokenizer is another model's")
    output = model(**{name: to_tensor(array, device) for name, array in inputs.items()})
    return output.start_logits.float(), output.end_logits.float()


def span_loss(start: Tensor, end: Tensor, present: Tensor, start_labels: Tensor, end_labels: Tensor) -> Tensor:
    """Mean of the cross entropies of start and end over the real tokens of each window; padding cannot be chosen.

    start, end, present: (window, column). start_labels, end_labels: (window,) columns. Source: Devlin et al. 2019.
    """
    losses = [
        torch.nn.functional.cross_entropy(logits.masked_fill(~present, float("-inf")), labels)
        for logits, labels in ((start, start_labels), (end, end_labels))
    ]
    return (losses[0] + losses[1]) / 2


class TorchScore:
    """A model as the `score` that dokhae.predict asks for."""

    def __init__(self, model: Any, device: torch.device | str = "cpu", precision: Precision = "fp32") -> None:  # noqa: ANN401
        self.device = torch.device(device)
        self.precision = precision
        self.model = model.to(self.device).eval()

    def __call__(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Start and end logits, (window, column)."""
        with explained_memory(), torch.inference_mode(), autocast(self.device, self.precision):
            start, end = span_logits(self.model, inputs, self.device)
        return start.cpu().numpy(), end.cpu().numpy()


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[Any]:
    """Mixed precision for the models' matrix products; nothing for fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=AUTOCAST[precision])


@contextlib.contextmanager
def explained_memory() -> Iterator[None]:
    """ModelError with advice where the device has too little memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = str(error).partition(".")[0]
        raise ModelError(f"too little memory on the device ({reason}); lower batch_size (in training, raise "
                         "optimizer.accumulate as much) or max_length, or use --precision bf16") from None  # fmt: skip


def choose_device(device: str) -> str:
    """Turn "auto" into the best device here; SettingsError for one that is not here."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available.get(device, False):
        here = ", ".join(name for name, yes in available.items() if yes)
        raise SettingsError(f"device {device!r} is not here; this machine has {here} (see `dokhae doctor`)")
    return device


def check_precision(precision: str, device: str) -> None:
    """SettingsError for a precision that the device cannot train or run in."""
    if precision == "fp16" and device == "cpu":
        raise SettingsError("precision fp16 needs a GPU; on the CPU use bf16 or fp32")
    if precision == "bf16" and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise SettingsError("this GPU has no bf16; use --precision fp16")
