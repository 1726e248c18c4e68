"""Windows end to end in one row: attention that stays within each of them, in models for which that is exact.

transformers' models call a registered function for their attention and hand it whatever their forward was given besides
its own arguments; so it learns where the windows lie. The idea: unpadded BERTs (MosaicBERT, Portes et al. 2023).
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from dokhae.model.dropout import draw_seed, dropout_factors
from dokhae.model.inputs import first_position, longest_input
from dokhae.model.loading import quiet

log = logging.getLogger("dokhae")
PACKED = "dokhae_packed"  # the name under which transformers knows the attention
PROBE = (5, 90, 1, 24)  # tokens of the windows that a model is asked with
LONG = 1024  # tokens of a window whose attention would fill the memory
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
        return torch.stack([output.start_logits[0], output.end_logits[0]])[:, : len(ids)]
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
    """What a packed model is given. ids, types: (T,); lengths: (R,). Positions begin anew with every window.

    On a CPU a window of padding may stand behind the others, whose logits are the last ones.
    """
    filler = _filler(len(ids)) if torch.device(device).type == "cpu" else 0
    if filler:
        ids = np.pad(ids, (0, filler), constant_values=model.config.pad_token_id or 0)
        types, lengths = np.pad(types, (0, filler)), np.append(lengths, filler)
    places = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    row = {"input_ids": ids, "token_type_ids": types, "position_ids": places + first_position(model)}
    takes = inspect.signature(model.forward).parameters
    if not (getattr(model.config, "type_vocab_size", 2) or 0) > 1:
        del row["token_type_ids"]
    tensors = {name: torch.from_numpy(array)[None].to(device) for name, array in row.items() if name in takes}
    return {**tensors, "seams": Seams.of(lengths.tolist(), device)}


def _filler(tokens: int) -> int:
    """Tokens that bring a row to one of 32 sizes between two powers of two, at most 3% of it.

    oneDNN and torch make kernels for every size that they meet and keep a thousand of them, which with a size for each
    batch would take hundreds of MiB.
    """
    return -tokens % (1 << max(tokens.bit_length() - 6, 0))


# it goes by each batch's windows: traced, every batch would be compiled anew
@torch.compiler.disable  # type: ignore[untyped-decorator]
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
        found = _flash(rows, seams, dropout, scale, sliding_window)
    elif dropout > 0 and query.device.type == "cpu":
        found = _DroppingAttention.apply(*rows, seams, dropout, scale, sliding_window)  # type: ignore[no-untyped-call]
    else:
        found = _attend_by_groups(rows, seams, dropout, scale, sliding_window)
    return found[None], None


def _flash(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Flash attention over windows of any lengths, on a GPU. rows: three of (token, head, size) -> the same.

    torch's public varlen_attn leaves out the dropout that the operator below it has, with its gradient.
    """
    query, key, value = rows
    bounds, longest, near = seams.bounds, max(seams.lengths), -1 if reach is None else reach - 1
    if dropout == 0:
        plain = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scale, window_size=(near, near))
        return cast(Tensor, plain)
    made = torch.ops.aten._flash_attention_forward(
        query, key, value, bounds, bounds, longest, longest, dropout, False, False,
        scale=scale, window_size_left=near, window_size_right=near,
    )  # fmt: skip
    return cast(Tensor, made[0])


