"""torch.compile of the encoder: whether it can be had here, and what its first steps cost."""

from __future__ import annotations

import contextlib
import logging
import statistics
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import lightning.pytorch as pl
import torch

from dokhae.errors import SettingsError
from dokhae.model.layers import layers_of

log = logging.getLogger("dokhae")
WARM_UP, USUAL = 5, 20  # batches in which things are compiled, and those after them that say how long one takes


def check_compiler(device: str) -> None:
    """SettingsError where torch cannot compile: for lack of a C++ compiler, or of Triton on a GPU."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what torch itself has outgrown
            torch.compile(_twice)(torch.ones(8, device=device))
    except Exception as error:  # whatever the compiler and those who call it say
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(f"compile: torch cannot compile for {device} here ({reason}); install a C++ compiler (g++ "
                            "or clang++; for a GPU Triton as well), or leave compile out") from None  # fmt: skip


def compile_encoder(model: Any, layers: Sequence[torch.nn.Module] = ()) -> None:  # noqa: ANN401 - a transformers model
    """Compile the encoder in place, for batches of every size. Its weights keep their names.

    layers: what stands in for its layers, if anything does. Where it has a list of layers, one of them is compiled for
    all, which takes a fraction of the time.
    """
    for module in layers or layers_of(model) or model.base_model.children():
        module.compile(dynamic=True)


@contextlib.contextmanager
def as_written() -> Iterator[None]:
    """Leave aside what is compiled: in evaluation, and again in inference mode, all of it would be compiled anew."""
    with torch.compiler.set_stance("force_eager"):
        yield


class CompileCost(pl.Callback):
    """Says once how much longer the first steps took than those after them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._began = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        """Stop it; enough batches tell."""
        self.seconds.append(time.perf_counter() - self._began)
        if len(self.seconds) == WARM_UP + USUAL:
            self._tell()

    def on_train_end(self, *_: object) -> None:
        """A training of few batches tells from those that it had."""
        if WARM_UP < len(self.seconds) < WARM_UP + USUAL:
            self._tell()

    def _tell(self) -> None:
        first, usual = self.seconds[:WARM_UP], statistics.median(self.seconds[WARM_UP:])
        more = sum(first) - WARM_UP * usual
        log.info("compile: the first %d batches took %.1f s more than as many later ones", WARM_UP, more)


def _twice(numbers: torch.Tensor) -> torch.Tensor:
    return numbers + numbers
