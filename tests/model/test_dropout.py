"""Dropout from random bits: the rate, the scale, the seed and the gradient that torch's has."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dokhae.model import dropout
from dokhae.model.dropout import (
    LEVELS,
    SHARED,
    Dropout,
    _threshold,
    drop,
    dropout_factors,
    random_words,
    replace_dropout,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.00001, 0.99999])
def test_elements_are_dropped_at_the_rate_and_the_others_scaled(p, dtype):
    factors = dropout_factors((1000, 1001), p, dtype, seed=0)
    assert factors.shape == (1000, 1001) and factors.dtype == dtype
    assert set(factors.unique().tolist()) <= {0.0, torch.tensor(1 / (1 - p), dtype=dtype).item()}
    share = (factors == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / 1_001_000) ** 0.5 + 2**-17)


@pytest.mark.parametrize("p", [0.1, 0.25, 0.49, 0.6, 0.9, 0.99, 1 / LEVELS, 0.0])
def test_of_all_random_numbers_the_share_that_is_dropped_is_the_rate(p, monkeypatch):
    every = torch.from_numpy(np.arange(LEVELS, dtype=np.uint16).view(np.int64))
    monkeypatch.setattr(dropout, "random_words", lambda count, seed: every[:count].clone())
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        kept = drop(torch.ones(LEVELS, dtype=dtype), p, seed=0)
        assert int((kept == 0).sum()) == round(p * LEVELS) and int((kept == 1).sum()) == LEVELS - round(p * LEVELS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_are_dropped_and_otherwise_as_they_were(dtype):
    values = torch.randn(40, 50).to(dtype)
    before, kept = values.clone(), drop(values, 0.3, seed=5)
    assert torch.equal(values, before) and kept.dtype == dtype
    assert torch.equal(kept == 0, drop(torch.ones(40, 50), 0.3, seed=5) == 0)
    assert torch.equal(kept[kept != 0], values[kept != 0])


def test_neighbours_are_independent():
    dropped = (dropout_factors((1_000_000,), 0.1, torch.float32, seed=0) == 0).double()
    for shift in (1, 2, 3, 4, 8, 64):
        assert (dropped[shift:] * dropped[:-shift]).mean().item() == pytest.approx(0.01, abs=0.0005)


@pytest.mark.parametrize("count", [1, SHARED, SHARED + 1, 1000])
def test_no_three_random_words_are_made_of_the_same_three_numbers(count, monkeypatch):
    columns = -(-count // SHARED)
    drawn = np.random.default_rng(0).integers(2**63, size=2 * columns + SHARED)
    generator = SimpleNamespace(random_raw=lambda number: drawn[:number].copy())
    monkeypatch.setattr(np.random, "SFC64", lambda seed: generator)
    places = [divmod(place, columns) for place in range(count)]
    pairs = [(column, columns + column + row) for row, column in places]  # one of each kind: no triangles
    assert random_words(count, seed=0).tolist() == [int(drawn[one] ^ drawn[other]) for one, other in pairs]
    assert len(set(pairs)) == count and max(one for one, _ in pairs) < min(other for _, other in pairs)


def test_words_that_share_a_number_drop_independently():
    count, p = SHARED * 40_000, 0.1
    words = random_words(count, seed=0)
    dropped = (words.view(torch.bfloat16) <= _threshold(p)).double().view(SHARED, 40_000, 4)
    for shared, together, expected in (
        ("the first number", dropped[:-1] * dropped[1:], p**2),
        ("the second", dropped[:-1, 1:] * dropped[1:, :-1], p**2),
        ("one the first, one the second", dropped[1:, :-1] * dropped[:-1, :-1] * dropped[:-1, 1:], p**3),
    ):
        assert together.mean().item() == pytest.approx(expected, rel=0.02), shared


def test_the_seed_decides():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append([Dropout(0.5)(torch.ones(50, 3)) for _ in range(2)])
    assert torch.equal(drawn[0][0], drawn[1][0]) and torch.equal(drawn[0][1], drawn[1][1])
    assert not torch.equal(drawn[0][0], drawn[2][0]) and not torch.equal(drawn[0][0], drawn[0][1])


def test_what_is_dropped_has_no_gradient():
    layer, values = Dropout(0.5), torch.ones(8, 9, requires_grad=True)
    found = layer(values)
    found.sum().backward()
    assert torch.equal(found, values.grad) and set(values.grad.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_done_in_evaluation_or_at_rate_0(p, training):
    values = torch.randn(5)
    assert Dropout(p).train(training)(values) is values


def test_everything_is_dropped_at_rate_1():
    assert Dropout(1.0)(torch.ones(5)).tolist() == [0.0] * 5


def test_a_model_keeps_its_rates_and_modes():
    model = nn.Sequential(nn.Dropout(0.2), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.3)), nn.AlphaDropout(0.4)).eval()
    names = list(model.state_dict())
    replace_dropout(model)
    assert [type(model[0]), type(model[1][1]), type(model[2])] == [Dropout, Dropout, nn.AlphaDropout]
    assert (model[0].p, model[1][1].p) == (0.2, 0.3)
    assert not model[0].training and list(model.state_dict()) == names
