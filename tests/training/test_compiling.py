"""A compiled encoder learns what the plain one learns, under the same names; where nothing can compile, one is told."""

from __future__ import annotations

import json
import logging
import re
from types import SimpleNamespace

import pytest
import torch
from torch._inductor import config as inductor

import dokhae
from dokhae.errors import SettingsError
from dokhae.training import OptimizerConfig
from dokhae.training.compiling import USUAL, WARM_UP, CompileCost, check_compiler
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
from training.test_resume import train_and_stop


def test_a_machine_without_a_compiler_is_told_so_before_anything_is_written(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    asked = config(tmp_path / "encoder", data, tmp_path / "run", compile=True)
    torch.compiler.reset()  # what was compiled before needs no compiler
    with (
        inductor.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(SettingsError, match=r"compile: torch cannot compile for cpu here \(.*no-such-compiler.*g\+\+"),
    ):
        dokhae.train(asked, show=False)
    assert not asked.out.exists()


@pytest.mark.parametrize(("later", "said"), [(USUAL + 10, True), (3, True), (0, False)])
def test_the_cost_of_compiling_is_said_once(later, said, caplog, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    cost = CompileCost()
    with caplog.at_level(logging.INFO, "dokhae"):
        for seconds in [10.0, *([1.0] * (WARM_UP - 1)), *([0.5] * later)]:
            cost.on_train_batch_start()
            clock.now += seconds
            cost.on_train_batch_end()
        cost.on_train_end()
    assert [record.message for record in caplog.records] == (
        ["compile: the first 5 batches took 11.5 s more than as many later ones"] if said else []
    )


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_run_learns_the_same_and_goes_on_where_it_was_stopped(precision, tmp_path, monkeypatch, caplog):
    check_compiler("cpu")
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=2)
    changes = {"batch_size": 1, "learning_rate": 1e-3, "epochs": 2, "precision": precision, "compile": True}
    with caplog.at_level(logging.INFO, "dokhae"):
        scores = dokhae.train(config(model, data, tmp_path / "whole", **changes), show=False)
    assert re.search(r"compile: the first 5 batches took \d+\.\d s more", caplog.text)
    train_and_stop(config(model, data, tmp_path / "stopped", **changes), 7, monkeypatch)
    assert dokhae.resume(tmp_path / "stopped", show=False)["scores"] == scores["scores"]
    assert equal(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))


@pytest.mark.slow
def test_a_compiled_encoder_has_the_plain_ones_weights_and_names(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder", layers=2)
    described = json.loads((model / "config.json").read_text())
    described |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # compiled, it draws other numbers
    (model / "config.json").write_text(json.dumps(described))
    steady = OptimizerConfig(adam_epsilon=1e-3)  # gradients that are rounding alone do not become steps
    changes = {"batch_size": 2, "learning_rate": 1e-3, "epochs": 2, "optimizer": steady}
    dokhae.train(config(model, data, tmp_path / "plain", **changes), show=False)
    dokhae.train(config(model, data, tmp_path / "compiled", compile=True, **changes), show=False)
    plain, compiled = weights(tmp_path / "plain"), weights(tmp_path / "compiled")
    assert plain.keys() == compiled.keys()
    for name, weight in plain.items():
        torch.testing.assert_close(compiled[name], weight, rtol=0, atol=1e-6, msg=name)
