"""Layer normalisation on a CPU in 16 bits: the gradients of its weights are sums over thousands of tokens."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dokhae.model.loading import load_model, locate
from dokhae.model.normalisation import LayerNorm, replace_layer_norm
from rows import encoded, inputs, loss_of, windows
from tiny_models import make_model

BF16 = torch.bfloat16


def learn(norm, values, change):
    """What comes out, and the gradients of the input, the weight and the bias, if there is one."""
    values = values.clone().requires_grad_()
    norm.zero_grad()
    found = norm(values)
    found.backward(change.to(found.dtype))
    return [found.detach(), values.grad, *(weight.grad for weight in norm.parameters())]


def off(found, wanted):
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())


@pytest.mark.parametrize("kind", [torch.float32, BF16])
@pytest.mark.parametrize("bias", [True, False])
def test_sums_of_thousands_of_tokens_do_not_stand_still(kind, bias):
    torch.manual_seed(0)
    values, change = torch.randn(6000, 32).to(BF16), torch.randn(6000, 32).add_(0.05)
    exact = nn.LayerNorm(32, bias=bias)
    nn.init.normal_(exact.weight)
    ours = copy.deepcopy(exact).to(kind)
    torchs = copy.deepcopy(ours)
    replace_layer_norm(nn.Sequential(ours))
    assert type(ours) is LayerNorm
    wanted = learn(exact.double(), values.double(), change.to(BF16).double())
    found = learn(ours, values, change)
    assert [one.dtype for one in found] == [BF16, BF16] + [kind] * (1 + bias)
    assert max(map(off, found, wanted)) < 0.01
    assert max(map(off, learn(torchs, values, change)[2:], wanted[2:])) > 0.03  # else torch needs no help any more


def test_nothing_else_changes():
    torch.manual_seed(0)
    model = nn.Sequential(nn.LayerNorm(8), nn.LayerNorm(8, elementwise_affine=False))
    plain, values = copy.deepcopy(model), torch.randn(50, 8)
    replace_layer_norm(model)
    for given in (values, values.to(BF16)):
        for one, other in zip(model, plain, strict=True):
            assert torch.equal(one(given), other(given))
    assert all(map(torch.equal, learn(model, values, values), learn(plain, values, values)))
    with torch.no_grad():
        assert torch.equal(model[0](values.to(BF16)), plain[0](values.to(BF16)))
    model.zero_grad()
    model[0].bias.requires_grad_(False)
    model[0](values.to(BF16)).sum().backward()
    assert model[0].bias.grad is None and model[0].weight.grad is not None
    assert list(model.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("family", ["albert", "electra"])
def test_a_model_with_narrower_embeddings_learns_in_mixed_precision_what_it_learns_in_fp32(family, tmp_path):
    """Their projection is a linear layer, so all that comes after it is in 16 bits."""
    model = load_model(locate(make_model(family, tmp_path / family, layers=2, positions=400)))
    assert model.config.embedding_size < model.config.hidden_size
    replace_layer_norm(model)
    batch = inputs(model, windows(family, *[380] * 10))
    found = {}
    for mixed in (False, True):
        loss_of(encoded(model, batch, BF16 if mixed else None)).backward()
        found[mixed] = {name: weight.grad for name, weight in model.named_parameters() if "norm" in name.lower()}
        model.zero_grad()
    for name, wanted in found[False].items():
        assert off(found[True][name], wanted) < 0.1, name
