"""Models that only answer, on a CPU: the same logits, and the model they were made of stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dokhae.model.devices import autocast
from dokhae.model.frozen import FrozenLinear, frozen
from dokhae.model.loading import load_model, locate
from dokhae.model.span import TorchScore, span_logits
from rows import LENGTHS, YES, inputs, windows
from tiny_models import make_model


@pytest.fixture
def fresh(tmp_path):
    return lambda family: load_model(locate(make_model(family, tmp_path / family, layers=2))).eval()


def logits(model, batch, precision="fp32"):
    with torch.inference_mode(), autocast(torch.device("cpu"), precision):
        return [side.numpy() for side in span_logits(model, batch, "cpu")]


@pytest.mark.parametrize("family", YES)
def test_logits_are_those_of_the_model(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    score = TorchScore(model)
    assert score.model is not model and any(isinstance(module, FrozenLinear) for module in score.model.modules())
    np.testing.assert_allclose(score(batch), logits(model, batch), atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("family", YES)
def test_bf16_errs_no_more_than_mixed_precision_twice_over(fresh, family):
    model = fresh(family)
    batch = inputs(model, windows(family, *LENGTHS))
    exact, mixed, found = logits(model, batch), logits(model, batch, "bf16"), TorchScore(model, "cpu", "bf16")(batch)
    error, usual = (np.sqrt(np.mean((np.array(one) - exact) ** 2)) for one in (found, mixed))
    assert 0 < error < 3 * usual


def test_the_model_is_left_as_it_was_and_shares_what_it_can(fresh):
    model = fresh("bert")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    made = frozen(model, torch.float32)
    assert made.get_input_embeddings().weight is model.get_input_embeddings().weight
    frozen(model, torch.bfloat16)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(weight.requires_grad for weight in model.parameters())


def test_later_changes_of_the_model_do_not_reach_it(fresh):
    model = fresh("bert")
    batch = windows("bert", 30)
    score = TorchScore(model)
    before = score(batch)
    with torch.no_grad():
        model.qa_outputs.weight.mul_(2)
    np.testing.assert_array_equal(score(batch), before)
    assert not np.allclose(TorchScore(model)(batch), before)


def test_models_that_need_padding_are_taken_as_they_are(fresh):
    model = fresh("mobilebert")
    assert frozen(model, torch.float32) is model
