"""Windows end to end in one row: attention that stays within each of them, in models for which that is exact.

transformers' models call a registered function for their attention and hand it whatever their forward was given besides
its own arguments; so it learns where the windows lie. The idea: unpadded BERTs (MosaicBERT, Portes et al. 2023).
"""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from dokhae.model.dropout import dropout_factors
from dokhae.model.inputs import first_position, longest_input
from dokhae.model.loading import quiet

log = logging.getLogger("dokhae")
PACKED = "dokhae_packed"  # the name under which transformers knows the attention
PROBE = (5, 90, 1, 24)  # tokens of the windows that a model is asked with
ALIKE = 1e-4  # of the range of the logits: rounding stays well below it, a look across a seam far above


@dataclass(frozen=True, slots=True)
class Seams:
    """Where the windows of a row lie."""

    lengths: tuple[int, ...]
    bounds: Tensor  # int32, (windows + 1,), on the device

    @classmethod
    def of(cls, lengths: list[int], device: torch.device | str) -> Seams:
        """The seams of windows of these lengths."""
        bounds = torch.zeros(len(lengths) + 1, dtype=torch.int32)
        torch.cumsum(torch.tensor(lengths), 0, out=bounds[1:])
        return cls(tuple(lengths), bounds.to(device))


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
        return torch.stack([output.start_logits[0], output.end_logits[0]])
    parts = []
    for window in np.split(ids, np.cumsum(lengths)[:-1]):
        output = model(input_ids=torch.from_numpy(window)[None].to(device))
        parts.append(torch.stack([output.start_logits[0], output.end_logits[0]]))
    return torch.cat(parts, dim=1)


def in_one_row(
    model: Any,  # noqa: ANN401
    ids: NDArray[np.int64],
    types: NDArray[np.int64],
    lengths: NDArray[np.int64],
    device: torch.device | str,
) -> dict[str, Any]:
    """What a packed model is given. ids, types: (T,); lengths: (R,). Positions begin anew with every window."""
    places = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    row = {"input_ids": ids, "token_type_ids": types, "position_ids": places + first_position(model)}
    takes = inspect.signature(model.forward).parameters
    if not (getattr(model.config, "type_vocab_size", 2) or 0) > 1:
        del row["token_type_ids"]
    tensors = {name: torch.from_numpy(array)[None].to(device) for name, array in row.items() if name in takes}
    return {**tensors, "seams": Seams.of(lengths.tolist(), device)}


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    seams: Seams | None = None,
    **options: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Attention as transformers calls it. query, key, value: (1, head, token, size) -> (1, token, head, size).

    seams: None for a batch of padded rows, which transformers' own attention takes. sliding_window: the reach of local
    attention, a token's own place included.
    """
    if seams is None:
        if attention_mask is None:  # no padding, so nothing was made for local attention either
            attention_mask = local_mask(query.shape[2], sliding_window, query.device)
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, False, **options)
    rows = [one.transpose(1, 2)[0] for one in (query, key, value)]  # (token, head, size)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.is_cuda and query.dtype in (torch.float16, torch.bfloat16):
        reach = -1 if sliding_window is None else sliding_window - 1
        longest = max(seams.lengths)
        found = torch.ops.aten._flash_attention_forward(
            *rows, seams.bounds, seams.bounds, longest, longest, dropout, False, False,
            scale=scale, window_size_left=reach, window_size_right=reach,
        )[0]  # fmt: skip
    elif dropout > 0 and query.device.type == "cpu":
        found = _DroppingAttention.apply(*rows, seams, dropout, scale, sliding_window)  # type: ignore[no-untyped-call]
    else:
        found = _attend_by_groups(rows, seams, dropout, scale, sliding_window)
    return found[None], None


def _attend_by_groups(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Fused attention for each group of equal windows. rows: three of (token, head, size) -> the same."""
    sizes = [count * length for count, length in groups(seams)]
    parts = []
    for (count, length), *part in zip(groups(seams), *(torch.split(row, sizes) for row in rows), strict=True):
        query, key, value = (_by_window(one, count) for one in part)
        mask = local_mask(length, reach, query.device)
        made = scaled_dot_product_attention(query, key, value, mask, dropout, scale=scale)
        parts.append(made.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


class _DroppingAttention(torch.autograd.Function):
    """Attention with dropout on a CPU, where torch's fused kernels have none: written out for each group of windows."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        query: Tensor,
        key: Tensor,
        value: Tensor,
        seams: Seams,
        dropout: float,
        scale: float,
        reach: int | None,
    ) -> Tensor:
        """query, key, value: (token, head, size) -> the same."""
        out = torch.empty_like(value, memory_format=torch.contiguous_format)
        kept, at = [], 0
        for count, length in groups(seams):
            part = slice(at, at + count * length)
            q, k, v, o = (_by_window(one[part], count) for one in (query, key, value, out))
            scores = torch.matmul(q, k.transpose(-1, -2)).mul_(scale)
            mask = local_mask(length, reach, query.device)
            if mask is not None:
                scores.masked_fill_(~mask, float("-inf"))
            shares = scores.softmax(-1)
            factors = dropout_factors(shares.shape, dropout, shares.dtype)
            o.copy_(torch.matmul(shares * factors, v))
            kept += [shares, factors]
            at = part.stop
        ctx.save_for_backward(query, key, value, *kept)
        ctx.seams, ctx.scale = seams, scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        query, key, value, *kept = ctx.saved_tensors
        made = [torch.empty(one.shape, dtype=one.dtype) for one in (query, key, value)]
        at = 0
        for number, (count, length) in enumerate(groups(ctx.seams)):
            part = slice(at, at + count * length)
            q, k, v, g, dq, dk, dv = (_by_window(one[part], count) for one in (query, key, value, gradients[0], *made))
            shares, factors = kept[2 * number : 2 * number + 2]
            dropped = shares * factors
            dv.copy_(torch.matmul(dropped.transpose(-1, -2), g))
            change = torch.matmul(g, v.transpose(-1, -2)).mul_(factors)
            change = torch._softmax_backward_data(change, shares, -1, shares.dtype).mul_(ctx.scale)
            dq.copy_(torch.matmul(change, k))
            dk.copy_(torch.matmul(change.transpose(-1, -2), q))
            at = part.stop
        return *made, None, None, None, None


def groups(seams: Seams) -> list[tuple[int, int]]:
    """Neighbouring windows of equal length: how many, and their tokens."""
    return [(len(list(same)), length) for length, same in groupby(seams.lengths)]


def _by_window(rows: Tensor, count: int) -> Tensor:
    """(token, head, size) -> (window, head, token, size)."""
    return rows.view(count, len(rows) // count, *rows.shape[1:]).transpose(1, 2)


def local_mask(length: int, reach: int | None, device: torch.device) -> Tensor | None:
    """Which tokens see which, (token, token); None where each sees all."""
    if reach is None or reach >= length:
        return None
    place = torch.arange(length, device=device)
    return (place[:, None] - place).abs() < reach


def _mask(attention_mask: Tensor | None = None, **options: Any) -> Tensor | None:  # noqa: ANN401
    """No mask for windows end to end; transformers' own for padded rows."""
    return None if attention_mask is None else sdpa_mask(attention_mask=attention_mask, **options)


AttentionInterface.register(PACKED, attend)
AttentionMaskInterface.register(PACKED, _mask)
