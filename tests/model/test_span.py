from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dokhae.errors import ModelError, SettingsError
from dokhae.model.loading import load_model, locate
from dokhae.model.span import TorchScore, autocast, check_precision, choose_device, span_loss

PRESENT = torch.tensor([[True, True, True, True, False]])


def loss(start, end, start_label, end_label, present=PRESENT):
    return float(
        span_loss(
            torch.tensor([start]), torch.tensor([end]), present, torch.tensor([start_label]), torch.tensor([end_label])
        )
    )


def test_equal_logits_lose_the_logarithm_of_the_real_tokens():
    assert loss([0.0] * 5, [0.0] * 5, 0, 3) == pytest.approx(math.log(4))


def test_padding_cannot_be_chosen():
    assert loss([0.0, 0.0, 0.0, 0.0, 99.0], [0.0] * 5, 1, 1) == pytest.approx(math.log(4))


def test_the_loss_is_the_mean_of_start_and_end():
    certain = [50.0, 0.0, 0.0, 0.0, 0.0]
    assert loss(certain, [0.0] * 5, 0, 2) == pytest.approx(math.log(4) / 2)


def test_padding_gets_no_gradient():
    start = torch.zeros(1, 5, requires_grad=True)
    span_loss(start, torch.zeros(1, 5), PRESENT, torch.tensor([0]), torch.tensor([0])).backward()
    assert start.grad.tolist() == [[-0.375, 0.125, 0.125, 0.125, 0.0]]


@pytest.fixture(scope="module")
def network(tiny_bert):
    return load_model(locate(tiny_bert))


def inputs(ids):
    ids = np.array([ids], dtype=np.int64)
    return {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": np.ones_like(ids)}


def test_a_score_gives_float32_arrays_without_dropout(network):
    score = TorchScore(network.train())
    first, second = score(inputs([2, 7, 3])), score(inputs([2, 7, 3]))
    assert [array.shape for array in first] == [(1, 3), (1, 3)]
    assert [array.dtype for array in first] == [np.float32, np.float32]
    np.testing.assert_array_equal(first, second)


def test_bf16_is_near_float32(network):
    exact, rough = TorchScore(network)(inputs([2, 7, 3])), TorchScore(network, "cpu", "bf16")(inputs([2, 7, 3]))
    assert rough[0].dtype == np.float32
    np.testing.assert_allclose(exact, rough, atol=0.3)
    assert not np.array_equal(exact, rough)


def test_a_token_without_an_embedding_is_named(network):
    with pytest.raises(ModelError, match="token 99999 has no embedding, the model has .* another model's"):
        TorchScore(network)(inputs([2, 99999, 3]))


@pytest.mark.parametrize(("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_the_best_device(monkeypatch, cuda, mps, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == chosen


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_here_is_refused(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=f"device '{device}' is not here; this machine has cpu"):
        choose_device(device)


def test_a_precision_that_the_device_lacks_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    with pytest.raises(SettingsError, match="fp16 needs a GPU"):
        check_precision("fp16", "cpu")
    with pytest.raises(SettingsError, match="this GPU has no bf16"):
        check_precision("bf16", "cuda")
    for precision, device in (("fp32", "cpu"), ("bf16", "cpu"), ("fp16", "cuda"), ("fp32", "cuda")):
        check_precision(precision, device)


def test_fp32_is_not_mixed():
    with autocast(torch.device("cpu"), "fp32"):
        assert not torch.is_autocast_enabled("cpu")
    with autocast(torch.device("cpu"), "bf16"):
        assert torch.is_autocast_enabled("cpu")
