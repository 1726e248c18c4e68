"""Checkpoints: written whole or not at all; which ones are kept; stopping on Ctrl-C without losing a step."""

from __future__ import annotations

import contextlib
import io
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dokhae.errors import DataError, DokhaeError, TrainingError
from dokhae.files import atomic_path
from dokhae.stopping import Request, answer, hearing
from dokhae.training.identity import KEY, Identity
from dokhae.training.processes import Processes
from dokhae.training.run_config import RunConfig, Watch

LAST = "last.ckpt"
DEV = "dev_"  # how the names of what is logged of the dev split begin


def watched(best_by: str) -> tuple[str, Literal["min", "max"]]:
    """What is logged of the dev split under a name, and which way is better."""
    return f"{DEV}{best_by}", "min" if best_by == "loss" else "max"


def best_in(checkpoint: dict[str, Any]) -> list[str]:
    """The file names of a run's best checkpoints, the best first, as its last checkpoint knows them."""
    return [name for _, name in checkpoint["callbacks"][Checkpoints.__qualname__]["best"]]


class Interrupted(DokhaeError):
    """The user or the system asked the training to stop."""

    exit_code = 130  # as shells report Ctrl-C


class Pruned(TrainingError):
    """Whoever watches the dev scores has seen enough of this run."""


