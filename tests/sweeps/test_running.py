"""What a sweep tries, and what it tells of it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import optuna
import pytest
import torch

import dokhae
from dokhae import sweeps
from dokhae.errors import SettingsError, TrainingError
from dokhae.files import read_json
from dokhae.progress import clock
from dokhae.sweeps.results import ranked, write_table
from dokhae.sweeps.sampling import make_sampler, suggest
from dokhae.sweeps.spec import config_of
from dokhae.training.reading import ReaderLesson
from sweeps.small_sweeps import comparable, spec_of


def test_a_grid_trains_each_point_once_with_the_scores_of_a_training_alone(tmp_path, tiny_bert, few):
    spec = spec_of(tiny_bert, few)
    results = sweeps.sweep(spec, tmp_path / "out", show=False)
    assert [tuple(each.settings.values()) for each in results] == [(1e-3, 3), (1e-3, 2), (5e-2, 3), (5e-2, 2)]
    assert [each.run for each in results] == [tmp_path / f"out/runs/trial-{number:04d}" for number in range(4)]
    plan = sweeps.read(spec, tmp_path / "out")
    for each in results:
        scores = dokhae.train(config_of(plan, each.settings, tmp_path / f"alone-{each.trial}"), show=False)["scores"]
        assert (each.state, each.scores["em"], each.scores["f1"]) == ("finished", scores["exact_match"], scores["f1"])
        assert scores == read_json(each.run / "scores.json")["scores"]
    assert len({each.scores["f1"] for each in results}) > 1
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["f1"]) for row in rows] == [each.scores["f1"] for each in results]
    assert [float(row["learning_rate"]) for row in rows] == [1e-3, 1e-3, 5e-2, 5e-2]
    for name in ("history", "importance", "parallel_coordinates"):
        assert (tmp_path / "out" / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")

    before = [read_json(each.run / "run.json") for each in results]
    assert sweeps.sweep(spec, tmp_path / "out", show=False) == results
    assert [read_json(each.run / "run.json") for each in results] == before


@pytest.mark.slow
def test_one_seed_tries_the_same_points_however_often_it_is_stopped(tmp_path, tiny_bert, few):
    search = {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "batch_size": {"low": 2, "high": 6},
        "optimizer.schedule": ["linear", "constant"],
    }
    settings, sampler = {"epochs": 1, "checkpoint_every": None}, {"name": "tpe", "n_startup_trials": 2}
    spec = spec_of(tiny_bert, few, search=search, sampler=sampler, trials=3, settings=settings)
    whole = sweeps.sweep(spec, tmp_path / "whole", show=False)
    assert len({tuple(each.settings.values()) for each in whole}) == 3
    assert len(sweeps.sweep(spec, tmp_path / "parts", trials=1, show=False)) == 1
    parts = sweeps.sweep(spec, tmp_path / "parts", show=False)
    assert comparable(parts) == comparable(whole)


def test_another_seed_tries_other_points(tmp_path, few):
    search = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}

    def points(seed):
        plan = sweeps.read(spec_of(tmp_path, few, search=search, sampler="random", trials=3, seed=seed), tmp_path)
        study = optuna.create_study(sampler=make_sampler(plan))
        return [suggest(study.ask(), plan.search)["learning_rate"] for _ in range(3)]

    assert points(0) == points(0)
    assert not set(points(0)) & set(points(1))


def test_the_lowest_loss_wins_where_it_is_minimized(tmp_path, tiny_bert, few):
    spec = spec_of(tiny_bert, few, minimize="loss", search={"learning_rate": [1e-3, 5e-2]}, settings={"max_steps": 3})
    results = sweeps.sweep(spec, tmp_path / "out", show=False)  # which end in the middle of an epoch
    assert ranked(results, "loss")[0].scores["loss"] == min(each.scores["loss"] for each in results)
    with (results[0].run / "metrics.csv").open() as file:
        assert results[0].scores["loss"] == min(
            float(row["dev_loss"]) for row in csv.DictReader(file) if row["dev_loss"]
        )
    assert (results[0].run / "config.yaml").read_text().count("best_by: loss") == 1


def test_pruning_ends_a_bad_trial_early(tmp_path, tiny_bert, few):
    prune = {"name": "median", "n_startup_trials": 1}
    search = {"learning_rate": [2e-2, 1e-9]}
    settings = {"epochs": 4, "batch_size": 1, "checkpoint_every": None}
    spec = spec_of(tiny_bert, few, search=search, prune=prune, settings=settings)
    good, bad = sweeps.sweep(spec, tmp_path / "out", show=False)
    assert (good.state, bad.state, bad.reason) == ("finished", "pruned", "pruned after validation 1")
    assert bad.scores["f1"] < good.scores["f1"]
    run = read_json(bad.run / "run.json")
    last = torch.load(bad.run / "checkpoints" / "last.ckpt", weights_only=True)
    assert (run["status"], run["steps"], last["global_step"]) == ("pruned", 24, 6)
    assert (tmp_path / "out" / "plots" / "history.png").exists()


def test_a_trial_that_has_only_to_be_scored_is_not_pruned(tmp_path, tiny_bert, few):
    search, prune = {"learning_rate": [1e-3]}, {"name": "threshold", "lower": 100}  # which no score is above
    spec = spec_of(tiny_bert, few, search=search, prune=prune, settings={"epochs": 1})
    assert sweeps.sweep(spec, tmp_path / "out", show=False)[0].state == "finished"


def test_a_trial_that_diverges_has_failed_and_the_others_go_on(tmp_path, tiny_bert, few):
    search = {"learning_rate": [1e30, 1e-3], "optimizer.accumulate": [1, 3]}  # its loss, or its weights alone
    results = sweeps.sweep(spec_of(tiny_bert, few, search=search, settings={"epochs": 1}), tmp_path / "out", show=False)
    assert [each.state for each in results] == ["failed", "failed", "finished", "finished"]
    assert "training has diverged; lower learning_rate" in results[0].reason
    assert "not finite" in results[1].reason
    assert (results[0].scores, results[0].reason in (tmp_path / "out" / "results.csv").read_text()) == ({}, True)
    again = sweeps.sweep(spec_of(tiny_bert, few, search=search, settings={"epochs": 1}), tmp_path / "out", show=False)
    assert again == results


def test_a_point_that_no_training_can_have_has_failed_and_the_others_go_on(tmp_path, tiny_bert, few):
    spec = spec_of(tiny_bert, few, search={"optimizer.frozen_layers": [0, 9, 1]}, settings={"epochs": 1})
    results = sweeps.sweep(spec, tmp_path / "out", show=False)
    assert [(each.trial, each.state) for each in results] == [(0, "finished"), (1, "failed"), (2, "finished")]
    assert results[1].reason == "optimizer.frozen_layers is 9, but the encoder has 1 layers"
    first = spec_of(tiny_bert, few, search={"optimizer.frozen_layers": [9, 0]}, settings={"epochs": 1})
    with pytest.raises(SettingsError, match=r"trial 0: optimizer\.frozen_layers is 9"):
        sweeps.sweep(first, tmp_path / "first", show=False)


def test_a_trial_that_needs_too_much_memory_has_failed_too(tmp_path, tiny_bert, few, monkeypatch):
    logits = ReaderLesson.logits

    def small_device(lesson, model, batch, device):
        if model.training and len(batch.lengths) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return logits(lesson, model, batch, device)

    monkeypatch.setattr(ReaderLesson, "logits", small_device)
    results = sweeps.sweep(spec_of(tiny_bert, few, search={"batch_size": [3, 2]}), tmp_path / "out", show=False)
    assert [each.state for each in results] == ["failed", "finished"]
    assert results[0].reason.startswith("too little memory on the device (CUDA out of memory)")


def test_nothing_finished_is_an_error_with_the_reasons(tmp_path, tiny_bert, few):
    spec = spec_of(tiny_bert, few, search={"learning_rate": [1e30]})
    with pytest.raises(TrainingError, match=r"out: no trial has finished: trial 0: the loss is .* diverged"):
        sweeps.sweep(spec, tmp_path / "out", show=False)
    assert "0,failed,1e+30," in (tmp_path / "out" / "results.csv").read_text()


def test_a_mistake_in_all_of_the_trials_stops_the_sweep_until_it_is_mended(tmp_path, tiny_bert, few):
    search = {"batch_size": [3, 2]}
    for _ in range(2):
        with pytest.raises(SettingsError, match="trial 0: device 'cuda' is not here"):
            sweeps.sweep(
                spec_of(tiny_bert, few, search=search, settings={"device": "cuda"}), tmp_path / "out", show=False
            )
    results = sweeps.sweep(spec_of(tiny_bert, few, search=search), tmp_path / "out", show=False)
    assert [each.state for each in results] == ["finished", "finished"]


def test_progress_has_a_line_for_each_trial_and_the_time_left(tmp_path, tiny_bert, few, caplog):
    spec = spec_of(tiny_bert, few, search={"learning_rate": [1e-3, 5e-2]}, settings={"epochs": 1})
    with caplog.at_level("INFO", logger="dokhae"):
        results = sweeps.sweep(spec, tmp_path / "out")
    said = [record.message for record in caplog.records if record.message.startswith("trial")]
    first, second = (f"{each.scores['f1']:.2f}" for each in results)
    assert said[0] == "trial 0 (2 in all): learning_rate 0.001"
    assert said[1].startswith(f"trial 0: finished, em 0.00, f1 {first}, loss ")
    left = clock(results[0].seconds)  # one more trial as long as the first
    assert said[1].endswith(f"; best: trial 0, f1 {first}; 1 to go, about {left} left")
    assert said[3].endswith(f"; best: trial 1, f1 {second}")


def test_results_as_a_table_and_as_a_file(tmp_path, few):
    from rich.console import Console

    search = {"model": ["한국어", "b"], "optimizer.warmup": [0.1]}
    plan = sweeps.read({"settings": {"benchmark": "squad-1.1"}, "search": search}, tmp_path / "mine", few, few)
    point = {"model": "한국어", "optimizer.warmup": 0.1}
    results = [
        sweeps.Result(0, "finished", point, {"em": 50.0, "f1": 60.0, "loss": 1.5}, 61.0, tmp_path / "r"),
        sweeps.Result(1, "failed", point, reason="it was, sadly, too big"),
        sweeps.Result(2, "finished", point, {"em": 55.0, "f1": 65.125, "loss": 1.25}, 3700.0, tmp_path / "r"),
    ]
    console = Console(width=120)
    with console.capture() as captured:
        console.print(sweeps.table(results, plan))
    lines = [line.split() for line in captured.get().splitlines() if line.strip()]
    assert lines[1] == ["trial", "model", "optimizer.warmup", "f1", "em", "loss", "time"]
    assert lines[3:5] == [
        ["2", "한국어", "0.1", "65.12", "55.00", "1.250", "1:01:40"],
        ["0", "한국어", "0.1", "60.00", "50.00", "1.500", "1:01"],
    ]
    assert lines[5][3:] == ["failed", "it", "was,", "sadly,", "too", "big"]
    write_table(tmp_path / "results.csv", results, plan.search)
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert (rows[1]["reason"], rows[2]["f1"], rows[1]["f1"]) == ("it was, sadly, too big", "65.125", "")
    assert json.loads(rows[0]["trial"]) == replace(results[0]).trial