def _attend_by_groups(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Fused attention for each group of equal windows. rows: three of (token, head, size) -> the same."""
    sizes = [count * length for count, length in groups(seams)]
    parts = []
    for (count, length), *part in zip(groups(seams), *(torch.split(row, sizes) for row in rows), strict=True):
        query, key, value = (_by_window(one, count) for one in part)
        mask = local_mask(length, reach, query.device)
        if query.dtype == torch.bfloat16 and query.device.type == "cpu" and not torch.is_grad_enabled():
            made = torch.matmul(_shares(query, key, mask, scale), value)  # faster than what torch has fused
        else:
            made = scaled_dot_product_attention(query, key, value, mask, dropout, scale=scale)
        parts.append(made.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)


class _DroppingAttention(torch.autograd.Function):
    """Attention with dropout on a CPU, where torch's fused kernels have none: written out, piece by piece."""

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
        pieces = list(_pieces(seams, query.shape[1]))
        seeds, kept = [draw_seed() for piece in pieces if piece.is_long], []
        drawn, again = _short_factors(pieces, dropout, query.dtype), iter(seeds)
        for piece in pieces:
            q, k, v, o = (piece.of(one) for one in (query, key, value, out))
            shares = _shares(q, k, local_mask(piece.length, reach, query.device), scale)
            if piece.is_long:
                dropped = shares * dropout_factors(shares.shape, dropout, shares.dtype, next(again))
            else:
                dropped = shares * next(drawn).view(shares.shape)
                kept += [shares, dropped]
            o.copy_(torch.matmul(dropped, v))
        ctx.save_for_backward(query, key, value, out, *kept)
        ctx.settings, ctx.pieces, ctx.seeds = (dropout, scale, reach), pieces, seeds
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """With O = (S * F) V of shares S and factors F: the scores have S * (F * dO V^T - rows' sums of dO * O)."""
        query, key, value, out, *tensors = ctx.saved_tensors
        dropout, scale, reach = ctx.settings
        made = [torch.empty(one.shape, dtype=one.dtype) for one in (query, key, value)]
        sums = (gradients[0] * out).sum(-1, keepdim=True)
        kept, again = iter(tensors), iter(ctx.seeds)
        for piece in ctx.pieces:
            q, k, v, g, total, dq, dk, dv = (piece.of(one) for one in (query, key, value, gradients[0], sums, *made))
            if piece.is_long:
                shares = _shares(q, k, local_mask(piece.length, reach, query.device), scale)
                dropped = shares * dropout_factors(shares.shape, dropout, shares.dtype, next(again))
            else:
                shares, dropped = next(kept), next(kept)
            dv.copy_(torch.matmul(dropped.transpose(-1, -2), g))
            change = torch.matmul(g, v.transpose(-1, -2)).mul_(dropped).addcmul_(shares, total, value=-1)
            dq.copy_(torch.matmul(change, k))
            dk.copy_(torch.matmul(change.transpose(-1, -2), q))
        made[0].mul_(scale)
        made[1].mul_(scale)
        return *made, None, None, None, None


class _Piece(NamedTuple):
    """Windows of one length and heads whose attention is worked out together."""

    rows: slice  # of the tokens
    heads: slice
    windows: int
    length: int

    @property
    def is_long(self) -> bool:
        """Whether (token, token) arrays are worked out once more for the gradients, rather than kept until then."""
        return self.length > LONG

    def of(self, tensor: Tensor) -> Tensor:
        """(token, head, size) -> a view of the piece, (window, head, token, size)."""
        return _by_window(tensor[self.rows, self.heads], self.windows)


def _short_factors(pieces: list[_Piece], dropout: float, dtype: torch.dtype) -> Iterator[Tensor]:
    """Of each piece that is not long, flat. All at once: small operations mostly wait for torch's threads to wake."""
    short = [piece for piece in pieces if not piece.is_long]
    sizes = [piece.windows * (piece.heads.stop - piece.heads.start) * piece.length**2 for piece in short]
    return iter(torch.split(dropout_factors((sum(sizes),), dropout, dtype, draw_seed()), sizes))


def _pieces(seams: Seams, heads: int) -> Iterator[_Piece]:
    """All heads of a group of equal windows; where they are long, each head of each window by itself."""
    first = 0
    for count, length in groups(seams):
        if length <= LONG:
            yield _Piece(slice(first, first + count * length), slice(0, heads), count, length)
        else:
            for start in range(first, first + count * length, length):
                for head in range(heads):
                    yield _Piece(slice(start, start + length), slice(head, head + 1), 1, length)
        first += count * length


def _shares(query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """How much each token attends to each other one of its window, (window, head, token, token)."""
    queries, keys = query.flatten(0, 1), key.transpose(-1, -2).flatten(0, 1)
    scores = torch.baddbmm(query.new_empty(1, 1, 1), queries, keys, beta=0, alpha=scale)
    if mask is not None:
        scores.masked_fill_(~mask, float("-inf"))
    return scores.softmax(-1).view(*query.shape[:3], query.shape[2])


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