class Diverged(TrainingError):
    """The loss or the weights are no longer finite."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what}: training has diverged; lower learning_rate, add warm-up, or use --precision fp32. "
            "The checkpoints from before are kept"
        )


class AtomicCheckpoints(TorchCheckpointIO):
    """Checkpoints that appear under their name only when they are whole, and say what they belong to.

    Only the first process writes, while the others wait for it: so what goes wrong is kept, to be raised in all.
    """

    def __init__(self, identity: Identity) -> None:
        super().__init__()
        self.identity = identity
        self.failed: DataError | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ANN401
        """Serialise in memory first: a full disk then is an OSError with its reason, not a fault inside torch."""
        buffer = io.BytesIO()
        torch.save(checkpoint | {KEY: self.identity.content()}, buffer)
        try:
            with atomic_path(Path(path)) as temporary:
                temporary.write_bytes(buffer.getbuffer())
        except DataError as error:
            self.failed = error

    def refuse_failed(self) -> None:
        """The error of the last checkpoint, once."""
        failed, self.failed = self.failed, None
        if failed is not None:
            raise failed


class Checkpoints(pl.Callback):
    """The last checkpoint, after each epoch and as often as the config says, and the k best by a dev score.

    Ctrl-C, SIGTERM or a closed terminal: the optimizer step is finished, the last checkpoint saved, and Interrupted
    raised. Once more stops at once. Lightning's own ModelCheckpoint is not used: its two copies (last, best) resume
    differently from the middle and the end of an epoch.
    """

    def __init__(
        self,
        config: RunConfig,
        steps: int,
        identity: Identity,
        watch: Watch | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.config, self.keep, self.steps, self.watch = config, config.keep, steps, watch
        self.processes = processes or Processes()
        self.io = AtomicCheckpoints(identity)
        self.folder = config.out / "checkpoints"
        self.best: list[tuple[float, str]] = []  # (score, higher is better; file name), best first
        self.validated_at = -1  # optimizer step of the last validation
        self._dropped: list[str] = []  # that are no longer among the best
        self.request = Request()
        self._hear: Callable[[], None] = lambda: None
        self._stepped = 0
        self._stops = False  # as all processes agreed on after the last step
        self._saved = -1
        self._saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run has to know."""
        best = [list(entry) for entry in self.best]
        return {"best": best, "dropped": [*self._dropped], "validated_at": self.validated_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the best ones of before, as far as their files are still there.

        As the first process sees them, which takes the best one at the end: other nodes may have a folder of their own,
        and all processes have to save the same files.
        """
        names = {path.name for path in self.folder.iterdir()}  # in this folder and nowhere else
        best = [(score, name) for score, name in state_dict["best"] if name in names]
        self.best = self.processes.broadcast(best)
        if len(self.best) == len(state_dict["best"]):  # else the last model may be the best again
            self.validated_at = state_dict.get("validated_at", -1)  # an older one does not say
        self._dropped = [name for name in state_dict.get("dropped", []) if name in names]
        self._drop()  # what a killed run had no time for

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the block, but those that are ignored (a launcher passes Ctrl-C on as SIGTERM).

        Not by Lightning's hooks: none of them comes last both after a training that ended and after one that failed.
        """
        with hearing(self._ask) as self._hear:
            yield

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed run is between two steps; and one that had stopped early does not start again."""
        self._hear()  # Lightning has put in a handler that waits, in the middle of a step, for the other processes
        self._stepped, self._saved_at = trainer.global_step, time.monotonic()
        early = trainer.early_stopping_callback
        if early is not None and early.wait_count >= early.patience:
            trainer.should_stop = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The one after a training in the middle of an epoch is a run of its own for Lightning, with its handler."""
        self._hear()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        """Between two optimizer steps; after the last batch of an epoch its validation comes first, if there is one."""
        before, self._stepped = self._stepped, trainer.global_step
        at_end = trainer.global_step >= self.steps  # on_train_end comes next, or a validation
        if trainer.global_step == before or at_end or (trainer.is_last_batch and self.config.dev is not None):
            return
        # by what all have said: a signal that comes while it is saved is only this process's, and for the next step
        asked, is_time = self.processes.any(self.request.asked, self._is_time(trainer.global_step))  # clocks differ
        self._stops = asked
        if asked or is_time or trainer.is_last_batch:
            self.save_last(trainer)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: object) -> None:
        """Stop before the next step: Lightning logs the last one only after `on_train_batch_end`."""
        if self._stops:
            self.stop_if_asked(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """After an epoch: keep the model if it is among the best, then save the last checkpoint, which knows of it."""
        self.validated_at = trainer.global_step
        if trainer.state.fn == "fit":
            self.keep_if_best(trainer)
            try:
                with self.processes.together():
                    self._tell(trainer)  # first: what a killed run was not told, the resumed one would never be
            finally:
                self.save_last(trainer)
            self.stop_if_asked(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Where no validation has saved the last step."""
        if self._saved != trainer.global_step:
            self.save_last(trainer)

    def save_last(self, trainer: pl.Trainer) -> None:
        """Save the checkpoint that a resumed run goes on from, never with broken weights over a good one."""
        with self.processes.together():
            if not all(bool(torch.isfinite(weight).all()) for weight in trainer.lightning_module.parameters()):
                raise Diverged(f"the weights are not finite after step {trainer.global_step}")
        self._save(trainer, LAST)
        self._saved, self._saved_at = trainer.global_step, time.monotonic()
        self._drop()  # not before: a run that goes on from the last checkpoint before this would miss them

    def keep_if_best(self, trainer: pl.Trainer) -> None:
        """Save the model under its score if it is among the k best; save_last then drops the one it pushes out."""
        if self.keep.best_by == "last":
            return
        name, mode = watched(self.keep.best_by)
        value = float(trainer.callback_metrics[name])
        score = (value if mode == "max" else -value) if math.isfinite(value) else -math.inf
        file = f"best-step={trainer.global_step}-{name}={value:.4f}.ckpt"
        if file in (known for _, known in self.best):  # a run that was resumed after its last step
            return
        if len(self.best) == self.keep.best and score <= self.best[-1][0]:
            return
        self._save(trainer, file, weights_only=True)
        ranked = sorted([*self.best, (score, file)], key=lambda entry: -entry[0])
        self.best = ranked[: self.keep.best]
        self._dropped += [dropped for _, dropped in ranked[self.keep.best :]]

    def _drop(self) -> None:
        """Delete the models that are no longer among the best."""
        for name in self._dropped if self.processes.first else ():
            (self.folder / name).unlink(missing_ok=True)
        self._dropped = []

    def _tell(self, trainer: pl.Trainer) -> None:
        if self.watch is not None and self.processes.first:
            found = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith(DEV)}
            scores = {name.removeprefix(DEV): value for name, value in found.items()}
            self.watch(trainer.global_step, scores)

    def _save(self, trainer: pl.Trainer, file: str, weights_only: bool = False) -> None:
        trainer.save_checkpoint(self.folder / file, weights_only=weights_only)
        with self.processes.together():
            try:
                self.io.refuse_failed()
            except DataError as error:
                raise DataError(f"{error}; make room, then {self.config.go_on}") from None

    def _is_time(self, step: int) -> bool:
        every, minutes = self.config.checkpoint_every, self.config.checkpoint_minutes
        by_time = minutes > 0 and time.monotonic() - self._saved_at >= 60 * minutes
        return by_time or (every is not None and step % every == 0)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        first = self.request.hear(number)
        if self.request.at_once:
            raise Interrupted(f"stopped at once; {self.config.go_on}")
        # who launches processes says so itself: it also stops those that are left where another one was killed
        launched = multiprocessing.parent_process() is not None
        if first and self.processes.first and not launched:
            answer("stopping: this step is finished and saved first (once more stops at once)")

    def stop_if_asked(self, trainer: pl.Trainer) -> None:
        """Raise Interrupted where a process was asked to stop, also after the last step: scoring takes its time too."""
        asked = self.processes.any(self.request.asked)[0]
        with self.processes.together():
            if asked:
                raise Interrupted(f"stopped after step {trainer.global_step} of {self.steps}; {self.config.go_on}")
