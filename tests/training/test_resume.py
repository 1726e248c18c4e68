"""A run that was stopped or killed at any step, and resumed, ends with the weights of a run that was not."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
import yaml

import dokhae
from dokhae.errors import DataError, DokhaeError, SettingsError
from dokhae.stopping import ASKING
from dokhae.training import KeepConfig, OptimizerConfig
from dokhae.training.checkpoints import Checkpoints, Interrupted, best_in
from dokhae.training.folder import alone_in, refuse_taken
from dokhae.training.identity import Identity
from dokhae.training.module import TrainingModule
from dokhae.training.reading import ReaderLesson
from tiny_models import make_model
from training.small import FEW, config, equal, logged, weights, write_squad

KEEP = KeepConfig(best_by="loss")


def ask_to_stop_at(step, monkeypatch):
    """Press Ctrl-C in the middle of a training step."""
    train = TrainingModule.training_step

    def step_and_stop(module, windows, index):
        if module.global_step == step - 1:
            checkpoints = next(each for each in module.trainer.callbacks if isinstance(each, Checkpoints))
            if not checkpoints.request.asked:
                os.kill(os.getpid(), signal.SIGINT)
        return train(module, windows, index)

    monkeypatch.setattr(TrainingModule, "training_step", step_and_stop)


@pytest.mark.parametrize(
    ("changes", "stops"),
    [
        pytest.param({"epochs": 3}, (1, 3, 4, 9), id="first step, last step of an epoch, first of the next, the last"),
        pytest.param({"epochs": 3, "optimizer": OptimizerConfig(accumulate=2)}, (1, 2), id="accumulation"),
        pytest.param({"epochs": 2, "dev": None}, (2, 3), id="without a dev file"),
        pytest.param({"epochs": 2, "dev": None, "optimizer": OptimizerConfig(accumulate=2)}, (2,), id="both"),
        pytest.param({"epochs": 1.5}, (2, 3, 4), id="a part of an epoch"),
    ],
)
def test_ctrl_c_saves_and_resuming_ends_with_the_same_weights(changes, stops, tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    monkeypatch.chdir(tmp_path)
    settings = {"batch_size": 2, "learning_rate": 1e-3, "keep": KEEP, "dev": data.relative_to(tmp_path)} | changes
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
        assert logged(out) == logged(tmp_path / "whole")
        if "dev" not in changes:
            assert (out / "scores.json").read_bytes() == (tmp_path / "whole" / "scores.json").read_bytes()
        history = json.loads((out / "run.json").read_text())["history"]
        assert [entry["status"] for entry in history] == ["interrupted", "finished"]
        assert all(entry["command"] == sys.argv for entry in history)


@pytest.mark.parametrize(
    ("epochs", "message"),
    [
        pytest.param(2, "stopped after step 6 of 6; go on with", id="after an epoch"),
        pytest.param(1.5, "stopped after step 4 of 4; go on with", id="in the middle of one"),
    ],
)
@pytest.mark.parametrize("number", ASKING)
def test_ctrl_c_in_the_last_validation_stops_before_the_scoring(epochs, message, number, tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    out = tmp_path / "run"
    changes = config(make_model("bert", tmp_path / "encoder"), data, out, epochs=epochs, batch_size=2, keep=KEEP)
    validate = TrainingModule.validation_step

    def validate_and_stop(module, part, index):
        if module.global_step == module.steps and index == 0:
            os.kill(os.getpid(), number)
        return validate(module, part, index)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "validation_step", validate_and_stop)
        with pytest.raises(Interrupted, match=message):
            dokhae.train(changes, show=False)
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert not (out / "scores.json").exists()
    assert dokhae.resume(out, show=False) == json.loads((out / "scores.json").read_text())


def test_a_run_that_was_scoring_and_has_lost_its_best_model_validates_again(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    run = tmp_path / "run"
    keep = KeepConfig(best_by="loss", best=2)
    settings = config(make_model("bert", tmp_path / "encoder"), data, run, epochs=3, batch_size=2, keep=keep)
    report, model = dokhae.train(settings, show=False), weights(run)
    names = best_in(torch.load(run / "checkpoints" / "last.ckpt", weights_only=True))
    assert names[0].startswith("best-step=9-")
    (run / "checkpoints" / names[0]).unlink()
    record = run / "run.json"
    record.write_text(record.read_text().replace('"status": "finished"', '"status": "running"'))
    assert dokhae.resume(run, show=False) == report
    assert equal(weights(run), model)
    assert (run / "checkpoints" / names[0]).exists()


def test_only_files_of_its_own_folder_are_deleted_because_a_checkpoint_says_so(tmp_path):
    own, other = tmp_path / "checkpoints" / "best-step=1-dev_em=1.0000.ckpt", tmp_path / "thesis.txt"
    own.parent.mkdir()
    for path in (own, other):
        path.touch()
    checkpoints = Checkpoints(config(tmp_path, tmp_path, tmp_path), 1, Identity("", "", ""))
    checkpoints.load_state_dict({"best": [], "dropped": [own.name, "../thesis.txt", str(other)]})
    assert not own.exists() and other.exists()


def test_ctrl_c_gives_the_signals_back(tmp_path):
    before = [signal.getsignal(number) for number in ASKING]
    data = write_squad(tmp_path / "few.json", FEW)
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1), show=False)
    assert [signal.getsignal(number) for number in ASKING] == before


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
            handlers = [signal.getsignal(number) for number in ASKING]
            with pytest.raises(DokhaeError, match="stopped after step"):
                dokhae.train(config(model, data, out, **settings), show=False) if stop == 1 else dokhae.resume(
                    out, show=False
                )
            assert [signal.getsignal(number) for number in ASKING] == handlers
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


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(SettingsError, match="is not a run folder"):
        dokhae.resume(tmp_path, show=False)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_over(tmp_path, caplog):
    from dokhae.training import runs

    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, tmp_path / "whole", epochs=1), show=False)
    runs.create(config(model, data, tmp_path / "run", epochs=1))
    dokhae.resume(tmp_path / "run", show=False)
    assert "was stopped before its first checkpoint; it starts over" in caplog.text
    assert equal(weights(tmp_path / "run"), weights(tmp_path / "whole"))


def train_and_stop(settings, step, monkeypatch):
    """Train until Ctrl-C in the middle of a step; the run folder."""
    with monkeypatch.context() as patch:
        ask_to_stop_at(step, patch)
        with pytest.raises(DokhaeError, match=f"stopped after step {step}"):
            dokhae.train(settings, show=False)
    return settings.out


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A run that was stopped after its first step."""
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=2)
    return train_and_stop(settings, 1, monkeypatch)


