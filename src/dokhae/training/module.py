"""What is trained and how: the loss of a batch, validation by the official metric on decoded answers, AdamW."""

from __future__ import annotations

from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor
from torch.distributed.fsdp import FullyShardedDataParallel

from dokhae import metrics
from dokhae.benchmarks import Benchmark
from dokhae.decoding import WindowSpans
from dokhae.encoding import Batch, assemble
from dokhae.korean.trimming import Trimmer
from dokhae.model.dropout import replace_dropout
from dokhae.model.span import explained_memory, span_logits, span_loss, to_tensor
from dokhae.predict import finish, reduce, trim
from dokhae.training.checkpoints import Diverged
from dokhae.training.compiling import as_written, compile_encoder
from dokhae.training.config import TrainConfig
from dokhae.training.data import ReaderData, Split, TrainingBatch, in_turn
from dokhae.training.optimizers import make_optimizer, make_schedule


class Validated(NamedTuple):
    """What is left of a batch in validation."""

    loss: float  # mean of its windows
    windows: int
    spans: WindowSpans


class ReaderModule(pl.LightningModule):
    """An encoder with a span head in training."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401
        data: ReaderData,
        benchmark: Benchmark,
        config: TrainConfig,
        steps: int,
        trimmer: Trimmer | None = None,
    ) -> None:
        super().__init__()
        replace_dropout(model)
        if config.compile:
            compile_encoder(model)
        self.model, self.data, self.benchmark, self.config, self.steps = model, data, benchmark, config, steps
        self.trimmer = trimmer
        self.validated: list[Validated] = []
        self.validated_at = -1  # optimizer step of the last validation

    def training_step(self, part: TrainingBatch, index: int) -> Tensor:
        """Loss of one batch. Raises Diverged where it is not finite in any process, before the weights are touched."""
        # dropout depends on the seed and the batch alone, so a resumed run, or one of more processes, draws what the
        # whole run of one process would have drawn
        torch.manual_seed(self.config.seed * 1_000_003 + part.number)
        with self.data.processes.together(), explained_memory():
            batch = assemble(self.data.train.features, part.windows, self.data.layout)
            loss = self._loss(batch, span_logits(self.model, batch, self.device))
            if not torch.isfinite(loss):
                raise Diverged(f"the loss is {loss.item()} at step {self.global_step + 1}")
        self.log("train_loss", loss, batch_size=len(part.windows))
        return loss if part.counts else 0 * loss

    def validation_step(self, windows: NDArray[np.int64], index: int) -> None:
        """Reduce a batch to its best spans, on the same path as every other prediction."""
        batch = assemble(self.dev.features, windows, self.data.layout)
        with as_written():
            logits = span_logits(self.model, batch, self.device)
        loss = self._loss(batch, logits)
        spans = reduce(batch, tuple(one.cpu().numpy() for one in logits), self.config.decoding)
        self.validated.append(Validated(float(loss), len(windows), spans))

    def on_validation_epoch_end(self) -> None:
        """Loss and official scores of the decoded answers, the same in all processes."""
        processes = self.data.processes
        parts = processes.gather(self.validated)
        self.validated, self.validated_at = [], self.trainer.global_step
        scores = self._scores(in_turn(parts)) if processes.first else None
        for name, value in processes.broadcast(scores).items():
            self.log(name, value)

    def _scores(self, validated: list[Validated]) -> dict[str, float]:
        rule = self.benchmark.rule
        threshold = (self.config.null_threshold or 0.0) if rule.has_null else None
        spans = [part.spans for part in validated]
        examples, features, layout = self.dev.examples, self.dev.features, self.data.layout
        predictions = finish(examples, features, spans, layout, self.config.decoding, threshold)
        if self.trimmer is not None:
            predictions = trim(examples, features, predictions, layout, self.trimmer, threshold)
        texts = {prediction.id: prediction.text for prediction in predictions}
        scores = metrics.evaluate(self.dev.examples, texts, rule)
        loss = 0.0
        for part in validated:
            loss += part.loss * part.windows
        return {
            "dev_loss": loss / sum(part.windows for part in validated),
            "dev_em": float(scores[rule.exact_match_key]),
            "dev_f1": float(scores[rule.f1_key]),
        }

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

    @property
    def dev(self) -> Split:
        """The split that is validated on."""
        assert self.data.dev is not None, "Lightning validates only where there is a dev split"
        return self.data.dev

    def _loss(self, batch: Batch, logits: tuple[Tensor, ...]) -> Tensor:
        """The sum of the heads' losses."""
        lengths = to_tensor(batch.lengths, self.device)
        losses = [
            span_loss(start, end, lengths, *(to_tensor(label, self.device) for label in labels))
            for start, end, labels in zip(logits[::2], logits[1::2], batch.labels(len(logits) // 2), strict=True)
        ]
        return torch.stack(losses).sum()
