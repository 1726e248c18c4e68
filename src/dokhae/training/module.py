"""A model in training as Lightning takes it: the loss of a batch, validation by the lesson's own scores, AdamW."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel

from dokhae.errors import DokhaeError, NotFinite
from dokhae.model.answering import explained_memory
from dokhae.model.devices import AUTOCAST
from dokhae.model.dropout import replace_dropout
from dokhae.model.lowered import Lowered, lower_layers
from dokhae.model.normalisation import replace_layer_norm
from dokhae.model.packing import is_packed
from dokhae.training.checkpoints import Diverged
from dokhae.training.compiling import as_written, compile_encoder
from dokhae.training.data import TrainingBatch, TrainingData, ValidationBatch, in_turn
from dokhae.training.optimizers import make_optimizer, make_schedule
from dokhae.training.recording import Recorder
from dokhae.training.run_config import RunConfig
from dokhae.training.task import Lesson


class Validated(NamedTuple):
    """What is left of a batch in validation."""

    loss: float  # mean of its windows
    windows: int
    kept: Any  # as the lesson reduces it


class OnItsWay:
    """A number that a device works out, for the host: who asks for it waits for it alone, not for what comes after."""

    def __init__(self, number: Tensor) -> None:
        self._held = number.detach().to("cpu", non_blocking=number.is_cuda)
        self._there = torch.cuda.Event() if number.is_cuda else None  # type: ignore[no-untyped-call]
        if self._there is not None:
            self._there.record()

    def value(self) -> float:
        """The number."""
        if self._there is not None:
            self._there.synchronize()
        return float(self._held)


class TrainingModule(pl.LightningModule):
    """An encoder with a head in training."""

    def __init__(self, model: Any, lesson: Lesson, config: RunConfig, steps: int) -> None:  # noqa: ANN401
        super().__init__()
        replace_dropout(model)
        replace_layer_norm(model)
        self.model, self.lesson, self.config, self.steps = model, lesson, config, steps
        self.lowered: list[Lowered] = []
        self.recorder: Recorder | None = None
        self.validated: list[Validated] = []
        self.failed: DokhaeError | None = None  # by the running validation

    @property
    def data(self) -> TrainingData:
        """Both splits, in batches."""
        return self.lesson.data

    def training_step(self, part: TrainingBatch, index: int) -> Tensor:
        """Loss of one batch."""
        # dropout depends on the seed and the batch alone, so a resumed run, or one of more processes, draws what the
        # whole run of one process would have drawn
        torch.manual_seed(self.config.seed * 1_000_003 + part.number)
        with self.data.processes.together(), explained_memory():
            batch = self.data.batch("train", part.windows)
            loss = self.lesson.loss("train", batch, self.lesson.logits(self.model, batch, self.device))
        self.seen = OnItsWay(loss)
        self.log("train_loss", loss, batch_size=len(part.windows))
        return loss if part.counts else 0 * loss

    def on_after_backward(self) -> None:
        """Raise Diverged where the loss is not finite in any process, before the weights are touched.

        Not before the backward pass: a GPU would have nothing to do until the host has looked and has queued the pass.
        """
        with self.data.processes.together():
            loss = self.seen.value()
            if not math.isfinite(loss):
                raise Diverged(f"the loss is {loss} at step {self.global_step + 1}")

    def validation_step(self, part: ValidationBatch, index: int) -> None:
        """Keep of a batch what its scores need, on the same path as every other prediction."""
        try:
            with as_written(), explained_memory(), self._diverging():
                batch = self.data.batch("dev", part.windows)
                logits = self.lesson.logits(self.model, batch, self.device)
                loss = self.lesson.loss("dev", batch, logits)
                if part.counts:
                    kept = self.lesson.reduced(batch, logits)
                    self.validated.append(Validated(float(loss), len(part.windows), kept))
        except DokhaeError as error:
            if self.data.processes.size == 1:
                raise
            self.failed = self.failed or error  # told at the end, when the others do not wait for another batch

    def on_validation_epoch_end(self) -> None:
        """Loss and scores of the dev split, the same in all processes; what has failed in one of them fails in all."""
        processes = self.data.processes
        with processes.together():
            if self.failed is not None:
                raise self.failed
        parts = processes.gather(self.validated)
        self.validated = []
        with processes.together(), self._diverging():
            scores = self._scores(in_turn(parts)) if processes.first else None
        for name, value in processes.broadcast(scores).items():
            self.log(f"dev_{name}", value)

    @contextlib.contextmanager
    def _diverging(self) -> Iterator[None]:
        """Diverged in place of NotFinite, whose advice is for models that somebody else has trained."""
        try:
            yield
        except NotFinite:
            raise Diverged(f"the logits of the dev split are not finite after step {self.global_step}") from None

    def _scores(self, validated: list[Validated]) -> dict[str, float]:
        loss = 0.0
        for part in validated:
            loss += part.loss * part.windows
        mean = loss / sum(part.windows for part in validated)
        return {"loss": mean, **self.lesson.scores([part.kept for part in validated])}

    def on_fit_start(self) -> None:
        """Make the encoder fast, where that is possible and saves anything."""
        config, processes = self.config, self.data.processes
        on_gpu = self.device.type == "cuda"
        # on a CPU it saves hardly anything; fp16 has not the range for what lies between the layers; FSDP has a layer's
        # weights only while it runs. Blocks draw dropout of their own, so all have them, whether it pays them or not:
        # several processes learn what one learns. But torch's compiler cannot look into them
        if on_gpu and config.precision == "bf16" and config.strategy != "fsdp":
            self.lowered = lower_layers(self.model, AUTOCAST["bf16"], fuses=not config.compile)
        if config.compile:
            compile_encoder(self.model, self.lowered)
        # an offloaded optimizer is there to save memory, which recordings hold; of gradients that lie where they were
        # recorded other processes would not hear; attention in fp32 goes by the length of each window
        without = config.no_cuda_graphs or config.optimizer.offload or processes.size > 1 or config.precision == "fp32"
        if on_gpu and is_packed(self.model) and not without:
            self.recorder = Recorder(self.model.base_model, config.optimizer.accumulate > 1, self.lowered)

    def leave_as_it_was(self) -> None:
        """The model, as whoever fits has to, however that ends: recordings hold memory."""
        if self.recorder is not None:
            self.recorder.take_out()
        for layer in self.lowered:
            layer.take_out()

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW and its schedule by steps."""
        optimizer = make_optimizer(self.model, self.config)
        schedule = make_schedule(optimizer, self.config, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """By the norm of all gradients. Under FSDP a process has a part of them, and only its root knows the norm."""
        root = self.trainer.strategy.model
        if not isinstance(root, FullyShardedDataParallel):
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            root.clip_grad_norm_(gradient_clip_val)