def test_a_run_that_starts_over_needs_the_encoder_that_it_began_with(stopped):
    (stopped / "checkpoints" / "last.ckpt").unlink()
    another_encoder(stopped)
    with pytest.raises(SettingsError, match="began with another encoder"):
        dokhae.resume(stopped, show=False)


def test_a_dev_file_that_has_become_the_train_file_has_changed(tmp_path, monkeypatch):
    data, dev = write_squad(tmp_path / "few.json", FEW), write_squad(tmp_path / "dev.json", FEW[:3])
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=2, dev=dev)
    run = train_and_stop(settings, 1, monkeypatch)
    old = dev.read_bytes()
    dev.write_bytes(data.read_bytes())
    with pytest.raises(SettingsError, match=r"dev\.json: has changed since .*run was started"):
        dokhae.resume(run, show=False)
    dev.rename(tmp_path / "moved.json").write_bytes(old)
    dokhae.resume(run, show=False, data={"dev": tmp_path / "moved.json"})


@pytest.mark.parametrize("name", ["train", "dev"])
def test_a_run_whose_files_are_others_in_its_settings_is_not_resumed(name, tmp_path, monkeypatch):
    data, dev = write_squad(tmp_path / "few.json", FEW), write_squad(tmp_path / "dev.json", FEW[:3])
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=2, dev=dev)
    path = train_and_stop(settings, 1, monkeypatch) / "config.yaml"
    begun = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(begun | {name: begun["dev" if name == "train" else "train"]}))
    with pytest.raises(SettingsError, match=r"\.json: has changed since .*run was started"):
        dokhae.resume(path.parent, show=False)
    path.write_text(yaml.safe_dump(begun | {"dev": None}))
    with pytest.raises(SettingsError, match=r"config\.yaml: dev is None, but the run began with .*dev\.json; put that"):
        dokhae.resume(path.parent, show=False)


