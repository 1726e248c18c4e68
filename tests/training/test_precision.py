"""The precision that "auto" stood for stays with the run."""

from __future__ import annotations

import pytest
import torch
import yaml

import dokhae
from dokhae.files import read_json
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
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
