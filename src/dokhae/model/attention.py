"""Attention of windows that lie end to end in one row, each within itself: on a CPU, and on a GPU.

transformers' models call a registered function for their attention and hand it whatever their forward was given besides
its own arguments; so it learns where the windows lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from dokhae.model.padding import to_tensor
from dokhae.model.written_out import WrittenOut, local_mask

PACKED = "dokhae_packed"  # the name under which transformers knows the attention
BLOCK = 128  # tokens that flash attention works out at once: it costs nothing to say that windows may be as much longer


@dataclass(frozen=True, slots=True)
class Seams:
    """Where the windows of a row lie. Padding may stand behind the last one; no window attends to it."""

    lengths: tuple[int, ...]
    longest: int  # tokens that none of them has more of
    bounds: Tensor  # int32, (windows + blocks + 1,), on the device; the last ones are those of the padding's blocks

    @classmethod
    def of(cls, lengths: list[int], device: torch.device | str, padding: int = 0, most: int = 0) -> Seams:
        """The seams of windows of these lengths, with so many tokens behind them, of so many at most.

        The padding is cut into blocks, of which each attends to itself: as one window it could be the longest by far.
        """
        blocks = -(-max(padding, most) // BLOCK)
        full, rest = divmod(padding, BLOCK)
        cut = [BLOCK] * full + [rest] * (full < blocks) + [0] * (blocks - full - 1)
        bounds = torch.zeros(len(lengths) + blocks + 1, dtype=torch.int32)
        torch.cumsum(torch.tensor([*lengths, *cut]), 0, out=bounds[1:])
        return cls(tuple(lengths), -(-max(lengths) // BLOCK) * BLOCK, to_tensor(bounds, device))

    @property
    def firsts(self) -> Tensor:
        """The place of each window's first token, (windows,)."""
        return self.bounds[: len(self.lengths)]


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
    # (token, head, size); by squeeze, for the gradient of [0] is a copy
    rows = [one.transpose(1, 2).squeeze(0) for one in (query, key, value)]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.device.type == "cpu":
        found = _on_cpu(rows, seams, dropout, scale, sliding_window)
    elif _has_flash(query):
        found = _flash(rows, seams, dropout, scale, sliding_window)
    else:
        found = _fused(rows, seams, dropout, scale, sliding_window)
    return found[None], None


# these two go by each batch's windows: traced, every batch would be compiled anew
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _on_cpu(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Attention on a CPU. rows: three of (token, head, size) -> the same."""
    if torch.is_autocast_enabled("cpu"):  # a model may have left some of them in fp32; in backward nothing is cast
        rows = [row.to(torch.get_autocast_dtype("cpu")) for row in rows]
    answers = dropout == 0 and not torch.is_grad_enabled()
    if answers and rows[0].dtype == torch.float32:  # in bf16 it has not been measured
        return cast(Tensor, _fused(rows, seams, dropout, scale, reach))
    return cast(Tensor, WrittenOut.apply(*rows, seams.lengths, dropout, scale, reach))  # type: ignore[no-untyped-call]


def _has_flash(query: Tensor) -> bool:
    """Whether flash attention takes such heads: 16 bits, a size that it has kernels for, on Ampere or newer."""
    fits = query.dtype in (torch.float16, torch.bfloat16) and query.shape[-1] % 8 == 0 and query.shape[-1] <= 256
    return fits and query.is_cuda and cast(bool, _is_ampere(query.device))


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_ampere(device: torch.device) -> bool:
    """Or newer."""
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _flash(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Flash attention over windows of any lengths, on a GPU. rows: three of (token, head, size) -> the same.

    torch's public varlen_attn leaves out the dropout that the operator below it has, with its gradient.
    """
    query, key, value = rows
    bounds, longest, near = seams.bounds, seams.longest, -1 if reach is None else reach - 1
    if dropout == 0:
        plain = varlen_attn(query, key, value, bounds, bounds, longest, longest, scale=scale, window_size=(near, near))
        return cast(Tensor, plain)
    made = torch.ops.aten._flash_attention_forward(
        query, key, value, bounds, bounds, longest, longest, dropout, False, False,
        scale=scale, window_size_left=near, window_size_right=near,
    )  # fmt: skip
    return cast(Tensor, made[0])


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _fused(rows: list[Tensor], seams: Seams, dropout: float, scale: float, reach: int | None) -> Tensor:
    """Torch's fused attention for each run of equal windows. rows: three of (token, head, size) -> the same."""
    if rows[0].is_cuda and torch.cuda.is_current_stream_capturing():  # then other windows would be taken for these
        raise RuntimeError("without flash attention, a pass is that of windows of these lengths alone")
    runs = [(length, len(list(same))) for length, same in groupby(seams.lengths)]
    rest = len(rows[0]) - sum(seams.lengths)  # tokens behind the last window
    sizes = [*(length * count for length, count in runs), rest]
    parts = []
    for (length, count), *part in zip(runs, *(torch.split(row, sizes) for row in rows), strict=False):
        query, key, value = (one.view(count, length, *one.shape[1:]).transpose(1, 2) for one in part)
        mask = local_mask(length, reach, query.device)
        made = scaled_dot_product_attention(query, key, value, mask, dropout, scale=scale)
        parts.append(made.transpose(1, 2).flatten(0, 1))
    return torch.cat([*parts, rows[2].new_zeros(rest, *rows[2].shape[1:])])


def _mask(attention_mask: Tensor | None = None, **options: Any) -> Tensor | None:  # noqa: ANN401
    """No mask for windows end to end; transformers' own for padded rows."""
    return None if attention_mask is None else sdpa_mask(attention_mask=attention_mask, **options)


AttentionInterface.register(PACKED, attend)
AttentionMaskInterface.register(PACKED, _mask)
