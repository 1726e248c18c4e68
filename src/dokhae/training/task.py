"""What the training road asks of a task: answering questions (training.reading), telling classes (dokhae.tasks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from dokhae.encoding import Batch
from dokhae.training.data import TrainingData
from dokhae.training.identity import Identity
from dokhae.training.processes import Processes
from dokhae.training.run_config import Config


class Lesson(Protocol):
    """Data that is ready, and what is learned of it: the loss of a batch, the scores of the dev split, the result."""

    @property
    def data(self) -> TrainingData:
        """Both splits, in batches."""

    def logits(self, model: Any, batch: Batch, device: Any) -> tuple[Tensor, ...]:  # noqa: ANN401
        """What the model says to a batch, in float32."""

    def loss(self, split: str, batch: Batch, logits: tuple[Tensor, ...]) -> Tensor:
        """The mean over the batch's windows."""

    def reduced(self, batch: Batch, logits: tuple[Tensor, ...]) -> Any:  # noqa: ANN401
        """What is kept of a batch of the dev split, small enough to be gathered from all processes."""

    def scores(self, parts: list[Any]) -> dict[str, float]:
        """The dev scores by name, from all that was kept, in the order in which the batches were planned."""

    def in_words(self, scores: Mapping[str, float]) -> str:
        """Dev scores for the progress line; "" where there are none."""

    def finish(self, model: Any, device: str, show: bool) -> dict[str, Any]:  # noqa: ANN401
        """Write model/ and, with a dev split, what it scores; returns what scores.json holds, {} without one."""


class Loaded(Protocol):
    """Data and encoder of a training, read and checked."""

    @property
    def model(self) -> Any:  # noqa: ANN401 - a transformers model
        """The encoder with its head."""

    @property
    def identity(self) -> Identity:
        """Of the encoder and its tokenizer."""

    def lesson(self, show: bool, processes: Processes) -> Lesson:
        """The features of both splits, from the cache where they are in it."""

    def anew(self) -> Any:  # noqa: ANN401 - a transformers model
        """The model once more, as it was before the training."""


class Task(Protocol[Config]):
    """One kind of training. It is sent to other processes, so it is an object of a module, without a state."""

    @property
    def kind(self) -> type[Config]:
        """Of its settings."""

    def settled(self, config: Config) -> Config:
        """The settings with what was left open filled in."""

    def load(self, config: Config, device: str) -> Loaded:
        """Read data and encoder; refuse what cannot be trained, before anything is written."""
