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
from dokhae.model.finding import quiet
from dokhae.model.inputs import first_position, longest_input
from dokhae.model.padding import to_tensor

log = logging.getLogger("dokhae")
PROBE = (5, 90, 1, 24)  # tokens of the windows that a model is asked with
CPU_SIZES, GPU_SIZES = 32, 16  # of rows between two powers of two: at most 3% of a row is padding, and 6%
ALIKE = 1e-4  # of the range of the logits: rounding stays well below it, a look across a seam far above


def is_packed(model: Any) -> bool:  # noqa: ANN401
    """Whether the model reads windows end to end."""
    return getattr(getattr(model, "config", None), "_attn_implementation", None) == PACKED


def pack(model: Any) -> bool:  # noqa: ANN401 - a transformers model
    """Let a model read windows end to end where it then says the same as of padded windows; says whether.

    The model itself is asked, with some windows both ways: embeddings that look at their neighbours (MobileBERT),
    attention of a model's own (DeBERTa, XLNet, BigBird), or a head that pools more than the first token of a window,
    give other logits or fail.
    """
    before, training, same = model.config._attn_implementation, model.training, False
    try:
        with torch.no_grad(), quiet():
            model.eval().set_attn_implementation(PACKED)
            # else it has attention of its own, or what no windows of a few tokens show
            if is_packed(model) and not _turns_by_the_longest(model.config):
                packed = ask_row(model)
                model.set_attn_implementation(before)
                padded = _ask_each(model)
                span = (padded.amax(0) - padded.amin(0)).max()  # a head of zeros says the same of every token
                same = bool(span > 0 and (packed - padded).abs().max() <= ALIKE * span)
    except Exception as error:  # whatever a model says to arguments that it does not know
        log.debug("%s does not take windows end to end: %s", type(model).__name__, error)
    finally:
        if same:
            model.config.output_attentions = False  # nobody asks for them, and it could not be saved with them
            model.set_attn_implementation(PACKED)
        else:
            _unpack(model, before)
        model.train(training)
    return same


def _turns_by_the_longest(config: Any) -> bool:  # noqa: ANN401 - of transformers
    """Whether rotary frequencies hang on the last of all positions: then so do they on the neighbours of a window.

    Source: transformers' `dynamic_rope_update`.
    """
    found = getattr(config, "rope_parameters", None) or {}
    kinds = [found, *(one for one in found.values() if isinstance(one, dict))]  # of all layers, or by their kind
    return any(one.get("rope_type") in ("dynamic", "longrope") for one in kinds)


def _unpack(model: Any, attention: str) -> None:  # noqa: ANN401
    if is_packed(model):
        model.set_attn_implementation(attention)
    encoder = model.base_model
    for number in [number for number, hook in encoder._forward_hooks.items() if hook is first_tokens]:
        del encoder._forward_hooks[number], encoder._forward_hooks_with_kwargs[number]


def _windows(model: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:  # noqa: ANN401
    """Token ids of the windows of PROBE, one after another, and how many each has."""
    lengths = np.array([min(length, longest_input(model) or length) for length in PROBE])
    known, padding = model.get_input_embeddings().num_embeddings, model.config.pad_token_id or 0
    ids = np.random.default_rng(0).integers(0, known, lengths.sum())
    ids[ids == padding] = (padding + 1) % known
    return ids, lengths


def ask_row(model: Any) -> Tensor:  # noqa: ANN401
    """What a model says of the windows in one row."""
    ids, lengths = _windows(model)
    row = in_one_row(model, ids, np.zeros_like(ids), lengths, next(model.parameters()).device)
    output = model(**row)
    if "logits" in output:  # of whole windows, and so far of the first one alone
        _show_first_tokens(model)
        return _said(model(**row))
    return _said(output)[: len(ids)]


def _ask_each(model: Any) -> Tensor:  # noqa: ANN401
    """What it says of them one by one, one after another."""
    ids, lengths = _windows(model)
    device = next(model.parameters()).device
    parts = np.split(ids, np.cumsum(lengths)[:-1])
    return torch.cat([_said(model(input_ids=to_tensor(part[None], device))) for part in parts])


def _said(output: Any) -> Tensor:  # noqa: ANN401 - a ModelOutput of transformers
    """A row's start and end logits, (token, 2); or a classifier's, (window, label); or an encoder's states."""
    if "start_logits" in output:
        return torch.stack([output.start_logits[0], output.end_logits[0]], dim=-1)
    states: Tensor = output.logits if "logits" in output else output.last_hidden_state[0]
    return states


def _show_first_tokens(model: Any) -> None:  # noqa: ANN401
    """Let the head of a classifier see the windows of a row as texts of one token each, their first."""
    if first_tokens not in model.base_model._forward_hooks.values():
        model.base_model.register_forward_hook(first_tokens, with_kwargs=True)


def first_tokens(encoder: Any, inputs: tuple[Any, ...], options: dict[str, Any], output: Any) -> Any:  # noqa: ANN401
    """A forward hook: what an encoder says of a row's windows, each by its first token; padded rows as they are."""
    seams: Seams | None = options.get("seams")
    if seams is None:
        return output
    first = output.last_hidden_state[0, seams.firsts.long(), None]  # (window, 1, hidden)
    output["last_hidden_state"] = first
    if output.get("pooler_output") is not None:
        activate = getattr(encoder, "pooler_activation", None)  # ALBERT's pooler is a layer alone
        output["pooler_output"] = activate(encoder.pooler(first[:, 0])) if activate else encoder.pooler(first)
    return output


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

    Padding may stand behind the windows, whose logits are the last ones.
    """
    row = _row_of(model)
    places = _places(ids, lengths, row)
    on_cpu = torch.device(device).type == "cpu"
    padding, seams = with_padding(lengths, device, CPU_SIZES if on_cpu else GPU_SIZES if model.training else None)
    filler = 0, padding
    made = {
        "input_ids": np.pad(ids, filler, constant_values=row.padding),
        "token_type_ids": np.pad(types, filler),
        "position_ids": np.pad(places, filler, constant_values=row.first_position),
    }
    tensors = {name: to_tensor(made[name][None], device) for name in row.names}
    return {**tensors, "seams": seams}


def _places(ids: NDArray[np.int64], lengths: NDArray[np.int64], row: _Row) -> NDArray[np.int64]:
    """The position of each token in its window, (T,), as the model itself counts them."""
    # RoBERTa and its kin do not count padding, which a text may spell out
    counted = np.not_equal(ids, row.padding) if row.first_position else np.ones_like(ids)
    seen = np.append(0, np.cumsum(counted))
    before = np.repeat(seen[np.cumsum(lengths) - lengths], lengths)
    return np.where(counted, seen[1:] - before, 0) + row.first_position - 1


def with_padding(lengths: NDArray[np.int64], device: torch.device | str, sizes: int | None) -> tuple[int, Seams]:
    """Tokens that bring a row to one of so many sizes, a power of two, between two powers of two; and its seams.

    On a CPU oneDNN and torch make kernels for every size that they meet and keep a thousand of them, which with a size
    for each batch would take hundreds of MiB. On a GPU a training is recorded for each size, which takes as long as
    one or two steps. sizes: None for no padding.
    """
    tokens = int(lengths.sum())
    apart = 1 if sizes is None else 1 << max((tokens - 1).bit_length() - sizes.bit_length(), 0)
    padding = -tokens % apart
    return padding, Seams.of(lengths.tolist(), device, padding, apart - 1)
