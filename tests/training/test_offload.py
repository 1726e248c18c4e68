"""Adam's state off the device changes nothing but where it is."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

import dokhae
from dokhae.errors import SettingsError
from dokhae.training import OptimizerConfig
from dokhae.training.offload import OffloadedOptimizer
from dokhae.training.optimizers import UncorrectedAdamW, check_optimizer, make_optimizer
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
from training.test_resume import train_and_stop

ODD = OptimizerConfig(layer_decay=0.7, accumulate=2, clip=0.05, schedule="cosine", warmup=0.5)
KINDS = [torch.optim.AdamW, UncorrectedAdamW]


def learn(model, optimizer, schedule, steps, seed):
    """Steps on gradients that depend on the seed alone."""
    random = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for weight in model.parameters():
            weight.grad = torch.randn(weight.shape, generator=random)
        optimizer.step()
        schedule.step()


def make(kind, model, offload):
    groups = [{"params": [weight], "lr": 1e-2 * (number + 1)} for number, weight in enumerate(model.parameters())]

    def made(groups):
        return kind(groups, lr=1e-2, weight_decay=0.1, fused=True)

    optimizer = OffloadedOptimizer(groups, made) if offload else made(groups)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("offload", [False, True])
def test_the_weights_are_those_of_the_optimizer_inside_also_where_it_goes_on_from_a_state(kind, offload):
    torch.manual_seed(0)
    whole = nn.Linear(5, 3)
    stopped, resumed = copy.deepcopy(whole), nn.Linear(5, 3)
    optimizer, schedule = make(kind, whole, offload=False)
    learn(whole, optimizer, schedule, steps=4, seed=1)
    learn(whole, optimizer, schedule, steps=4, seed=2)
    optimizer, schedule = make(kind, stopped, offload)
    learn(stopped, optimizer, schedule, steps=4, seed=1)
    states = copy.deepcopy((optimizer.state_dict(), schedule.state_dict(), stopped.state_dict()))
    learn(stopped, optimizer, schedule, steps=4, seed=2)
    assert equal(stopped.state_dict(), whole.state_dict())
    optimizer, schedule = make(kind, resumed, not offload)  # a state does not say where it was
    optimizer.load_state_dict(states[0])
    schedule.load_state_dict(states[1])
    resumed.load_state_dict(states[2])  # after the optimizer was made
    learn(resumed, optimizer, schedule, steps=4, seed=2)
    assert equal(resumed.state_dict(), whole.state_dict())


def test_a_weight_without_a_gradient_stays_as_it_is():
    model = nn.Linear(5, 3)
    optimizer, _ = make(torch.optim.AdamW, model, offload=True)
    model.weight.grad = torch.ones(3, 5)
    weight, bias = copy.deepcopy([model.weight, model.bias])
    optimizer.step()
    optimizer.zero_grad()
    assert model.weight.grad is None
    assert torch.equal(model.bias, bias)
    assert not torch.equal(model.weight, weight)


@pytest.mark.parametrize("no_bias_correction", [False, True])
def test_a_run_with_its_optimizer_off_the_device_learns_the_same_resumed_or_not(
    no_bias_correction, tmp_path, monkeypatch
):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=2)
    plain = replace(ODD, no_bias_correction=no_bias_correction)
    changes = {"batch_size": 1, "learning_rate": 1e-3, "epochs": 2}
    dokhae.train(config(model, data, tmp_path / "plain", optimizer=plain, **changes), show=False)
    changes["optimizer"] = replace(plain, offload=True)
    dokhae.train(config(model, data, tmp_path / "whole", **changes), show=False)
    train_and_stop(config(model, data, tmp_path / "stopped", **changes), 4, monkeypatch)
    dokhae.resume(tmp_path / "stopped", show=False)
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "plain"))
    assert equal(weights(tmp_path / "stopped"), weights(tmp_path / "plain"))


def test_a_device_that_shares_its_memory_with_the_cpu_is_refused(tmp_path):
    settings = config(tmp_path, tmp_path, tmp_path, optimizer=OptimizerConfig(offload=True))
    with pytest.raises(SettingsError, match=r"optimizer\.offload saves nothing on mps"):
        check_optimizer(nn.Linear(2, 2), settings, "mps")
    check_optimizer(nn.Linear(2, 2), settings, "cuda")


@pytest.mark.gpu
def test_a_gpu_holds_weights_and_gradients_alone(tmp_path):
    peaks = {}
    for offload in (False, True):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        model = nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(64))).cuda()
        optimizer = make_optimizer(
            model, config(tmp_path, tmp_path, tmp_path, optimizer=OptimizerConfig(offload=offload))
        )
        for _ in range(2):
            model(torch.ones(1, 1024, device="cuda")).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        peaks[offload] = torch.cuda.max_memory_allocated() - before
        del model, optimizer
    assert peaks[True] < 0.6 * peaks[False]
