"""Checkpoints: written whole or not at all, read as weights only; which ones are kept; stopping on Ctrl-C."""

from __future__ import annotations

import io
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dokhae.errors import DokhaeError
from dokhae.files import atomic_path
from dokhae.training.config import KeepConfig

WATCHED = {"loss": ("dev_loss", "min"), "em": ("dev_em", "max"), "f1": ("dev_f1", "max")}
LAST = "last.ckpt"


class Interrupted(DokhaeError):
    """The user or the system asked the training to stop."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name only when they are whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ANN401
        """Serialise in memory first: a full disk then is an OSError with its reason, not a fault inside torch."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(buffer.getbuffer())


def checkpoint_callbacks(folder: Path, keep: KeepConfig, every: int | None, has_dev: bool) -> list[ModelCheckpoint]:
    """The last checkpoint (every N steps, and after each epoch's validation), and the best ones by a dev score."""
    common: dict[str, Any] = {"dirpath": folder, "auto_insert_metric_name": False, "enable_version_counter": False}
    last = Path(LAST).stem
    callbacks = [ModelCheckpoint(filename=last, every_n_epochs=1, save_on_train_epoch_end=not has_dev, **common)]
    if every:
        callbacks.append(ModelCheckpoint(filename=last, every_n_train_steps=every, **common))
    if has_dev:
        monitor, mode = WATCHED[keep.best_by]
        name = f"best-step={{step}}-{monitor}={{{monitor}:.4f}}"
        best = ModelCheckpoint(filename=name, monitor=monitor, mode=mode, save_top_k=keep.best, **common)
        callbacks.insert(0, best)  # before `last`, so that the last checkpoint knows the best ones
    return callbacks


class StopGently(pl.Callback):
    """Ctrl-C or SIGTERM: finish the optimizer step, save the last checkpoint, stop. A second one stops at once."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.asked = False
        self._previous: dict[int, Any] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the signals; only the main thread may, so a training in a thread has none of this."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._ask)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Stop between two optimizer steps; at the end of an epoch its validation comes first."""
        loop = trainer.fit_loop.epoch_loop
        if self.asked and not loop._should_accumulate() and not loop._num_ready_batches_reached():
            trainer.save_checkpoint(self.run / "checkpoints" / LAST)
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The epoch's checkpoint is saved by now."""
        if self.asked and not trainer.fit_loop._is_training_done if hasattr(trainer.fit_loop, "_is_training_done") else self.asked:
            self._stop(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give the signals back."""
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted(f"stopped at once; {self._advice()}")
        self.asked = True
        sys.stderr.write("\nstopping: this step is finished and saved first (once more stops at once)\n")

    def _stop(self, trainer: pl.Trainer) -> None:
        raise Interrupted(f"stopped after step {trainer.global_step}; {self._advice()}")

    def _advice(self) -> str:
        return f"go on with: dokhae train --resume {self.run}"
