"""A run's checkpoints scored, and a run run again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import dokhae
from dokhae.cli import main
from dokhae.errors import DokhaeError, SettingsError
from dokhae.training import KeepConfig, OptimizerConfig
from dokhae.training.reproduction import folder_for
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad
from training.test_resume import another_encoder, ask_to_stop_at, train_and_stop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of twelve steps whose twelve epochs are all kept."""
    folder = tmp_path_factory.mktemp("again")
    data = write_squad(folder / "few.json", FEW)
    settings = config(
        make_model("bert", folder / "encoder"), data, folder / "run", epochs=12, batch_size=6, learning_rate=3e-3,
        keep=KeepConfig(best_by="em", best=20), optimizer=OptimizerConfig(warmup=0.0),
    )  # fmt: skip
    dokhae.train(settings, show=False)
    return settings.out


def scores_of(run):
    return json.loads((run / "scores.json").read_text())["scores"]


def test_all_checkpoints_are_scored_in_the_order_of_their_steps(run):
    report = dokhae.evaluate_run(run, "all", device="cpu", show=False)
    assert report == json.loads((run / "best_results.json").read_text())
    assert [entry["step"] for entry in report["checkpoints"]] == [*range(1, 13), 12]
    assert report["checkpoints"][-1]["checkpoint"] == "last.ckpt"
    for entry in report["checkpoints"][:-1]:  # what validation said while training
        assert f"dev_em={entry['scores']['exact_match']:.4f}" in entry["checkpoint"]
    ems = [entry["scores"]["exact_match"] for entry in report["checkpoints"]]
    assert len(set(ems)) > 1
    assert report["best"]["scores"]["exact_match"] == max(ems)
    assert report["best_by"] == "exact_match"


def test_the_best_checkpoint_is_found_by_number_and_is_the_models(run):
    report = dokhae.evaluate_run(run, "best", device="cpu", show=False)
    assert [report["best"]] == report["checkpoints"]
    assert report["best"]["scores"] == scores_of(run)
    assert dokhae.evaluate_run(run, "last", device="cpu", show=False)["best"]["step"] == 12


def test_a_checkpoint_that_another_run_left_there_does_not_count(run, tmp_path):
    stranger = run / "checkpoints" / "best-step=99-dev_em=100.0000.ckpt"
    stranger.write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    try:
        report = dokhae.evaluate_run(run, "all", device="cpu", show=False)
    finally:
        stranger.unlink()
    assert stranger.name not in {entry["checkpoint"] for entry in report["checkpoints"]}


def test_thresholds_are_fitted_for_each_checkpoint(tmp_path):
    data = write_squad(tmp_path / "few.json", [*FEW, ("What does the ship carry?", "The town has a mill.", None)])
    out = tmp_path / "run"
    model = make_model("bert", tmp_path / "encoder")
    dokhae.train(config(model, data, out, benchmark="squad-2.0", epochs=2, keep=KeepConfig(best=2)), show=False)
    report = dokhae.evaluate_run(out, "all", device="cpu", show=False)
    assert len(report["checkpoints"]) == 3
    assert all("FITTED ON THE SPLIT" in entry["null_threshold"] for entry in report["checkpoints"])
    best = dokhae.evaluate_run(out, "best", device="cpu", show=False)["best"]
    assert best["scores"] == scores_of(out)


def test_an_interrupted_run_can_be_scored_too(tmp_path, monkeypatch):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=2)
    train_and_stop(settings, 1, monkeypatch)
    assert dokhae.evaluate_run(settings.out, "best", device="cpu", show=False)["best"]["step"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda run: (run / "checkpoints" / "last.ckpt").unlink(),
            r"last\.ckpt: there is no such checkpoint; it was taken away",
        ),
        (lambda run: (run / "checkpoints" / "last.ckpt").write_bytes(b"x"), r"last\.ckpt: is damaged"),
        (lambda run: (run / "config.yaml").unlink(), "is not a run folder"),
    ],
)
def test_a_run_that_cannot_be_scored_says_why(change, message, tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1)
    dokhae.train(settings, show=False)
    change(settings.out)
    with pytest.raises(SettingsError, match=message):
        dokhae.evaluate_run(settings.out, device="cpu", show=False)


def test_a_run_without_a_dev_file_cannot_be_scored(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1, dev=None)
    dokhae.train(settings, show=False)
    with pytest.raises(SettingsError, match="was trained without a dev file"):
        dokhae.evaluate_run(settings.out, device="cpu", show=False)


def test_run_json_holds_all_that_it_takes_to_run_again(run):
    record = json.loads((run / "run.json").read_text())
    assert record["settings"]["optimizer"]["adam_epsilon"] == 1e-8
    assert record["settings"]["keep"] == {"best_by": "em", "best": 20, "patience": None}
    assert record["settings"] == yaml.safe_load((run / "config.yaml").read_text())
    assert record["command"] and record["seed"] == 42
    assert set(record["encoder"]) == {"sha256", "tokenizer_sha256"}
    assert all(len(digest) == 64 for digest in [*record["encoder"].values(), *record["data"].values()])
    assert record["versions"]["dokhae"] == dokhae.__version__


def test_a_run_that_is_run_again_gives_the_same_scores_and_weights(run):
    report = dokhae.reproduce(run, show=False)
    again = run.with_name("run-again")
    assert report == json.loads((again / "reproduction.json").read_text())
    assert report["same_scores"] and report["same_weights"]
    assert {name: pair["before"] for name, pair in report["scores"].items()} == scores_of(run) == scores_of(again)
    assert equal(weights(run), weights(again))
    assert dokhae.reproduce(run, run.with_name("third"), show=False)["same_weights"]


