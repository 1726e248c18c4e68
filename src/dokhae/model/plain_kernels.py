"""What `gpu_kernels` works out, in torch's own operators: the same numbers but for rounding, dropout included."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 7  # of Philox: the fewest that pass every test
STEPS = 2**31  # of the random numbers


def drop_of(rate: float) -> tuple[int, float]:
    """The numbers below which dropout drops, and what it scales the others with."""
    return round(rate * STEPS), 1 / (1 - rate) if rate < 1 else 0.0


def drop_add_norm(
    values: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, seed: Tensor, drop: tuple[int, float], eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The normalised sum of values that dropout has gone over, and of others; that sum, and its rows' means and scales.

    values, residual: (token, size). weight, bias: the normalisation's, (size,). drop: as of drop_of.
    """
    sums = (_dropped(values.float(), seed, drop) + residual.float()).to(values.dtype)
    means = sums.float().mean(1)
    scales = (sums.float().var(1, correction=0) + eps).rsqrt()
    normed = (sums.float() - means[:, None]) * scales[:, None] * weight.float() + bias.float()
    return normed.to(values.dtype), sums, means, scales


def drop_add_norm_back(
    change: Tensor, sums: Tensor, means: Tensor, scales: Tensor, weight: Tensor, seed: Tensor, drop: tuple[int, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the sum and of the values; and (3, size): those of the values summed, of weight and bias."""
    change = change.float()
    normal = (sums.float() - means[:, None]) * scales[:, None]
    of_normal = change * weight.float()
    of_sum = of_normal - of_normal.mean(1, keepdim=True) - normal * (of_normal * normal).mean(1, keepdim=True)
    of_sum *= scales[:, None]
    of_values = _dropped(of_sum, seed, drop)
    columns = torch.stack([of_values.sum(0), (change * normal).sum(0), change.sum(0)])
    return of_sum.to(sums.dtype), of_values.to(sums.dtype), columns.to(sums.dtype)


def gelu_back(change: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of what GELU was given, and its sum over the tokens, (size,). change, values: (token, size)."""
    made = torch.ops.aten.gelu_backward(change.float(), values.float())
    return made.to(values.dtype), made.sum(0).to(values.dtype)


def join(first: Tensor, second: Tensor, third: Tensor) -> tuple[Tensor, Tensor]:
    """The three beside each other, (token, 3 * size), and each one's sum over the tokens, (3, size)."""
    made = torch.cat([first, second, third], 1)
    return made, made.float().sum(0).view(3, -1).to(made.dtype)


def _dropped(values: Tensor, seed: Tensor, drop: tuple[int, float]) -> Tensor:
    threshold, factor = drop
    return torch.where(_drawn(values, seed) >= threshold, values * factor, 0) if threshold else values


def _drawn(values: Tensor, seed: Tensor) -> Tensor:
    """Random numbers of 31 bits, the same for the same seed. Source: Salmon et al. 2011, "Parallel random numbers"."""
    rows, size = values.shape
    wide = 1 << (size - 1).bit_length()
    place = torch.arange(rows * wide // 4, device=values.device)
    zero, low = torch.zeros_like(place), 0xFFFFFFFF
    counter, key = [place, zero, zero, zero], [seed & low, seed >> 32 & low]
    for _ in range(ROUNDS):
        one, two = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57  # of 64 bits: what overflows is but the sign
        high = (two >> 32 & low) ^ counter[1] ^ key[0], (one >> 32 & low) ^ counter[3] ^ key[1]
        counter = [high[0], two & low, high[1], one & low]
        key = [key[0] + 0x9E3779B9 & low, key[1] + 0xBB67AE85 & low]
    return (torch.stack(counter, 1) & 0x7FFFFFFF).view(rows, wide)[:, :size]
