"""Blocks of a layer as one function: what they say and learn, their dropout, and the kernels of a GPU."""

from __future__ import annotations

import pytest
import torch

from dokhae.model import plain_kernels

gpu = pytest.mark.gpu
SIZES = [(1000, 1024), (77, 768), (5, 48), (1, 4096)]


def random(*shape, seed=0, dtype=torch.bfloat16):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to("cuda", dtype)


def alike(found, wanted, tolerance):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.float(), other.float(), rtol=0, atol=tolerance * float(other.abs().max()))


@gpu
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize(("tokens", "size"), SIZES)
def test_a_gpu_drops_adds_and_normalises_as_torch_does(tokens, size, rate):
    from dokhae.model import gpu_kernels

    drop, seed = plain_kernels.drop_of(rate), torch.tensor(2**40 + 5, device="cuda")
    values, before, change = (random(tokens, size, seed=number) for number in range(3))
    weight, bias = random(size, seed=3), random(size, seed=4)
    told = values, before, weight, bias, seed, drop, 1e-12
    wanted = plain_kernels.drop_add_norm(*told)
    alike(gpu_kernels.drop_add_norm(*told), wanted, 1e-2)
    back = change, *wanted[1:], weight, seed, drop
    alike(gpu_kernels.drop_add_norm_back(*back), plain_kernels.drop_add_norm_back(*back), 1e-2)


@gpu
@pytest.mark.parametrize(("tokens", "size"), SIZES)
def test_a_gpu_has_gelus_gradient_and_sums_of_columns_as_torch_does(tokens, size):
    from dokhae.model import gpu_kernels

    change, values, other = (random(tokens, size, seed=number) * 3 for number in range(3))
    alike(gpu_kernels.gelu_back(change, values), plain_kernels.gelu_back(change, values), 1e-2)
    alike(gpu_kernels.column_sums(change, values, other), plain_kernels.column_sums(change, values, other), 1e-2)