def test_scores_that_differ_are_said_with_both_and_exit_1(tmp_path, caplog):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1)
    dokhae.train(settings, show=False)
    scores = json.loads((settings.out / "scores.json").read_text())
    scores["scores"]["f1"] = 12.5
    (settings.out / "scores.json").write_text(json.dumps(scores))
    record = json.loads((settings.out / "run.json").read_text())
    record["versions"]["torch"] = "1.0"
    (settings.out / "run.json").write_text(json.dumps(record))
    with pytest.raises(DokhaeError, match=r"run-again: the scores are not those of .*run: f1 12\.5 -> ") as failure:
        dokhae.reproduce(settings.out, show=False)
    assert failure.value.exit_code == 1
    assert f"began with torch 1.0, here it is {torch.__version__}" in caplog.text
    assert json.loads((tmp_path / "run-again" / "reproduction.json").read_text())["same_weights"]


def test_without_a_dev_file_the_weights_are_compared(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1, dev=None)
    dokhae.train(settings, show=False)
    assert dokhae.reproduce(settings.out, show=False)["same_weights"]
    altered = load_file(settings.out / "model" / "model.safetensors")
    altered["qa_outputs.bias"] += 1
    save_file(altered, settings.out / "model" / "model.safetensors")
    with pytest.raises(DokhaeError, match="the weights are not those of"):
        dokhae.reproduce(settings.out, show=False)


def test_an_interrupted_reproduction_is_gone_on_with_and_compared(run, monkeypatch):
    for stop in (2, 5):
        with monkeypatch.context() as patch:
            ask_to_stop_at(stop, patch)
            with pytest.raises(DokhaeError, match=f"stopped after step {stop} of 12"):
                dokhae.reproduce(run, run.with_name("stopped"), show=False)
    report = dokhae.reproduce(run, run.with_name("stopped"), show=False)
    assert report["same_weights"] and report["run"] == str(run)
    history = json.loads((run.with_name("stopped") / "run.json").read_text())["history"]
    assert [entry["status"] for entry in history] == ["interrupted", "interrupted", "finished"]


def test_a_run_that_has_lost_its_scores_is_not_run_again_in_vain(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1)
    dokhae.train(settings, show=False)
    (settings.out / "scores.json").unlink()
    with pytest.raises(SettingsError, match=r"has lost its scores\.json"):
        dokhae.reproduce(settings.out, show=False)
    assert not (tmp_path / "run-again").exists()


def test_of_a_run_without_a_dev_file_the_weights_are_compared(tmp_path, capsys):
    data, out = write_squad(tmp_path / "few.json", FEW), tmp_path / "run"
    dokhae.train(config(make_model("bert", tmp_path / "encoder"), data, out, dev=None, max_steps=1), show=False)
    assert main(["train", "--reproduce", str(out)]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err.splitlines()[-1]) == ("", f"the weights are those of {out}; it has no scores")


def test_a_reproduction_is_not_put_into_another_trainings_folder(run, tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "other", epochs=1)
    dokhae.train(settings, show=False)
    with pytest.raises(SettingsError, match="is another training's run folder"):
        dokhae.reproduce(run, settings.out, show=False)


def test_a_run_that_ends_in_the_middle_of_an_epoch_knows_its_best_checkpoint(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(
        make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=2.5, batch_size=2, learning_rate=3e-3,
        keep=KeepConfig(best_by="loss", best=2),
    )  # fmt: skip
    dokhae.train(settings, show=False)
    kept = {path.name for path in (settings.out / "checkpoints").iterdir()}
    report = dokhae.evaluate_run(settings.out, "all", device="cpu", show=False)
    assert {entry["checkpoint"] for entry in report["checkpoints"]} == kept
    assert report["best_by"] == "loss"
    best = dokhae.evaluate_run(settings.out, "best", device="cpu", show=False)["best"]
    assert best == report["best"]
    assert best["scores"] == scores_of(settings.out)
    assert best["step"] == 8  # the last: two epochs of three steps, and a half


def test_the_training_file_is_not_needed_to_score_a_run(tmp_path):
    train, dev = (write_squad(tmp_path / name, FEW) for name in ("train.json", "dev.json"))
    settings = config(make_model("bert", tmp_path / "encoder"), train, tmp_path / "run", epochs=1, dev=dev)
    report = dokhae.train(settings, show=False)
    train.unlink()
    assert dokhae.evaluate_run(settings.out, device="cpu", show=False)["best"]["scores"] == report["scores"]
    assert dokhae.resume(settings.out, show=False) == report


def test_a_run_is_not_run_again_with_another_encoder_or_before_its_end(tmp_path):
    data = write_squad(tmp_path / "few.json", FEW)
    settings = config(make_model("bert", tmp_path / "encoder"), data, tmp_path / "run", epochs=1)
    dokhae.train(settings, show=False)
    another_encoder(settings.out)
    with pytest.raises(SettingsError, match=r"began with another encoder: .*encoder has other weights now"):
        dokhae.reproduce(settings.out, show=False)
    assert not (tmp_path / "run-again").exists()
    record = json.loads((settings.out / "run.json").read_text())
    (settings.out / "run.json").write_text(json.dumps(record | {"status": "failed"}))
    with pytest.raises(SettingsError, match="has not been trained to its end"):
        dokhae.reproduce(settings.out, show=False)


def test_the_run_that_one_is_in_is_run_again_beside_it(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    assert folder_for(Path()) == tmp_path / "run-again"
    assert folder_for(Path("..") / "run") == Path("..") / "run-again"
