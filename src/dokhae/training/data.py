"""Training and validation windows as Lightning takes them: loaders of window numbers, resumable to the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Features, Layout, bucket_by_length, sequence_lengths
from dokhae.predict import plan
from dokhae.types import Example


@dataclass(frozen=True, slots=True)
class Split:
    """Examples with their features."""

    examples: list[Example]
    features: Features


class TrainingBatches:
    """The training windows of one epoch after another, in batches of similar length.

    It knows how far it is, so Lightning saves that in each checkpoint and a resumed run goes on with the next batch.
    """

    def __init__(self, lengths: NDArray[np.int64], batch_size: int, seed: int) -> None:
        self.lengths, self.batch_size, self.seed = lengths, batch_size, seed
        self.epoch = 0
        self.done = 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        if self.done >= len(self):
            self.epoch, self.done = self.epoch + 1, 0
        for windows in bucket_by_length(self.lengths, self.batch_size, self.seed, self.epoch)[self.done :]:
            self.done += 1
            yield windows

    def state_dict(self) -> dict[str, Any]:
        """Epoch and batches done in it."""
        return {"epoch": self.epoch, "done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.epoch, self.done = state["epoch"], state["done"]


class ValidationBatches:
    """Batches of window numbers as prediction plans them. (Lightning takes a plain list for several loaders.)"""

    def __init__(self, batches: list[NDArray[np.int64]]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        return iter(self.batches)


class ReaderData(pl.LightningDataModule):
    """The two splits of a run."""

    def __init__(self, train: Split, dev: Split | None, layout: Layout, batch_size: int, seed: int) -> None:
        super().__init__()
        self.train, self.dev, self.layout = train, dev, layout
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> TrainingBatches:
        """Batches of window numbers, bucketed by length."""
        return TrainingBatches(sequence_lengths(self.train.features, self.layout), self.batch_size, self.seed)

    def val_dataloader(self) -> ValidationBatches | list[Any]:
        """All windows of the dev split; nothing without one."""
        return ValidationBatches(plan(self.dev.features, self.layout, 2 * self.batch_size)) if self.dev else []