def test_a_run_whose_settings_have_changed_is_not_resumed(stopped):
    path, record = stopped / "config.yaml", (stopped / "run.json").read_bytes()
    begun = path.read_text()
    for old, new, words in (
        ("learning_rate: 5.0e-05", "learning_rate: 1.0e-04", "learning_rate is 0.0001, but the run began with 5e-05"),
        ("warmup: 0.1", "warmup: 0.2", "optimizer.warmup is 0.2, but the run began with 0.1; put that back, or train"),
    ):
        assert old in begun
        path.write_text(begun.replace(old, new))
        with pytest.raises(SettingsError, match=rf"config\.yaml: {words}"):
            dokhae.resume(stopped, show=False)
        assert (stopped / "run.json").read_bytes() == record
    path.write_text(begun.replace("checkpoint_every: null", "checkpoint_every: 1").replace("best: 1", "best: 2"))
    dokhae.resume(stopped, show=False)  # that changes no result


def test_a_run_whose_data_has_changed_is_not_resumed(stopped):
    write_squad(stopped.parent / "few.json", FEW[:3])
    with pytest.raises(SettingsError, match=r"few\.json: has changed since .*run was started"):
        dokhae.resume(stopped, show=False)


def test_a_run_whose_data_has_moved_goes_on_where_it_is_now(stopped, tmp_path, monkeypatch):
    data, moved = tmp_path / "few.json", tmp_path / "elsewhere.json"
    dokhae.train(config(tmp_path / "encoder", data, tmp_path / "whole", epochs=2), show=False)
    data.rename(moved)
    places = {"train": moved, "dev": moved}
    with pytest.raises(DataError, match="no such file"):
        dokhae.resume(stopped, show=False)
    with monkeypatch.context() as patch:
        ask_to_stop_at(3, patch)
        with pytest.raises(DokhaeError, match="stopped after step 3"):
            dokhae.resume(stopped, show=False, data=places)
    dokhae.resume(stopped, show=False)  # it knows by now
    assert equal(weights(stopped), weights(tmp_path / "whole"))


def test_two_processes_do_not_train_in_one_folder(stopped):
    with alone_in(stopped), pytest.raises(SettingsError, match=r"run: another process is training in it"):
        dokhae.resume(stopped, show=False)
    with pytest.raises(ZeroDivisionError), alone_in(stopped):
        raise ZeroDivisionError
    assert not list(stopped.parent.glob(".*.lock"))
    dokhae.resume(stopped, show=False)
    assert not list(stopped.parent.glob(".*.lock"))


