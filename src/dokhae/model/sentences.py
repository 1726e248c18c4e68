"""Texts as wholes: a batch -> logits of classes, or hidden states of chosen layers; the loss of the former."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from dokhae.model.answering import Answering
from dokhae.model.devices import Precision
from dokhae.model.packing import in_one_row, is_packed
from dokhae.model.padding import Batch, in_columns, in_padded_rows, of_tokens, refuse_unknown_tokens, to_tensor

# one vector for each token; or for each text: its CLS token's, or the mean over its tokens, special ones included
Pooling = Literal["none", "cls", "mean"]


def class_logits(model: Any, batch: Batch, device: torch.device | str) -> Tensor:  # noqa: ANN401
    """A classifier's logits of a batch's texts, float32, (R, labels). ModelError where a token id has no embedding.

    Those of a text do not depend on the other texts of its batch.
    """
    refuse_unknown_tokens(model, batch)
    if is_packed(model):
        logits: Tensor = model(**in_one_row(model, batch.ids, batch.types, batch.lengths, device)).logits
        return logits.float()
    return in_padded_rows(model, batch.padded(), batch.present(), device, lambda inputs: [model(**inputs).logits])[0]


def class_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of (R, labels) for int64 labels, (R,); of (R, 1) the mean squared error for float ones."""
    if labels.is_floating_point():
        return mse_loss(logits.squeeze(-1), labels.to(logits.dtype))
    return cross_entropy(logits, labels)


def hidden_states(
    model: Any,  # noqa: ANN401 - a transformers model
    batch: Batch,
    device: torch.device | str,
    layers: Sequence[int],
) -> list[Tensor]:
    """The states of a batch's tokens after each of some layers, float32, (T, hidden); ModelError as class_logits.

    layers: 0 is the embeddings, 1 the first layer, -1 the last one.
    """
    refuse_unknown_tokens(model, batch)
    if is_packed(model):
        row = in_one_row(model, batch.ids, batch.types, batch.lengths, device)
        found = model(**row, output_hidden_states=True).hidden_states
        return [found[layer][0, : len(batch.ids)].float() for layer in layers]
    present = batch.present()

    def ask(inputs: dict[str, Tensor]) -> list[Tensor]:
        found = model(**inputs, output_hidden_states=True).hidden_states
        return [in_columns(found[layer], present.shape[1]) for layer in layers]

    return [of_tokens(states, present) for states in in_padded_rows(model, batch.padded(), present, device, ask)]


class ClassScore(Answering):
    """A classifier that only answers."""

    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """The logits of a batch's texts, (R, labels)."""
        with self.running():
            found = class_logits(self.model, batch, self.device)
        return found.cpu().numpy()


class HiddenScore(Answering):
    """An encoder that only answers, with the states of some layers, of each token or of each text."""

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - a transformers model
        layers: Sequence[int],
        device: torch.device | str = "cpu",
        precision: Precision = "fp32",
        pooling: Pooling = "none",
    ) -> None:
        super().__init__(model, device, precision)
        self.layers, self.pooling = layers, pooling

    def __call__(self, batch: Batch) -> list[NDArray[np.float32]]:
        """The states of a batch after each layer, (T, hidden), or (R, hidden) where they are pooled."""
        with self.running():
            found = hidden_states(self.model, batch, self.device, self.layers)
            pooled = [pool(states, batch, self.pooling) for states in found]
        return [states.cpu().numpy() for states in pooled]


def pool(states: Tensor, batch: Batch, pooling: Pooling) -> Tensor:
    """States of a batch's tokens, (T, hidden), as `pooling` says: the same, or one for each text, (R, hidden)."""
    if pooling == "none":
        return states
    if pooling == "cls":
        return states[to_tensor(batch.cls, states.device)]
    lengths = to_tensor(batch.lengths, states.device)
    texts = torch.arange(len(lengths), device=states.device).repeat_interleave(lengths, output_size=len(states))
    return states.new_zeros(len(lengths), states.shape[1]).index_add(0, texts, states) / lengths[:, None]
