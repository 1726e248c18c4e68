"""A run that was stopped or killed at any step, and resumed, ends with the weights of a run that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import dokhae
from dokhae.errors import DataError, DokhaeError, SettingsError
from dokhae.training import KeepConfig, OptimizerConfig
from dokhae.training.checkpoints import Checkpoints
from dokhae.training.module import ReaderModule
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad

KEEP = KeepConfig(best_by="loss")


def ask_to_stop_at(step, monkeypatch):
    """Press Ctrl-C in the middle of a training step."""
    train = ReaderModule.training_step

    def step_and_stop(module, windows, index):
        if module.global_step == step - 1:
            checkpoints = next(each for each in module.trainer.callbacks if isinstance(each, Checkpoints))
            if not checkpoints.asked:
                os.kill(os.getpid(), signal.SIGINT)
        return train(module, windows, index)

    monkeypatch.setattr(ReaderModule, "training_step", step_and_stop)


@pytest.mark.parametrize(
    ("changes", "stops"),
    [
        pytest.param({"epochs": 3}, (1, 3, 4), id="first step, last step of an epoch, first of the next"),
        pytest.param({"epochs": 3, "optimizer": OptimizerConfig(accumulate=2)}, (1, 2), id="accumulation"),
        pytest.param({"epochs": 2, "dev": None}, (2, 3), id="without a dev file"),
        pytest.param({"epochs": 1.5}, (2, 3), id="a part of an epoch"),
    ],
)
def test_ctrl_c_saves_and_resuming_ends_with_the_same_weights(changes, stops, tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = {"batch_size": 2, "learning_rate": 1e-3, "keep": KEEP} | changes
    dokhae.train(config(model, data, tmp_path / "whole", **settings), show=False)
    for stop in stops:
        out = tmp_path / f"stopped-{stop}"
        with monkeypatch.context() as patch:
            ask_to_stop_at(stop, patch)
            with pytest.raises(
                DokhaeError, match=rf"stopped after step {stop} of \d+; go on with: dokhae train --resume"
            ):
                dokhae.train(config(model, data, out, **settings), show=False)
        assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
        dokhae.resume(out, show=False)
        assert equal(weights(out), weights(tmp_path / "whole")), f"stopped after step {stop}"
        history = json.loads((out / "run.json").read_text())["history"]
        assert [entry["status"] for entry in history] == ["interrupted", "finished"]


def test_ctrl_c_gives_the_signals_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    data = write_squad(tmp_path / "few.json", FEW)
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1), show=False)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_killed_process_leaves_whole_files_and_can_be_resumed(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = {"batch_size": 2, "learning_rate": 1e-3, "epochs": 40, "checkpoint_every": 1, "keep": KEEP}
    dokhae.train(config(model, data, tmp_path / "whole", **settings), show=False)
    out = tmp_path / "killed"
    command = [
        sys.executable, "-m", "dokhae", "train", "--benchmark", "korquad-1.0", "--model", str(model),
        "--train", str(data), "--dev", str(data), "--out", str(out), "--batch_size", "2", "--max_length", "64",
        "--step", "16", "--max_question_length", "24", "--device", "cpu", "--learning_rate", "1e-3", "--epochs", "40",
        "--checkpoint_every", "1", "--keep.best_by", "loss",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    last = out / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 90
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert last.exists()
    assert not (out / "scores.json").exists(), "it was killed too late to show anything"

    dokhae.resume(out, show=False)
    assert equal(weights(out), weights(tmp_path / "whole"))
    rows = (out / "metrics.csv").read_text().splitlines()
    assert rows[0].count("train_loss") == 1
    assert sum("train_loss" in row for row in rows) == 1


@pytest.mark.parametrize("epochs", [1, 1.5])
def test_a_finished_run_can_be_resumed_without_harm(epochs, tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    settings = config(make_model("bert", tmp_path / "encoder"), data, out, epochs=epochs, batch_size=2)
    report = dokhae.train(settings, show=False)
    last = torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == json.loads((out / "run.json").read_text())["steps"]
    before = weights(out)
    assert dokhae.resume(out, show=False) == report
    assert equal(weights(out), before)


def test_stopping_early_goes_on_where_it_was(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    keep = KeepConfig(best_by="em", patience=2)
    settings = {"batch_size": 2, "learning_rate": 1e-12, "epochs": 50, "keep": keep}  # the score never gets better
    dokhae.train(config(model, data, tmp_path / "whole", **settings), show=False)
    steps = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert steps == 9  # the first epoch, and two that were no better, of 3 steps each

    for stop in (3, 4):  # the end of the first epoch, and the middle of the second
        out = tmp_path / f"stopped-{stop}"
        with monkeypatch.context() as patch:
            ask_to_stop_at(stop, patch)
            with pytest.raises(DokhaeError, match=f"stopped after step {stop}"):
                dokhae.train(config(model, data, out, **settings), show=False)
        dokhae.resume(out, show=False)
        assert torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == steps


def test_a_run_killed_while_scoring_does_not_train_again_or_lose_a_checkpoint(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    keep = KeepConfig(best_by="loss", best=2, patience=2)
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("dokhae.training.results.score", interrupted)
        with pytest.raises(DokhaeError, match="stopped; go on with: dokhae train --resume"):
            dokhae.train(config(model, data, out, epochs=3, learning_rate=1e-3, keep=keep), show=False)
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    kept = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert len(kept) == 3
    dokhae.resume(out, show=False)
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == kept
    assert (out / "scores.json").exists()


def interrupted(*_):
    raise KeyboardInterrupt


def test_stopping_twice_within_an_accumulation_ends_with_the_same_weights(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    settings = {
        "batch_size": 1, "learning_rate": 1e-3, "epochs": 2, "keep": KEEP, "checkpoint_every": 1,
        "optimizer": OptimizerConfig(accumulate=3),
    }  # fmt: skip
    dokhae.train(config(model, data, tmp_path / "whole", **settings), show=False)
    out = tmp_path / "stopped"
    for stop in (1, 3):
        with monkeypatch.context() as patch:
            ask_to_stop_at(stop, patch)
            handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
            with pytest.raises(DokhaeError, match="stopped after step"):
                dokhae.train(config(model, data, out, **settings), show=False) if stop == 1 else dokhae.resume(
                    out, show=False
                )
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    dokhae.resume(out, show=False)
    assert equal(weights(out), weights(tmp_path / "whole"))


def test_a_damaged_run_is_one_clear_error(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, out, epochs=1), show=False)
    (out / "run.json").write_text("[]")
    with pytest.raises(DataError, match=r"run\.json: is not a run's record"):
        dokhae.resume(out, show=False)
    (out / "run.json").write_text("{}")
    (out / "checkpoints" / "last.ckpt").write_bytes(b"junk")
    with pytest.raises(SettingsError, match=r"last\.ckpt: is damaged"):
        dokhae.resume(out, show=False)


def test_a_run_that_trusts_code_asks_again(tmp_path):
    from dokhae.training import runs

    data = write_squad(tmp_path / "few.json", FEW)
    runs.create(config(tmp_path / "m", data, tmp_path / "run", trust_remote_code=True))
    with pytest.raises(SettingsError, match="allow that with --trust_remote_code"):
        dokhae.resume(tmp_path / "run", show=False)


def test_a_run_whose_data_has_changed_is_not_resumed(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, out, epochs=1), show=False)
    write_squad(data, FEW[:3])
    with pytest.raises(SettingsError, match=r"few\.json: has changed since .*run was started"):
        dokhae.resume(out, show=False)


@pytest.mark.parametrize(
    ("files", "message"), [((), "is not a run folder"), (("config.yaml",), "there is no checkpoint yet")]
)
def test_what_cannot_be_resumed_says_so(files, message, tmp_path):
    from dokhae.training import runs

    if files:
        runs.create(config(tmp_path / "m", tmp_path / "d.json", tmp_path / "run"))
    with pytest.raises(SettingsError, match=message):
        dokhae.resume(tmp_path / "run", show=False)
