"""What a run tells while it trains: TensorBoard events, metrics.csv, and progress with the time left."""

from __future__ import annotations

import csv
import math
import os
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from dokhae.progress import Update, track

SECONDS_BETWEEN_LOSSES = 0.5  # that are read: for each of them the host waits until the GPU has nothing to do


def loggers(run: Path) -> list[Any]:
    """TensorBoard and CSV in the run folder; a resumed run adds to its metrics.csv."""
    table, aside = run / "metrics.csv", run / "metrics.before.csv"
    if table.exists():
        os.replace(table, aside)  # Lightning empties what it finds under its own name
    csv_logger = CSVLogger(run, name="", version="")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a folder that is not empty
        experiment = csv_logger.experiment
    if aside.exists():  # also of a process that was killed just here
        with aside.open(encoding="utf-8", newline="") as file:
            experiment.metrics_keys = next(csv.reader(file), [])
        os.replace(aside, table)
    return [TensorBoardLogger(run, name="", version="tensorboard"), csv_logger]


class Progress(pl.Callback):
    """Steps done, loss, scores and time left, on stderr."""

    def __init__(self, steps: int, show: bool, in_words: Callable[[Mapping[str, float]], str]) -> None:
        self.steps, self.show, self.in_words = steps, show, in_words  # of dev scores
        self._stack = ExitStack()
        self._update: Update = lambda done, note="", news=False: None  # a resumed run may have no step left
        self._loss = self._scores = ""
        self._read = -math.inf  # when the loss was

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar."""
        self._update = self._stack.enter_context(track("train", self.steps, self.show, " steps"))
        self._update(trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: object) -> None:  # noqa: ANN401
        """Loss of one of the last batches beside the last scores, unless others come next: then it is this batch's."""
        now, last = time.monotonic(), trainer.is_last_batch or trainer.global_step >= self.steps
        if self.show and (last or now - self._read >= SECONDS_BETWEEN_LOSSES):
            self._read = now
            loss = float(outputs["loss"]) * trainer.accumulate_grad_batches  # Lightning has divided it
            self._loss = f"loss {loss:.3f}"
        self._update(trainer.global_step, self._loss + ("" if trainer.is_last_batch else self._scores))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The scores of the epoch."""
        said = self.in_words({name: float(value) for name, value in trainer.callback_metrics.items()})
        if said:
            self._scores = f"  {said}"
            self._update(trainer.global_step, self._loss + self._scores, news=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Close the bar."""
        self._stack.close()
