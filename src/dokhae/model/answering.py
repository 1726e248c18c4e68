"""A model that only answers: in evaluation, on a device, in a precision, and with advice where memory ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from dokhae.errors import OutOfMemory
from dokhae.model.devices import AUTOCAST, Precision, autocast
from dokhae.model.frozen import frozen


class Answering:
    """What the scores have in common; on a CPU it is a frozen copy that is asked, and the model stays as it was."""

    def __init__(self, model: Any, device: torch.device | str = "cpu", precision: Precision = "fp32") -> None:  # noqa: ANN401
        self.device = torch.device(device)
        self.precision = precision
        self.model = model.to(self.device).eval()
        if self.device.type == "cpu":
            self.model = frozen(model, AUTOCAST.get(precision, torch.float32))
        if self.model is not model:  # then its layers are in that precision themselves
            self.precision = "fp32"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """For a block that runs the model."""
        with explained_memory(), torch.inference_mode(), autocast(self.device, self.precision):
            yield


@contextlib.contextmanager
def explained_memory() -> Iterator[None]:
    """OutOfMemory with advice where the device has too little memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = str(error).partition(".")[0]
        raise OutOfMemory(
            f"too little memory on the device ({reason}); lower batch_size or batch_tokens (in training, raise "
            "optimizer.accumulate as much) or max_length, or use --precision bf16"
        ) from None
