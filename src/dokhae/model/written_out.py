"""Attention on a CPU by matrix products, for training: torch's fused one has no dropout there, and is slower backward.

Windows of similar length are worked out together, padded inside of here alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dokhae.model.dropout import draw_seed, drop

LONG = 1024  # tokens of a window whose attention would fill the memory
A_GROUP = 8192  # pairs of tokens that are worked out in the time that one more group of windows takes
MULTIPLE = 8  # of tokens: the lengths that a group of unequal windows is padded to
# pairs of tokens in all heads that are worked out at once: as many as a CPU's cache holds; in bf16 oneDNN makes a
# kernel for every shape, and copies what does not lie as it wants it, so there the fewer groups the better
AT_ONCE = {torch.bfloat16: 3_200_000}
AT_ONCE_IN_CACHE = 800_000


class WrittenOut(torch.autograd.Function):
    """Attention of windows that lie end to end, each within itself."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        query: Tensor,
        key: Tensor,
        value: Tensor,
        lengths: tuple[int, ...],
        dropout: float,
        scale: float,
        reach: int | None,
    ) -> Tensor:
        """query, key, value: (token, head, size) -> the same; 0 behind the last window."""
        out, kept, seeds, keeps = _empty_like(value, lengths), [], [], any(ctx.needs_input_grad)
        grouped = groups(lengths, value.shape[1], AT_ONCE.get(value.dtype, AT_ONCE_IN_CACHE))
        for group in grouped:
            q, k, v = (group.laid_out(one) for one in (query, key, value))
            hidden, made = group.hidden(reach), []
            kept += [q, k, v] if keeps else []
            for part in group.parts:
                seeds.append(draw_seed() if dropout else 0)
                shares, dropped = _shares(group, q[part], k[part], hidden, scale, dropout, seeds[-1])
                made.append(torch.bmm(dropped, v[part]))
                kept += [shares, dropped] if keeps and not group.again(dropout) else []
            group.put_back(made, _scaled_up(dropout), out)
        ctx.save_for_backward(out, *kept)
        ctx.settings, ctx.groups, ctx.seeds, ctx.lengths = (dropout, scale, reach), grouped, seeds, lengths
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """With O = (S * F) V of shares S and factors F: the scores have S * (F * dO V^T - rows' sums of dO * O)."""
        out, *tensors = ctx.saved_tensors
        kept, seeds, (dropout, scale, reach) = iter(tensors), iter(ctx.seeds), ctx.settings
        gradient = gradients[0]
        totals = (gradient * out).sum(-1, keepdim=True)
        gradient = gradient * _scaled_up(dropout) if dropout else gradient
        whole = [_empty_like(out, ctx.lengths) for _ in range(3)]
        for group in ctx.groups:
            again, (q, k, v) = group.again(dropout), (next(kept) for _ in range(3))
            hidden = group.hidden(reach) if again else None
            g, total = (group.laid_out(one, padding=0) for one in (gradient, totals))
            made: tuple[list[Tensor], ...] = ([], [], [])
            for part, seed in zip(group.parts, seeds, strict=False):  # each group takes its own of all seeds
                if again:
                    shares, dropped = _shares(group, q[part], k[part], hidden, scale, dropout, seed)
                else:
                    shares, dropped = next(kept), next(kept)
                made[2].append(torch.bmm(dropped.transpose(1, 2), g[part]))
                change = torch.bmm(g[part], v[part].transpose(1, 2)).mul_(dropped)
                change.addcmul_(shares, total[part], value=-1)
                made[0].append(torch.bmm(change, k[part]))
                made[1].append(torch.bmm(change.transpose(1, 2), q[part]))
            for parts, factor, into in zip(made, (scale, scale, 1), whole, strict=True):
                group.put_back(parts, factor, into)
        return *whole, None, None, None, None


def _scaled_up(dropout: float) -> float:
    """What makes up for what is dropped; of nothing it is nothing."""
    return 1 / (1 - dropout) if dropout < 1 else 0.0


