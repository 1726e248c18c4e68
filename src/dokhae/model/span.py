"""The span head: a batch of windows -> start and end logits, on any device and precision; its loss."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.errors import ModelError, OutOfMemory
from dokhae.model.blocks import block_head
from dokhae.model.devices import AUTOCAST, Precision, autocast
from dokhae.model.frozen import frozen
from dokhae.model.packing import in_one_row, is_packed

Ints = NDArray[np.int64]


class Batch(Protocol):
    """What a model asks of dokhae.encoding.Batch: R windows of T tokens, end to end, or padded to C columns."""

    @property
    def ids(self) -> Ints:
        """(T,)"""

    @property
    def types(self) -> Ints:
        """(T,)"""

    @property
    def lengths(self) -> Ints:
        """(R,)"""

    def present(self) -> NDArray[np.bool_]:
        """(R, C) where tokens are when padded."""

    def padded(self) -> dict[str, Ints]:
        """The model's inputs, each (R, C)."""


def to_tensor(array: NDArray[np.generic], device: torch.device | str) -> Tensor:
    """A numpy array as a tensor on a device."""
    return torch.from_numpy(array).to(device)


def span_logits(model: torch.nn.Module, batch: Batch, device: torch.device | str) -> tuple[Tensor, ...]:
    """Start and end logits of a batch's tokens, float32, (T,), then those of blocks where there is a head for them.

    ModelError where a token id has no embedding.
    The logits of a window do not depend on the other windows of its batch, nor on how far a model has to pad them.
    """
    embeddings = getattr(model, "get_input_embeddings", lambda: None)()
    known, highest = getattr(embeddings, "num_embeddings", np.inf), batch.ids.max(initial=0)
    if highest >= known:  # a GPU would only stop with an assertion of its own, and be lost to the process
        raise ModelError(f"token {highest} has no embedding, the model has {known}: its tokenizer is another model's")
    if is_packed(model):
        found = _all_logits(model, in_one_row(model, batch.ids, batch.types, batch.lengths, device))
        return tuple(logits[0, : len(batch.ids)].float() for logits in found)
    present = to_tensor(batch.present(), device)
    return tuple(logits[present] for logits in _padded_logits(model, batch.padded(), device))


def _all_logits(model: torch.nn.Module, inputs: dict[str, Any]) -> list[Tensor]:
    """Start and end logits of rows, (row, column), of spans and then of blocks."""
    output = model(**inputs)
    blocks = block_head(model)
    found = [output.start_logits, output.end_logits]
    return found if blocks is None else [*found, *blocks.take().unbind(-1)]


def _padded_logits(
    model: torch.nn.Module, inputs: dict[str, NDArray[np.int64]], device: torch.device | str
) -> tuple[Tensor, ...]:
    """The logits of padded windows, float32, (window, column) each."""
    columns = inputs["input_ids"].shape[1]
    rows, logits = [], []
    for part in _parts(model, _with_question(model, inputs)):
        with torch.autocast(torch.device(device).type, enabled=False) if part.unmixed else contextlib.nullcontext():
            made = _all_logits(model, {name: to_tensor(array, device) for name, array in part.inputs.items()})
        found = torch.stack(made).float()
        rows.append(part.rows)
        logits.append(torch.nn.functional.pad(found, (0, columns - found.shape[-1])))  # below 0: cut off
    if len(rows) == 1:
        return logits[0].unbind()
    return torch.cat(logits, dim=1)[:, np.argsort(np.concatenate(rows))].unbind()


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


class _Part(NamedTuple):
    """Some rows of a batch that are run together."""

    rows: NDArray[np.int64]  # their numbers
    inputs: dict[str, NDArray[np.int64]]
    unmixed: bool = False  # in float32, whatever the rest is run in


def _parts(model: Any, inputs: dict[str, NDArray[np.int64]]) -> Iterator[_Part]:  # noqa: ANN401
    """The rows that may be run together, as wide as the model's own code wants them."""
    config: Any = getattr(model, "config", None)
    if getattr(config, "attention_type", None) == "block_sparse":
        yield from _block_parts(model, inputs)
        return
    rows, columns = inputs["input_ids"].shape
    width = columns
    if getattr(config, "trigram_input", False) and columns < config.max_position_embeddings:
        width = columns + 1  # a last token is mixed with what follows it: let that be padding in every batch
    if getattr(config, "attention_window", None) is not None:
        width = -(-columns // np.max(config.attention_window)) * np.max(config.attention_window)
    yield _Part(np.arange(rows), _resized(inputs, int(width), config))


def _block_parts(model: Any, inputs: dict[str, NDArray[np.int64]]) -> Iterator[_Part]:  # noqa: ANN401
    """Rows of as many blocks, for all tokens see the last block; few blocks are attended to in full.

    BigBird itself goes by the width of the batch, and once it has met a narrow one it stays with full attention. Its
    sparse attention cannot mix precisions (transformers 5.23: scatter() of float32 into the narrower type).
    """
    config = model.config
    switch = next(module.set_attention_type for module in model.modules() if hasattr(module, "set_attention_type"))
    mask = inputs["attention_mask"]
    lengths = mask.shape[1] - np.argmax(mask[:, ::-1], axis=1)
    blocks = -(-lengths // config.block_size)
    blocks[blocks <= 5 + 2 * config.num_random_blocks] = 0
    for count in np.unique(blocks).tolist():
        rows = np.flatnonzero(blocks == count)
        width = count * config.block_size or int(lengths[rows].max())
        with torch.device("meta"):  # the attention it makes is given the weights of the old one at once
            switch("block_sparse" if count else "original_full")
        part = {name: array[rows] for name, array in inputs.items()}
        yield _Part(rows, _resized(part, width, config), unmixed=count > 0)


def _resized(
    inputs: dict[str, NDArray[np.int64]],
    width: int,
    config: Any,  # noqa: ANN401
) -> dict[str, NDArray[np.int64]]:
    """Inputs of `width` columns: padded at the right, or padding cut off there."""
    columns = inputs["input_ids"].shape[1]
    if width <= columns:
        return {name: array[:, :width] for name, array in inputs.items()}
    padding = {"input_ids": config.pad_token_id or 0}
    return {
        name: np.pad(array, ((0, 0), (0, width - columns)), constant_values=padding.get(name, 0))
        for name, array in inputs.items()
    }


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


class TorchScore:
    """A model as the `score` that dokhae.predict asks for."""

    def __init__(self, model: Any, device: torch.device | str = "cpu", precision: Precision = "fp32") -> None:  # noqa: ANN401
        self.device = torch.device(device)
        self.precision = precision
        self.model = model.to(self.device).eval()
        if self.device.type == "cpu":
            self.model = frozen(model, AUTOCAST.get(precision, torch.float32))
        if self.model is not model:  # then its layers are in that precision themselves
            self.precision = "fp32"

    def __call__(self, batch: Batch) -> tuple[NDArray[np.float32], ...]:
        """Start and end logits, (T,), then those of blocks where the model has a head for them."""
        with explained_memory(), torch.inference_mode(), autocast(self.device, self.precision):
            found = span_logits(self.model, batch, self.device)
        return tuple(logits.cpu().numpy() for logits in found)


@contextlib.contextmanager
def explained_memory() -> Iterator[None]:
    """OutOfMemory with advice where the device has too little memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = str(error).partition(".")[0]
        raise OutOfMemory(f"too little memory on the device ({reason}); lower batch_size (in training, raise "
                         "optimizer.accumulate as much) or max_length, or use --precision bf16") from None  # fmt: skip
