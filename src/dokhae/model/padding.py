"""Batches as padded rows, for models that do not read them end to end: run so that padding changes nothing."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.errors import ModelError

Ints = NDArray[np.int64]
Ask = Callable[[dict[str, Tensor]], list[Tensor]]  # a model's inputs, (row, column) each -> what it says, (row, …) each


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

    @property
    def cls(self) -> Ints:
        """(R,) place of the CLS token among the T."""

    def present(self) -> NDArray[np.bool_]:
        """(R, C) where tokens are when padded."""

    def padded(self) -> dict[str, Ints]:
        """The model's inputs, each (R, C)."""


def to_tensor(values: NDArray[np.generic] | Tensor, device: torch.device | str) -> Tensor:
    """An array, or a tensor in the CPU's memory, as a tensor on a device. All that a batch sends there goes this way.

    A copy from pageable memory would make the host wait until the GPU had done all that it was given before; one from
    pinned memory is only put in the queue (torch keeps that memory until the copy is done).
    """
    tensor = values if isinstance(values, Tensor) else torch.from_numpy(values)
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def refuse_unknown_tokens(model: Any, batch: Batch) -> None:  # noqa: ANN401 - a transformers model
    """ModelError where a token id of the batch has no embedding."""
    embeddings = getattr(model, "get_input_embeddings", lambda: None)()
    known, highest = getattr(embeddings, "num_embeddings", np.inf), batch.ids.max(initial=0)
    if highest >= known:  # a GPU would only stop with an assertion of its own, and be lost to the process
        raise ModelError(f"token {highest} has no embedding, the model has {known}: its tokenizer is another model's")


def in_padded_rows(
    model: Any,  # noqa: ANN401 - a transformers model
    inputs: Mapping[str, Ints],
    present: NDArray[np.bool_],
    device: torch.device | str,
    ask: Ask,
) -> list[Tensor]:
    """What `ask` gets from the model for padded inputs, float32, (R, …) each; rows are run together that may be.

    present: (R, C), where tokens are.
    """
    rows, found = [], []
    with _alone(model):
        for part in _parts(model, dict(inputs), present):
            with torch.autocast(torch.device(device).type, enabled=False) if part.unmixed else contextlib.nullcontext():
                made = ask({name: to_tensor(array, device) for name, array in part.inputs.items()})
            rows.append(part.rows)
            found.append([one.float() for one in made])
    if len(rows) == 1:
        return found[0]
    order = to_tensor(np.argsort(np.concatenate(rows)), device)
    return [torch.cat(same)[order] for same in zip(*found, strict=True)]


def is_run_in_parts(model: Any) -> bool:  # noqa: ANN401 - a transformers model
    """Whether a batch may take several passes of a model, as many as its windows have lengths."""
    return _is_sparse(model) or "attention_mask" not in inspect.signature(model.forward).parameters


def in_columns(values: Tensor, columns: int) -> Tensor:
    """Values of tokens (row, column, …) with so many columns: 0 is added, or padding cut off."""
    more = columns - values.shape[1]
    return torch.nn.functional.pad(values, (0, 0) * (values.ndim - 2) + (0, more))  # below 0: cut off


def of_tokens(values: Tensor, present: NDArray[np.bool_]) -> Tensor:
    """Values of padded tokens (row, column, …) without the padding, (T, …). present: (R, C), where tokens are.

    The places are counted on the CPU: a GPU would have to tell the host how many there are, which would wait for it.
    """
    return values.flatten(0, 1).index_select(0, to_tensor(np.flatnonzero(present), values.device))


class _Part(NamedTuple):
    """Some rows of a batch that are run together."""

    rows: NDArray[np.int64]  # their numbers
    inputs: dict[str, NDArray[np.int64]]
    unmixed: bool = False  # in float32, whatever the rest is run in


_locks: WeakKeyDictionary[torch.nn.Module, threading.Lock] = WeakKeyDictionary()


def _alone(model: Any) -> contextlib.AbstractContextManager[Any]:  # noqa: ANN401
    """For a block that other threads wait for, where the model itself is changed between two parts of a batch."""
    return _locks.setdefault(model, threading.Lock()) if _is_sparse(model) else contextlib.nullcontext()


def _is_sparse(model: Any) -> bool:  # noqa: ANN401
    return getattr(getattr(model, "config", None), "attention_type", None) == "block_sparse"


def _parts(
    model: Any,  # noqa: ANN401
    inputs: dict[str, NDArray[np.int64]],
    present: NDArray[np.bool_],
) -> Iterator[_Part]:
    """The rows that may be run together, as wide as the model's own code wants them."""
    config: Any = getattr(model, "config", None)
    if "attention_mask" not in inputs:  # FNet mixes what stands in a row, padding included
        yield from _equally_long_parts(inputs, present)
        return
    if _is_sparse(model):
        yield from _block_parts(model, inputs)
        return
    rows, columns = inputs["input_ids"].shape
    width = columns
    if getattr(config, "trigram_input", False) and columns < config.max_position_embeddings:
        width = columns + 1  # a last token is mixed with what follows it: let that be padding in every batch
    if getattr(config, "attention_window", None) is not None:
        width = -(-columns // np.max(config.attention_window)) * np.max(config.attention_window)
    yield _Part(np.arange(rows), _resized(inputs, int(width), config))


def _equally_long_parts(inputs: dict[str, NDArray[np.int64]], present: NDArray[np.bool_]) -> Iterator[_Part]:
    """Rows of as many tokens, which need no padding."""
    lengths = present.sum(axis=1)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        tokens = present[rows]
        yield _Part(rows, {name: array[rows][tokens].reshape(len(rows), length) for name, array in inputs.items()})


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
