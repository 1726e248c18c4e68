"""Dropout on a CPU at a fraction of its price: random bits against a threshold, no Bernoulli draw for each element."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from torch import Tensor, nn

SHARED = 32  # words of random bits that one drawn number goes into
LEVELS = 2**16  # of the random numbers: a rate is met to 0.00002
MOST = 0.99  # the highest rate that they can have; some of them are not a number, and always kept
EXACT = (torch.bfloat16, torch.float32, torch.float64)  # what holds every bfloat16


def replace_dropout(model: nn.Module) -> None:
    """Give the model the cheap dropout in place of torch's. Other devices than the CPU go on with torch's."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout


class Dropout(nn.Dropout):
    """nn.Dropout, by `dropout_factors` on a CPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        """The input, elements of it set to 0 and the others scaled up while in training."""
        if not self.training or self.p == 0 or input.device.type != "cpu" or self.p == 1:
            return super().forward(input)
        if torch.compiler.is_compiling():  # it writes torch's into the kernels around it, and cannot trace numpy
            return super().forward(input)
        return cast(Tensor, _Drop.apply(input, self.p))  # type: ignore[no-untyped-call]


class _Drop(torch.autograd.Function):
    """Multiplication with a mask of 0 and 1 / (1 - p)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, p: float) -> Tensor:  # noqa: ANN401
        factors = dropout_factors(values.shape, p, values.dtype, draw_seed())
        ctx.save_for_backward(factors)
        return values * factors

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        return gradients[0] * ctx.saved_tensors[0], None


def draw_seed() -> int:
    """The next number of torch's generator."""
    return int(torch.empty((), dtype=torch.int64).random_())


def dropout_factors(shape: tuple[int, ...] | torch.Size, p: float, dtype: torch.dtype, seed: int) -> Tensor:
    """0 with probability p, else 1 / (1 - p), as `drop` does it; the same for the same seed."""
    return drop(torch.tensor(1 / (1 - p), dtype=dtype).expand(shape), p, seed)


def drop(values: Tensor, p: float, seed: int) -> Tensor:
    """The values, each 0 with probability p, any three independently, on the CPU; the same for the same seed.

    16 random bits are read as a bfloat16, of which a known share lies below a threshold: then the gradient of torch's
    threshold, which compares, drops and writes in one pass, does it all.
    """
    if p > MOST:
        return drop_one_by_one(values, p, seed)
    if values.dtype not in EXACT:
        return drop(values.float(), p, seed).to(values.dtype)
    numbers = random_words(-(-values.numel() // 4), seed).view(torch.bfloat16)[: values.numel()]
    numbers = numbers.view(values.shape).to(values.dtype)
    made = torch.ops.aten.threshold_backward.grad_input(values, numbers, _threshold(p), grad_input=numbers)
    return cast(Tensor, made)


def drop_one_by_one(values: Tensor, p: float, seed: int) -> Tensor:
    """The same by a Bernoulli draw for each element: at any rate, and slowly."""
    kept = torch.empty(values.shape, dtype=values.dtype)
    return values * kept.bernoulli_(1 - p, generator=torch.Generator().manual_seed(seed))


def random_words(count: int, seed: int) -> Tensor:
    """So many words of 64 random bits, (count,), any three of them independent; the same for the same seed.

    numpy's SFC64 draws several times as fast as torch's generator, and SHARED words need two of its numbers: each is
    one number in exclusive or with another, no two words the same two. The two are of different kinds, so no three
    words are made of three numbers, which is how one would follow from two.
    """
    columns = -(-count // SHARED)
    drawn = np.random.SFC64(_Seed(seed)).random_raw(2 * columns + SHARED)  # type: ignore[arg-type]
    numbers, made = torch.from_numpy(drawn.view(np.int64)), torch.empty(SHARED, columns, dtype=torch.int64)
    torch.bitwise_xor(numbers[:columns], numbers[columns:].unfold(0, columns, 1)[:SHARED], out=made)
    return made.view(-1)[:count]


class _Seed(ISeedSequence):
    """A random number as a seed. numpy would mix it first, which takes longer than what is then drawn."""

    def __init__(self, number: int) -> None:
        self.number = number

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> NDArray[Any]:  # noqa: ANN401 - as numpy has it
        """The number in each word, as SFC64's author begins (PractRand); numpy drops its first twelve."""
        return np.full(n_words, self.number, dtype)


@lru_cache
def _threshold(p: float) -> float:
    """That which a share p of all bfloat16 is not above. None is above, or not above, what is not a number."""
    every = np.arange(LEVELS, dtype=np.uint32) << 16  # a bfloat16 is the upper half of a float
    ordered = np.sort(every.view(np.float32))  # what is not a number comes last
    count = round(p * LEVELS)
    return float(ordered[count - 1]) if count else np.nan
