"""Windows end to end in one row, in models for which that is exact: the model is asked, and given its row.

The idea: unpadded BERTs (MosaicBERT, Portes et al. 2023).
"""

from __future__ import annotations

import inspect
import logging
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dokhae.model.attention import PACKED, Seams
from dokhae.model.inputs import first_position, longest_input
from dokhae.model.loading import quiet

log = logging.getLogger("dokhae")
PROBE = (5, 90, 1, 24)  # tokens of the windows that a model is asked with
ALIKE = 1e-4  # of the range of the logits: rounding stays well below it, a look across a seam far above


def is_packed(model: Any) -> bool:  # noqa: ANN401
    """Whether the model reads windows end to end."""
    return getattr(getattr(model, "config", None), "_attn_implementation", None) == PACKED


def pack(model: Any) -> bool:  # noqa: ANN401 - a transformers model
    """Let a model read windows end to end where its logits are then those of padded windows; says whether.

    The model itself is asked, with some windows both ways: embeddings that look at their neighbours (MobileBERT), or
    attention of a model's own (DeBERTa, XLNet, BigBird), give other logits or fail.
    """
    before, training = model.config._attn_implementation, model.training
    try:
        with torch.no_grad(), quiet():
            model.eval().set_attn_implementation(PACKED)
            if not is_packed(model):  # attention of its own
                return False
            packed = _probe(model, packed=True)
            model.set_attn_implementation(before)
            padded = _probe(model, packed=False)
    except Exception as error:  # whatever a model says to arguments that it does not know
        log.debug("%s does not take windows end to end: %s", type(model).__name__, error)
        return False
    finally:
        if is_packed(model):
            model.set_attn_implementation(before)
        model.train(training)
    same = bool((packed - padded).abs().max() <= ALIKE * (padded.max() - padded.min()))
    if same:
        model.set_attn_implementation(PACKED)
    return same


def _probe(model: Any, packed: bool) -> Tensor:  # noqa: ANN401
    """Start and end logits of the windows of PROBE, (2, token)."""
    lengths = np.array([min(length, longest_input(model) or length) for length in PROBE])
    ids = np.random.default_rng(0).integers(0, model.get_input_embeddings().num_embeddings, lengths.sum())
    ids[ids == (model.config.pad_token_id or 0)] = 1 + (model.config.pad_token_id or 0)
    device = next(model.parameters()).device
    if packed:
        output = model(**in_one_row(model, ids, np.zeros_like(ids), lengths, device))
        return torch.stack([output.start_logits[0], output.end_logits[0]])[:, : len(ids)]
    parts = []
    for window in np.split(ids, np.cumsum(lengths)[:-1]):
        output = model(input_ids=torch.from_numpy(window)[None].to(device))
        parts.append(torch.stack([output.start_logits[0], output.end_logits[0]]))
    return torch.cat(parts, dim=1)


class _Row(NamedTuple):
    """What a model takes of a row."""

    names: tuple[str, ...]  # of its inputs
    first_position: int
    padding: int  # a token's id


_rows: WeakKeyDictionary[torch.nn.Module, _Row] = WeakKeyDictionary()  # models are slow to ask


def _row_of(model: Any) -> _Row:  # noqa: ANN401
    if model not in _rows:
        takes = inspect.signature(model.forward).parameters
        types = getattr(model.config, "type_vocab_size", 2) or 0
        names = ("input_ids", "position_ids", *(["token_type_ids"] if types > 1 else []))
        _rows[model] = _Row(
            tuple(name for name in names if name in takes), first_position(model), model.config.pad_token_id or 0
        )
    return _rows[model]


def in_one_row(
    model: Any,  # noqa: ANN401
    ids: NDArray[np.int64],
    types: NDArray[np.int64],
    lengths: NDArray[np.int64],
    device: torch.device | str,
) -> dict[str, Any]:
    """What a packed model is given. ids, types: (T,); lengths: (R,). Positions begin anew with every window.

    On a CPU padding may stand behind the windows, whose logits are the last ones.
    """
    row = _row_of(model)
    places = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + row.first_position
    filler = (0, _filler(len(ids)) if torch.device(device).type == "cpu" else 0)
    made = {
        "input_ids": np.pad(ids, filler, constant_values=row.padding),
        "token_type_ids": np.pad(types, filler),
        "position_ids": np.pad(places, filler, constant_values=row.first_position),
    }
    tensors = {name: torch.from_numpy(made[name])[None].to(device) for name in row.names}
    return {**tensors, "seams": Seams.of(lengths.tolist(), device)}


def _filler(tokens: int) -> int:
    """Tokens that bring a row to one of 32 sizes between two powers of two, at most 3% of it.

    oneDNN and torch make kernels for every size that they meet and keep a thousand of them, which with a size for each
    batch would take hundreds of MiB.
    """
    return -tokens % (1 << max(tokens.bit_length() - 6, 0))