def _empty_like(rows: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """(token, head, size) to be filled, 0 behind the last window."""
    made = torch.empty(rows.shape, dtype=rows.dtype)
    made[sum(lengths) :] = 0
    return made


def _shares(
    group: Group, query: Tensor, key: Tensor, hidden: Tensor | None, scale: float, dropout: float, seed: int
) -> tuple[Tensor, Tensor]:
    """How much each token attends to each other one of its window; and that with some dropped, not scaled up for it.

    query, key: (window and head, token, size) -> (window and head, token, token). hidden: as Group.hidden says.
    """
    scores = torch.baddbmm(query.new_empty(1, 1, 1), query, key.transpose(1, 2), beta=0, alpha=scale)
    for windows, length in group.padded:  # what padding itself attends to is nobody's, but has to be a number
        scores.view(len(group.lengths), -1, *scores.shape[1:])[windows, :, :length, length:] = float("-inf")
    if hidden is not None:
        scores.masked_fill_(hidden, float("-inf"))
    torch.softmax(scores, -1, out=scores)
    return scores, drop(scores, dropout, seed) if dropout else scores


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring windows whose attention is worked out together, each padded to the longest; or one window alone."""

    first: int  # the token that it begins with
    lengths: tuple[int, ...]
    longest: int
    parts: tuple[slice, ...]  # which heads of which windows are worked out at once
    padded: tuple[tuple[slice, int], ...] = ()  # neighbouring windows that are padded, and their tokens
    # none of these for one window
    places: Tensor | None = None  # (window, head, token): rows of (token and head, size) arrays; the last for padding
    back: Tensor | None = None  # (token, head): rows of (window and head and token, size) arrays
    missing: Tensor | None = None  # of the latter rows, those that are padding

    def again(self, dropout: float) -> bool:
        """Whether (token, token) arrays are worked out once more for the gradients, rather than kept until then.

        Without dropout that costs little, and then memory grows with the tokens alone.
        """
        return self.longest > LONG or dropout == 0

    def hidden(self, reach: int | None) -> Tensor | None:
        """Which tokens do not see which where attention reaches only so far, (token, token)."""
        mask = local_mask(self.longest, reach, torch.device("cpu"))
        return None if mask is None else mask.logical_not_()

    def laid_out(self, rows: Tensor, padding: float | None = None) -> Tensor:
        """(token, head, size) -> (window and head, token, size). padding: what stands there; None: whatever."""
        own = rows[self.first : self.first + sum(self.lengths)]
        if self.places is None or self.missing is None:
            return own.transpose(0, 1)
        made = own.reshape(-1, rows.shape[-1]).index_select(0, self.places.view(-1))
        if padding is not None and len(self.missing):
            made.index_fill_(0, self.missing, padding)
        return made.view(-1, self.longest, rows.shape[-1])

    def put_back(self, parts: list[Tensor], factor: float, into: Tensor) -> None:
        """(window and head, token, size), in parts, times a factor -> the group's rows of (token, head, size)."""
        made = torch.cat(parts) if len(parts) > 1 else parts[0]
        made = made if factor == 1 else made.mul_(factor)
        own = into[self.first : self.first + sum(self.lengths)]
        if self.back is None:
            own.copy_(made.transpose(0, 1))
        else:
            torch.index_select(made.view(-1, made.shape[-1]), 0, self.back.view(-1), out=own.view(-1, made.shape[-1]))


@lru_cache(maxsize=4)  # the layers of a model ask one after another
def groups(lengths: tuple[int, ...], heads: int, most: int) -> tuple[Group, ...]:
    """Neighbouring windows of similar length, up to so many pairs of tokens in all heads; each longer one by itself.

    A window joins those before it where the padding costs less than another group would.
    """
    made: list[list[int]] = []
    for length in lengths:
        if made:
            together, alone = _area([*made[-1], length]), _area(made[-1]) + _area([length]) + A_GROUP
            if together <= min(alone, most // heads):
                made[-1].append(length)
                continue
        made.append([length])
    first, found = 0, []
    for group in made:
        found.append(_group(first, group, heads) if len(group) > 1 else _single(first, group[0], heads, most))
        first += sum(group)
    return tuple(found)


def _longest(lengths: list[int]) -> int:
    """Tokens of each window of a group: of the longest, up to a multiple where they differ."""
    longest = max(lengths)
    return longest if min(lengths) == longest else -(-longest // MULTIPLE) * MULTIPLE


def _area(lengths: list[int]) -> int:
    """Pairs of tokens in a group."""
    return len(lengths) * _longest(lengths) ** 2


def _single(first: int, length: int, heads: int, most: int) -> Group:
    few = max(most // length**2, 1) if length > LONG else heads
    return Group(first, (length,), length, tuple(slice(head, head + few) for head in range(0, heads, few)))


def _group(first: int, lengths: list[int], heads: int) -> Group:
    longest = _longest(lengths)
    size, token = torch.tensor(lengths)[:, None], torch.arange(longest)
    start, here = size.cumsum(0) - size, token < size
    places = (start + torch.minimum(token, size - 1))[:, None] * heads + torch.arange(heads)[:, None]
    numbers = torch.arange(places.numel()).view(places.shape)
    padded, window = [], 0
    for length, same in groupby(lengths):
        after = window + len(list(same))
        padded += [(slice(window, after), length)] if length < longest else []
        window = after
    return Group(
        first=first,
        lengths=tuple(lengths),
        longest=longest,
        parts=(slice(0, len(lengths) * heads),),
        padded=tuple(padded),
        places=places,
        back=numbers.transpose(1, 2)[here],
        missing=numbers[~here[:, None].expand(places.shape)],
    )


def local_mask(length: int, reach: int | None, device: torch.device) -> Tensor | None:
    """Which tokens see which, (token, token); None where each sees all."""
    if reach is None or reach >= length:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=device).triu_(1 - reach).tril_(reach - 1)
