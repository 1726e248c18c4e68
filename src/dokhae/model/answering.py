"""A model that only answers: in evaluation, on a device, in a precision, and with advice where memory ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from dokhae.errors import OutOfMemory
from dokhae.model.devices import AUTOCAST, Precision, autocast
from dokhae.model.frozen import frozen

# bytes of the widest layer's output that a CPU works out at once: glibc takes more than 32 MiB from the system each
# time, which clears it page by page, and what is smaller stays in the cache for the next layer
AT_ONCE = 24 << 20


class Answering:
    """What the scores have in common; on a CPU it is a frozen copy that is asked, and the model stays as it was."""

    def __init__(self, model: Any, device: torch.device | str = "cpu", precision: Precision = "fp32") -> None:  # noqa: ANN401
        self.device = torch.device(device)
        self.precision = precision
        self.model = model.to(self.device).eval()
        self.most_tokens: int | None = None  # of a batch; None: any number
        if self.device.type == "cpu":
            dtype = AUTOCAST.get(precision, torch.float32)
            self.model, self.most_tokens = frozen(model, dtype), _most_tokens(model, dtype)
        if self.model is not model:  # then its layers are in that precision themselves
            self.precision = "fp32"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """For a block that runs the model."""
        with explained_memory(), torch.inference_mode(), autocast(self.device, self.precision):
            yield


def _most_tokens(model: torch.nn.Module, dtype: torch.dtype) -> int | None:
    """Tokens of a batch that a CPU works on at once; None: any number."""
    widest = max((each.out_features for each in model.modules() if isinstance(each, torch.nn.Linear)), default=0)
    return AT_ONCE // (widest * dtype.itemsize) if widest else None


@contextlib.contextmanager
def explained_memory() -> Iterator[None]:
    """OutOfMemory with advice where the device has too little memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # a GPU's, torch's on a CPU, numpy's
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and "can't allocate memory" not in str(error):
            raise
        reason = str(error).partition(".")[0]
        raise OutOfMemory(
            f"too little memory on the device ({reason}); lower batch_size or batch_tokens (in training, raise "
            "optimizer.accumulate as much) or max_length, or use --precision bf16 (or in training on a GPU "
            "--no_cuda_graphs)"
        ) from None
