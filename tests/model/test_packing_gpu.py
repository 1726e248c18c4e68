"""On a GPU the windows of a row go through flash attention: the same numbers, its dropout, its gradients."""

from __future__ import annotations

import pytest
import torch

from dokhae.model.attention import Seams, attend

pytestmark = pytest.mark.gpu
LENGTHS = [40, 40, 1, 200, 7]


def heads(seed, device, dtype):
    made = torch.randn(1, 4, sum(LENGTHS), 32, generator=torch.Generator().manual_seed(seed))
    return made.to(dtype).to(device, dtype).requires_grad_()


def attended(device, dtype, dropout=0.0, reach=None):
    rows = [heads(seed, device, dtype) for seed in range(3)]
    seams = Seams.of(LENGTHS, device)
    found = attend(None, *rows, None, dropout=dropout, sliding_window=reach, seams=seams)[0]
    found.float().square().sum().backward()
    return [found.detach().float().cpu(), *(row.grad.float().cpu() for row in rows)]


@pytest.mark.parametrize("reach", [None, 16])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float16, 5e-3), (torch.bfloat16, 4e-2)])
def test_values_and_gradients_are_those_of_the_cpu(dtype, tolerance, reach):
    both = attended("cuda", dtype, reach=reach), attended("cpu", torch.float32, reach=reach)
    for found, wanted in zip(*both, strict=True):
        torch.testing.assert_close(found, wanted, atol=tolerance * wanted.abs().max().item(), rtol=0)


def test_dropout_is_right_on_average_and_has_gradients():
    exact = attended("cuda", torch.bfloat16)[0]
    drawn = [attended("cuda", torch.bfloat16, dropout=0.1) for _ in range(500)]
    mean = torch.stack([one[0] for one in drawn]).mean(0)
    # a head of a window of one token is kept or dropped as a whole: its mean strays by 0.015 of its values, up to 3.2
    torch.testing.assert_close(mean, exact, atol=0.2, rtol=0)
    assert not torch.equal(drawn[0][0], drawn[1][0])
    assert all(gradient.abs().sum() > 0 and gradient.isfinite().all() for gradient in drawn[0][1:])
