"""The precision that "auto" stood for stays with the run."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
import torch
import yaml

import dokhae
from dokhae.files import read_json
from dokhae.model.layers import layers_of
from dokhae.model.loading import load_model, locate
from dokhae.model.normalisation import LayerNorm
from dokhae.model.span import TorchScore
from dokhae.training import OptimizerConfig, module
from dokhae.training.checkpoints import Diverged
from tiny_models import make_model
from training.small import FEW, config, equal, made_fast_as_on_a_gpu, weights, write_squad
from training.test_resume import train_and_stop


@pytest.fixture
def cpu_has(monkeypatch):
    """Set what torch says that the CPU has."""

    def has(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)

    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    return has


def test_a_run_goes_on_in_the_precision_that_it_began_with_and_can_be_done_again_in_it(cpu_has, tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    changes = {"batch_size": 2, "learning_rate": 1e-3, "epochs": 2, "precision": "auto"}
    cpu_has(avx512_bf16=True)
    dokhae.train(config(model, data, tmp_path / "whole", **changes), show=False)
    train_and_stop(config(model, data, tmp_path / "stopped", **changes), 4, monkeypatch)
    cpu_has()
    dokhae.resume(tmp_path / "stopped", show=False)
    assert equal(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))
    assert dokhae.reproduce(tmp_path / "whole", show=False)["same_weights"]
    dokhae.train(config(model, data, tmp_path / "elsewhere", **changes), show=False)
    assert not equal(weights(tmp_path / "elsewhere"), weights(tmp_path / "whole"))
    for run, precision in (("whole", "bf16"), ("stopped", "bf16"), ("whole-again", "bf16"), ("elsewhere", "fp32")):
        assert yaml.safe_load((tmp_path / run / "config.yaml").read_text())["precision"] == precision, run
        assert read_json(tmp_path / run / "run.json")["settings"]["precision"] == precision, run


@pytest.mark.parametrize(("here", "scored_in"), [(True, "bf16"), (False, "fp32")])
def test_a_model_is_saved_in_the_precision_that_it_was_scored_in(here, scored_in, tmp_path, monkeypatch):
    """Not always the one it was trained in: elsewhere it would answer otherwise than its scores and threshold say."""
    data, model = write_squad(tmp_path / "few.json", FEW), make_model("bert", tmp_path / "encoder")
    scores, init = [], TorchScore.__init__
    monkeypatch.setattr("dokhae.model.devices.onednn_takes", lambda dtype: here)
    monkeypatch.setattr(TorchScore, "__init__", lambda self, *given: scores.append(given[2]) or init(self, *given))
    dokhae.train(config(model, data, tmp_path / "run", precision="bf16", max_steps=1), show=False)
    assert scores == [scored_in]
    assert read_json(tmp_path / "run" / "model" / "dokhae.json")["precision"] == scored_in


@pytest.mark.parametrize(
    ("precision", "gpu", "so"), [("bf16", True, True), ("fp32", True, False), ("bf16", False, False)]
)
def test_on_a_gpu_layers_learn_in_16_bits_and_are_left_as_they_were(precision, gpu, so, tmp_path, monkeypatch):
    data, model = write_squad(tmp_path / "few.json", FEW), make_model("bert", tmp_path / "encoder")
    models, kinds, norms, loss = [], set(), set(), module.TrainingModule.training_step

    def step(self, part, index):
        norms.update(type(one) for one in self.model.modules() if isinstance(one, torch.nn.LayerNorm))
        for layer in layers_of(self.model):
            models.append(self.model)
            layer.attention.output.register_forward_pre_hook(
                lambda module, given: kinds.add((given[1].dtype, module.training))
            )
        return loss(self, part, index)

    monkeypatch.setattr(module.TrainingModule, "training_step", step)
    wild = {"learning_rate": 1e38, "optimizer": OptimizerConfig(clip=0.0)}
    with made_fast_as_on_a_gpu() if gpu else contextlib.nullcontext():
        dokhae.train(config(model, data, tmp_path / "run", precision=precision), show=False)
        with pytest.raises(Diverged):
            dokhae.train(config(model, data, tmp_path / "diverged", precision=precision, **wild), show=False)
    assert {kind for kind, learns in kinds if learns} == {torch.bfloat16 if so else torch.float32}
    assert {kind for kind, learns in kinds if not learns} == {torch.float32}  # in evaluation: between the layers
    assert norms == {LayerNorm}  # which goes back in fp32
    assert not any("forward" in vars(one) for model in models for one in model.modules())


@pytest.mark.parametrize(
    ("changes", "processes", "lowered", "recorded"),
    [
        ({}, 1, True, True),
        ({"optimizer": OptimizerConfig(accumulate=2)}, 1, True, True),
        ({"no_cuda_graphs": True}, 1, True, False),
        ({"optimizer": OptimizerConfig(offload=True)}, 1, True, False),
        ({}, 2, True, False),
        ({"strategy": "fsdp"}, 2, False, False),
        ({"precision": "fp16"}, 1, False, True),
        ({"precision": "fp32"}, 1, False, False),
    ],
)
def test_what_is_done_to_be_fast_on_a_gpu(changes, processes, lowered, recorded, tmp_path, monkeypatch):
    """Blocks draw dropout of their own: so they are there, however the GPU is told of them."""
    net = load_model(locate(make_model("bert", tmp_path / "encoder")))
    lesson = SimpleNamespace(data=SimpleNamespace(processes=SimpleNamespace(size=processes)))
    settings = config(tmp_path, tmp_path, tmp_path, **{"precision": "bf16"} | changes)
    learning = module.TrainingModule(net, lesson, settings, 1)
    monkeypatch.setattr(module.TrainingModule, "device", torch.device("cuda"))
    learning.on_fit_start()
    assert [bool(layer.blocks) for layer in learning.lowered] == [True] * lowered
    assert (learning.recorder is not None) == recorded
    if recorded:
        assert learning.recorder.adds == (settings.optimizer.accumulate > 1)
        assert learning.recorder.lowered == learning.lowered
    learning.leave_as_it_was()
    assert not any("forward" in vars(one) for one in net.modules())
