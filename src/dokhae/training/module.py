"""What is trained and how: the loss of a batch, validation by the official metric on decoded answers, AdamW."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor

from dokhae import metrics
from dokhae.benchmarks import Benchmark
from dokhae.decoding import WindowSpans
from dokhae.encoding import Batch, assemble
from dokhae.model.dropout import replace_dropout
from dokhae.model.span import span_logits, span_loss, to_tensor
from dokhae.predict import finish, reduce
from dokhae.training.checkpoints import Diverged
from dokhae.training.config import TrainConfig
from dokhae.training.data import ReaderData, Split
from dokhae.training.optimizers import make_optimizer, make_schedule


class ReaderModule(pl.LightningModule):
    """An encoder with a span head in training."""

    def __init__(self, model: Any, data: ReaderData, benchmark: Benchmark, config: TrainConfig, steps: int) -> None:  # noqa: ANN401
        super().__init__()
        replace_dropout(model)
        self.model, self.data, self.benchmark, self.config, self.steps = model, data, benchmark, config, steps
        self.validated: list[WindowSpans] = []
        self.validated_at = -1  # optimizer step of the last validation

    def training_step(self, windows: NDArray[np.int64], index: int) -> Tensor:
        """Loss of one batch. Raises Diverged where it is not finite, before the weights are touched."""
        # dropout depends on the seed and the batch alone, so a resumed run draws what the whole run would have drawn
        torch.manual_seed(self.config.seed * 1_000_003 + self.trainer.fit_loop.epoch_loop.total_batch_idx)
        batch = assemble(self.data.train.features, windows, self.data.layout)
        start, end = span_logits(self.model, batch, self.device)
        loss = self._loss(batch, start, end)
        if not torch.isfinite(loss):
            raise Diverged(f"the loss is {loss.item()} at step {self.global_step + 1}")
        self.log("train_loss", loss, batch_size=len(windows))
        return loss

    def validation_step(self, windows: NDArray[np.int64], index: int) -> None:
        """Reduce a batch to its best spans, on the same path as every other prediction."""
        batch = assemble(self.dev.features, windows, self.data.layout)
        start, end = span_logits(self.model, batch, self.device)
        self.log("dev_loss", self._loss(batch, start, end), batch_size=len(windows))
        self.validated.append(reduce(batch, start.cpu().numpy(), end.cpu().numpy(), self.config.decoding))

    def on_validation_epoch_end(self) -> None:
        """Official scores of the decoded answers."""
        rule = self.benchmark.rule
        threshold = (self.config.null_threshold or 0.0) if rule.has_null else None
        spans, self.validated = self.validated, []
        self.validated_at = self.trainer.global_step
        predictions = finish(self.dev.examples, self.dev.features, spans, self.config.decoding, threshold)
        texts = {prediction.id: prediction.text for prediction in predictions}
        scores = metrics.evaluate(self.dev.examples, texts, rule)
        self.log("dev_em", float(scores[rule.exact_match_key]))
        self.log("dev_f1", float(scores[rule.f1_key]))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW and its schedule by steps."""
        optimizer = make_optimizer(self.model, self.config)
        schedule = make_schedule(optimizer, self.config, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @property
    def dev(self) -> Split:
        """The split that is validated on."""
        assert self.data.dev is not None, "Lightning validates only where there is a dev split"
        return self.data.dev

    def _loss(self, batch: Batch, start: Tensor, end: Tensor) -> Tensor:
        lengths, start_labels, end_labels = (
            to_tensor(array, self.device) for array in (batch.lengths, batch.start_labels, batch.end_labels)
        )
        return span_loss(start, end, lengths, start_labels, end_labels)
