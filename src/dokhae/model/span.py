"""The span head: a batch of windows -> start and end logits, on any device and precision; its loss."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.model.answering import Answering
from dokhae.model.blocks import block_head
from dokhae.model.packing import in_one_row, is_packed
from dokhae.model.padding import Batch, in_columns, in_padded_rows, of_tokens, refuse_unknown_tokens


def span_logits(model: torch.nn.Module, batch: Batch, device: torch.device | str) -> tuple[Tensor, ...]:
    """Start and end logits of a batch's tokens, float32, (T,), then those of blocks where there is a head for them.

    ModelError where a token id has no embedding.
    The logits of a window do not depend on the other windows of its batch, nor on how far a model has to pad them.
    """
    refuse_unknown_tokens(model, batch)
    if is_packed(model):
        found = _all_logits(model, in_one_row(model, batch.ids, batch.types, batch.lengths, device))
        return tuple(logits[0, : len(batch.ids)].float() for logits in found)
    present = batch.present()

    def ask(inputs: dict[str, Tensor]) -> list[Tensor]:
        return [in_columns(logits, present.shape[1]) for logits in _all_logits(model, inputs)]

    found = in_padded_rows(model, _with_question(model, batch.padded()), present, device, ask)
    return tuple(of_tokens(logits, present) for logits in found)


def _all_logits(model: torch.nn.Module, inputs: dict[str, Any]) -> list[Tensor]:
    """Start and end logits of rows, (row, column), of spans and then of blocks."""
    output = model(**inputs)
    blocks = block_head(model)
    found = [output.start_logits, output.end_logits]
    return found if blocks is None else [*found, *blocks.take().unbind(-1)]


def _with_question(model: Any, inputs: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:  # noqa: ANN401
    """The inputs, and which tokens every other one attends to where the model asks for that: CLS and question.

    Longformer finds them itself, but stops with an assertion where a text holds one more separator.
    """
    made = dict(inputs)
    separator = getattr(getattr(model, "config", None), "sep_token_id", None)
    if separator is not None and "global_attention_mask" in inspect.signature(model.forward).parameters:
        question = np.cumsum(inputs["input_ids"] == separator, axis=1) == 0
        made["global_attention_mask"] = question.astype(np.int64)
    return made


def span_loss(start: Tensor, end: Tensor, lengths: Tensor, start_labels: Tensor, end_labels: Tensor) -> Tensor:
    """Mean of the cross entropies of start and end over the tokens of each window.

    start, end: logits, (T,). lengths: (R,) tokens of each window. start_labels, end_labels: (R,) places among the T.
    Source: Devlin et al. 2019.
    """
    losses = [
        (_log_sum_exp(logits, lengths) - logits[labels]).mean()
        for logits, labels in ((start, start_labels), (end, end_labels))
    ]
    return (losses[0] + losses[1]) / 2


def _log_sum_exp(logits: Tensor, lengths: Tensor) -> Tensor:
    """Of each window, (R,)."""
    windows = torch.arange(len(lengths), device=lengths.device)
    window = windows.repeat_interleave(lengths, output_size=len(logits))
    lowest = logits.new_full((len(lengths),), float("-inf"))
    highest = lowest.scatter_reduce(0, window, logits.detach(), "amax")
    total = torch.zeros_like(highest).index_add(0, window, (logits - highest[window]).exp())
    return total.log() + highest


class TorchScore(Answering):
    """A model as the `score` that dokhae.predict asks for."""

    def __call__(self, batch: Batch) -> tuple[NDArray[np.float32], ...]:
        """Start and end logits, (T,), then those of blocks where the model has a head for them."""
        with self.running():
            found = span_logits(self.model, batch, self.device)
        return tuple(logits.cpu().numpy() for logits in found)