def test_a_folder_has_one_lock_by_whatever_name_it_is_called(stopped, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(stopped)
    monkeypatch.chdir(stopped)
    for name in ("link", "."):
        with alone_in(stopped), pytest.raises(SettingsError, match="another process is training in it"):
            dokhae.resume(tmp_path / "link" if name == "link" else Path(), show=False)


def test_an_empty_folder_that_one_is_in_is_trained_in(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    dokhae.train(config(model, data, Path(), epochs=1), show=False)
    assert (tmp_path / "here" / "run.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which root alone may")
def test_ones_own_empty_folder_in_another_s_is_trained_in(open_folder):
    """As a volume that is mounted for a user, whose parent is root's. Its lock lies in it, and goes."""
    own = open_folder / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    os.seteuid(65534)
    try:
        with alone_in(own):
            refuse_taken(own)
            assert [each.name for each in own.iterdir()] == [".training.lock"]
            with pytest.raises(SettingsError, match="another process is training in it"), alone_in(own):
                pass
    finally:
        os.seteuid(0)
    assert list(own.iterdir()) == []


def test_a_run_where_nothing_may_be_written_is_one_error(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    (tmp_path / "file").write_text("no folder")
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "file" / "run", epochs=1)
    with pytest.raises(DataError, match=r"file: cannot be made a folder"):
        dokhae.train(settings, show=False)


def test_a_resumed_run_says_where_it_began_and_keeps_that(stopped, caplog):
    record = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps(record | {"threads": 77}))
    dokhae.resume(stopped, show=False)
    assert "began with threads 77, here it is " in caplog.text
    record = json.loads((stopped / "run.json").read_text())
    assert record["threads"] == 77
    assert record["history"][-1]["threads"] == torch.get_num_threads()


def test_a_loss_that_is_no_number_is_never_the_best_and_stops_nothing(tmp_path, monkeypatch):
    """Of one epoch's validation; the run is killed while it scores, and resumed."""
    loss, seen = ReaderLesson.loss, []

    def without_first(lesson, split, batch, logits):
        value = loss(lesson, split, batch, logits)
        seen.extend([split] if split == "dev" else [])
        return value * math.nan if split == "dev" and len(seen) == 1 else value

    monkeypatch.setattr(ReaderLesson, "loss", without_first)
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    changes = {"epochs": 4, "batch_size": 6, "learning_rate": 1e-3, "keep": KeepConfig(best_by="loss", patience=2)}
    dokhae.train(config(model, data, tmp_path / "whole", **changes), show=False)
    best = [path.name for path in (tmp_path / "whole" / "checkpoints").glob("best*")]
    assert len(best) == 1 and "nan" not in best[0]
    seen.clear()
    train_and_stop(config(model, data, tmp_path / "stopped", **changes), 2, monkeypatch)
    dokhae.resume(tmp_path / "stopped", show=False)
    assert equal(weights(tmp_path / "stopped"), weights(tmp_path / "whole"))


def contents(run):
    return {path: path.read_bytes() for path in sorted(run.rglob("*")) if path.is_file()}


def another_encoder(run):
    make_model("bert", run.parent / "encoder", seed=1)


def another_tokenizer(run):
    path = run.parent / "encoder" / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_lower_case": True}))


def another_version(run):
    path = run / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["dokhae"]["version"] = "0.0.7"
    torch.save(content, path)


def no_version(run):
    path = run / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["dokhae"]
    torch.save(content, path)


def cut_off(run):
    path = run / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-1000])


def no_manifest(run):
    (run / "run.json").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (another_encoder, r"run: began with another encoder: .*encoder has other weights now"),
        (
            another_tokenizer,
            r"run: began with another encoder: .*encoder has other tokenizer files, Korean settings or analyser now",
        ),
        (another_version, r"last\.ckpt: was written by dokhae 0\.0\.7, and this is \d"),
        (no_version, r"last\.ckpt: is not a checkpoint of this version of dokhae"),
        (cut_off, r"last\.ckpt: is damaged"),
        (no_manifest, r"run: has a checkpoint but no run\.json"),
    ],
)
def test_a_run_that_cannot_go_on_as_it_began_says_why_and_loses_nothing(change, message, stopped):
    change(stopped)
    before = contents(stopped)
    with pytest.raises(SettingsError, match=message):
        dokhae.resume(stopped, show=False)
    assert contents(stopped) == before


def test_a_checkpoint_is_saved_by_the_clock(tmp_path, monkeypatch):
    saved = []
    save = Checkpoints.save_last
    monkeypatch.setattr(
        Checkpoints, "save_last", lambda one, trainer: saved.append(trainer.global_step) or save(one, trainer)
    )
    data = write_squad(tmp_path / "few.json", FEW)
    model = make_model("bert", tmp_path / "encoder")
    for minutes, expected in ((1e-9, [1, 2, 3]), (0, [3]), (60, [3])):
        out = tmp_path / str(minutes)
        dokhae.train(config(model, data, out, epochs=1, batch_size=2, checkpoint_minutes=minutes), show=False)
        assert saved == expected
        saved.clear()
