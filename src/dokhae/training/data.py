"""Training and validation windows as Lightning takes them: loaders of window numbers, resumable to the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Batch, Features, Layout, assemble, bucket_by_length, bucket_by_tokens, sequence_lengths
from dokhae.errors import SettingsError
from dokhae.sharing import ALONE, World, deal, plan
from dokhae.training.processes import Processes
from dokhae.types import Example

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Split:
    """Examples with their features."""

    examples: list[Example]
    features: Features


@dataclass(frozen=True, slots=True)
class Batching:
    """What goes into a training batch."""

    size: int  # windows
    seed: int
    tokens: int | None = None  # instead, as many windows as hold so many tokens
    accumulate: int = 1  # batches of a process in one optimizer step
    null_windows: float | None = None  # windows without the answer for each one with it; None: all


class TrainingBatch(NamedTuple):
    """What a process trains on next."""

    windows: NDArray[np.int64]  # numbers of the windows
    number: int  # in the run, from 0, all processes and epochs counted
    counts: bool  # False: an epoch's batches were not enough for all processes; this one is only for company


class TrainingBatches:
    """The training windows of one epoch after another, in batches of similar length, dealt out to the processes.

    It knows how far all of them are, so Lightning saves that in each checkpoint and a resumed run goes on with the
    next batch. N processes take in one turn what one process takes in N.
    """

    def __init__(
        self,
        lengths: NDArray[np.int64],
        batching: Batching,
        world: World = ALONE,
        chosen: NDArray[np.int64] | None = None,  # numbers of the windows that are trained on; None: all
    ) -> None:
        self.chosen = np.arange(len(lengths)) if chosen is None else chosen
        self.lengths, self.batching, self.world = lengths[self.chosen], batching, world
        self.batches = len(self._of(0))  # of each epoch, of all processes
        self.epoch = 0
        self.turns = 0

    def __len__(self) -> int:
        return -(-self.batches // self.world.size)

    def __iter__(self) -> Iterator[TrainingBatch]:
        if self.turns >= len(self):
            self.epoch, self.turns = self.epoch + 1, 0
        batches = self._of(self.epoch)
        first = self.epoch * self.batches
        while self.turns < len(self):
            place = self.turns * self.world.size + self.world.rank
            self.turns += 1
            counts = place < self.batches
            yield TrainingBatch(batches[place] if counts else batches[0][:1], first + place, counts)

    @property
    def mean_windows(self) -> float:
        """Of a batch."""
        return len(self.lengths) / self.batches

    def _of(self, epoch: int) -> list[NDArray[np.int64]]:
        told = self.batching
        if told.tokens is not None:
            batches = bucket_by_tokens(self.lengths, told.tokens, told.seed, epoch)
        else:
            batches = bucket_by_length(self.lengths, told.size, told.seed, epoch, self.world.size * told.accumulate)
        return [self.chosen[batch] for batch in batches]

    def state_dict(self) -> dict[str, Any]:
        """Epoch and batches done in it, by all processes."""
        return {"epoch": self.epoch, "done": self.turns * self.world.size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.epoch, self.turns = state["epoch"], state["done"] // self.world.size


def with_some_null(features: Features, ratio: float, seed: int) -> NDArray[np.int64]:
    """Numbers of the windows with an answer, and of so many others for each of them as the ratio says, ascending.

    They are drawn once, from the seed: every epoch has as many batches, and goes on where it was stopped.
    """
    held = features.held()
    answered, others = np.flatnonzero(held), np.flatnonzero(~held)
    if not len(answered):
        raise SettingsError("no training window holds a whole answer, so there is nothing to learn from; raise "
                            "max_length, or leave out null_windows")  # fmt: skip
    count = min(round(ratio * len(answered)), len(others))
    drawn = np.random.default_rng((seed, len(held))).choice(others, count, replace=False)
    return np.sort(np.concatenate([answered, drawn]))


class ValidationBatch(NamedTuple):
    """What a process validates on next."""

    windows: NDArray[np.int64]  # numbers of the windows
    counts: bool  # False: the others have one batch more; this one is only for company


class ValidationBatches:
    """A process's share of batches as prediction plans them. (Lightning takes a plain list for several loaders.)"""

    def __init__(self, batches: Sequence[NDArray[np.int64]], world: World = ALONE) -> None:
        self.share = [ValidationBatch(each, True) for each in deal(batches, world)]
        if len(self.share) < -(-len(batches) // world.size):  # as many as the others, who under FSDP wait for each
            self.share.append(ValidationBatch(batches[0][:1], False))

    def __len__(self) -> int:
        return len(self.share)

    def __iter__(self) -> Iterator[ValidationBatch]:
        return iter(self.share)


def in_turn(dealt: Sequence[Sequence[Item]]) -> list[Item]:
    """What the processes have made of their shares, in the order in which the batches were before they were dealt."""
    longest = max(len(own) for own in dealt)
    return [own[place] for place in range(longest) for own in dealt if place < len(own)]


class TrainingData(pl.LightningDataModule):
    """The two splits of a run."""

    def __init__(
        self,
        train: Split,
        dev: Split | None,
        layout: Layout,
        batching: Batching,
        processes: Processes | None = None,
    ) -> None:
        super().__init__()
        self.train, self.dev, self.layout, self.batching = train, dev, layout, batching
        self.processes = processes or Processes()

    def batch(self, split: str, windows: NDArray[np.int64]) -> Batch:
        """Some windows of "train" or "dev" as the model sees them, with their labels."""
        found = self.train if split == "train" else self.dev
        assert found is not None, "validation needs a dev split"
        return assemble(found.features, windows, self.layout)

    def train_dataloader(self) -> TrainingBatches:
        """Batches of window numbers, bucketed by length."""
        features, told = self.train.features, self.batching
        chosen = None if told.null_windows is None else with_some_null(features, told.null_windows, told.seed)
        return TrainingBatches(sequence_lengths(features, self.layout), self.batching, self.processes, chosen)

    def val_dataloader(self) -> ValidationBatches | list[Any]:
        """The share that this process has of the dev split's windows; nothing without one."""
        if self.dev is None:
            return []
        return ValidationBatches(plan(self.dev.features, self.layout, 2 * self.batching.size), self.processes)
