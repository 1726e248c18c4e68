"""A spec is checked whole before anything is written."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
from dataclasses import replace

import pytest
import yaml

from dokhae import recipes, sweeps
from dokhae.errors import DataError, SettingsError
from dokhae.sweeps.fingerprint import differences, fingerprint
from dokhae.sweeps.reading import FOLDER
from dokhae.sweeps.space import Choice, Range, grid
from dokhae.sweeps.spec import config_of, to_file
from sweeps.small_sweeps import spec_of


def read(tmp_path, few, search, **changes):
    return sweeps.read(spec_of(tmp_path / "m", few, search=search, **changes), tmp_path / "out")


def test_the_packaged_sweep_is_the_published_table(few, tmp_path):
    plan = sweeps.read("lyeoni", tmp_path / "out", few, few)
    points = [config_of(plan, point, tmp_path / "run") for point in grid(plan.search, "")]
    assert {(one.max_length, one.batch_size, one.learning_rate) for one in points} == set(
        itertools.product((384, 512), (32, 16), (5e-5, 3e-5))
    )
    assert plan.trials == len(points) == 8
    for one in points:
        assert (one.benchmark, one.model) == ("korquad-1.0", "google-bert/bert-base-multilingual-cased")
        assert (one.epochs, one.windows.step, one.max_question_length) == (3, 128, 64)
        assert one.decoding.max_answer_length == 30
        optimizer = one.optimizer
        assert (optimizer.warmup, optimizer.weight_decay, optimizer.no_bias_correction) == (0.1, 0.01, True)
    rows = [row for row in recipes.rows() if row.name.startswith("lyeoni/")]
    places = {"train": few, "dev": few, "out": tmp_path / "run"}
    published = [replace(recipes.config_of(row, **places), recipe=plan.settings["recipe"]) for row in rows]
    assert sorted(points, key=repr) == sorted(published, key=repr)
    assert sweeps.packaged() == sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_a_list_a_range_and_a_group(tmp_path, few):
    plan = read(
        tmp_path,
        few,
        {
            "learning-rate": {"low": "1e-5", "high": "1e-3", "log": True},
            "optimizer": {"warmup": [0, "5e-2"], "accumulate": {"low": 1, "high": 6, "step": 2}},
            "keep.patience": [None, 2],
        },
        sampler="random",
        trials=7,
    )
    assert plan.search == {
        "learning_rate": Range(1e-5, 1e-3, log=True),
        "optimizer.warmup": Choice((0.0, 0.05)),
        "optimizer.accumulate": Range(1, 5, step=2, whole=True),
        "keep.patience": Choice((None, 2)),
    }
    assert plan.trials == 7


def test_a_grid_of_ranges_has_all_their_steps(tmp_path, few):
    search = {"optimizer.warmup": {"low": 0, "high": 0.3, "step": 0.1}, "batch_size": {"low": 2, "high": 4}}
    plan = read(tmp_path, few, search)
    assert plan.trials == 12
    assert [tuple(point.values()) for point in grid(plan.search, "")][1::3] == [(0, 3), (0.1, 3), (0.2, 3), (0.3, 3)]


@pytest.mark.parametrize(
    ("search", "changes", "message"),
    [
        ({"lerning_rate": [1]}, {}, "'lerning_rate' is not a setting; did you mean learning_rate"),
        ({"optimizer": {"warmpu": [1]}}, {}, "'optimizer.warmpu' is not a setting; did you mean optimizer.warmup"),
        ({"optimizer": [1]}, {}, "optimizer is a group of settings"),
        ({"batch_size": ["many"]}, {}, "batch_size: is 'many', where int is wanted"),
        ({"batch_size": [0]}, {}, "batch_size is 0; it has to be at least 1"),
        ({"batch_size": []}, {}, "batch_size: is an empty list"),
        ({"batch_size": 3}, {}, "batch_size: is 3; give a list of values, or low and high"),
        ({"batch_size": {"low": 2.5, "high": 4}}, {}, "low, high and step have to be whole numbers"),
        ({"batch_size": {"low": 4, "high": 2}}, {}, "low is 4 and high 2"),
        ({"batch_size": {"low": 2, "hihg": 4}}, {}, "'hihg' is not a setting; did you mean high"),
        ({"learning_rate": [3e-5, "0.00003"]}, {}, "learning_rate: has a value twice"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, {}, "with log, low has to be above 0"),
        ({"learning_rate": {"low": 1e-5, "high": 1e-4}}, {}, "a grid needs a list of values, or a range with a step"),
        ({"misplaced_answers": {"low": 1, "high": 2}}, {}, "misplaced_answers: is not a number; give a list"),
        ({"dev": ["a.json"]}, {}, "dev cannot be searched: scores on two dev files cannot be compared"),
        ({"epochs": [1]}, {}, "epochs is both in settings and in search"),
        ({"overlap": [8, 16]}, {}, "step"),  # which the settings have
        ({}, {}, "search is empty"),
        ({"seed": [1]}, {"sampler": "tpe"}, "trials is missing: how many points tpe is to try"),
        ({"seed": [1]}, {"trials": 0}, "trials is 0"),
        ({"seed": [1]}, {"samplr": "tpe"}, "'samplr' is not a setting; did you mean sampler"),
        ({"seed": [1]}, {"sampler": {"seed": 1}}, "sampler: has no name"),
        ({"seed": [1]}, {"maximize": "f2"}, "maximize: is 'f2'; it can be f1, em"),
        ({"seed": [1]}, {"maximize": "f1", "minimize": "loss"}, "exclude each other"),
        ({"seed": [1]}, {"settings": {"out": "x"}}, "out is not for a spec; name the folder with --out"),
        ({"seed": [1]}, {"settings": {"recipe": "no/such/row"}}, "recipe 'no/such/row' is not known"),
        ({"seed": [1]}, {"settings": {"dev": None}}, "dev is missing; give --dev FILE"),
    ],
)
def test_a_mistake_is_one_clear_error(search, changes, message, tmp_path, few):
    with pytest.raises(SettingsError, match=message) as error:
        read(tmp_path, few, search, **changes)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampler": "tpee"}, "sampler: there is no 'tpee'; did you mean tpe"),
        ({"sampler": {"name": "tpe", "n_startup": 3}}, "'n_startup' is not an option of tpe; did you mean n_startup_t"),
        pytest.param(
            {"sampler": "cmaes"},
            "cmaes needs the package cmaes: pip install cmaes",
            marks=pytest.mark.skipif(importlib.util.find_spec("cmaes") is not None, reason="cmaes is here"),
        ),
        ({"prune": "medain"}, "prune: there is no 'medain'; did you mean median"),
        ({"prune": {"name": "percentile", "percentile": 200}}, "percentile"),
        ({"prune": "percentile"}, "percentile"),  # an option that it has to have
    ],
)
def test_what_optuna_does_not_have_is_refused_before_anything_is_written(changes, message, tmp_path, few):
    spec = spec_of(tmp_path / "m", few, trials=2, **changes)
    with pytest.raises(SettingsError, match=message):
        sweeps.sweep(spec, tmp_path / "out", show=False)
    assert not (tmp_path / "out").exists()


def test_a_recipe_is_what_the_settings_stand_on(tmp_path, few):
    row = recipes.find("lyeoni/korquad-1.0/mbert")
    spec = {"settings": {"recipe": row.name, "epochs": 1}, "search": {"learning_rate": [1e-5], "overlap": [64, 32]}}
    plan = sweeps.read(spec, tmp_path, few, few)
    wanted = recipes.config_of(row, epochs=1, train=few, dev=few, out=tmp_path, learning_rate=1e-5, overlap=32)
    assert config_of(plan, {"learning_rate": 1e-5, "overlap": 32}, tmp_path) == wanted
    with pytest.raises(SettingsError, match="fetch with `dokhae data download korquad-1.0"):
        sweeps.read("lyeoni", tmp_path)


def test_what_is_kept_of_a_spec_reads_as_the_same_again(tmp_path, few):
    search = {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "optimizer": {"warmup": [0, 0.1]}}
    sampler = {"name": "tpe", "n_startup_trials": 3}
    plan = read(tmp_path, few, search, sampler=sampler, trials=5, minimize="loss", prune="median", seed=3)
    assert plan.settings["keep.best_by"] == "loss"
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(to_file(plan)))
    again = sweeps.read(tmp_path / "spec.yaml", tmp_path / "elsewhere")
    assert to_file(again) == to_file(plan)
    assert again.name == "small"


def test_the_fingerprint_knows_what_changes_a_score_and_nothing_else(tmp_path, tiny_bert, few):
    def of(data=few, model=tiny_bert, **changes):
        return fingerprint(sweeps.read(spec_of(model, data, **changes), tmp_path / "out"))

    copied = tmp_path / "copied.json"
    copied.write_bytes(few.read_bytes())
    other = tmp_path / "other.json"
    other.write_text(few.read_text().replace("1822", "1823"))
    moved = tmp_path / "encoder"
    moved.symlink_to(tiny_bert)
    assert of() == of(data=copied) == of(model=moved) == of(trials=2) == of(settings={"checkpoint_every": 5})
    for name, changed in {
        "settings.epochs": of(settings={"epochs": 1}),
        "search.batch_size": of(search={"learning_rate": [1e-3, 5e-2], "batch_size": [3]}),
        "objective": of(minimize="loss"),
        "seed": of(seed=1),
        "data.dev has changed": of(data=other),
    }.items():
        assert name in differences(of(), changed)


def test_a_searched_encoder_counts_by_its_content_too(tmp_path, tiny_bert, few):
    folder = tmp_path / "encoder"
    shutil.copytree(tiny_bert, folder)
    spec = spec_of(tiny_bert, few, search={"model": [str(tiny_bert), str(folder)]})
    del spec["settings"]["model"]
    before = fingerprint(sweeps.read(spec, tmp_path / "out"))
    assert before == fingerprint(sweeps.read(spec, tmp_path / "out"))
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    assert differences(before, fingerprint(sweeps.read(spec, tmp_path / "out"))) == "data.model has changed"


def test_a_table_of_one_s_own_is_found_from_everywhere(tmp_path, tiny_bert, few, monkeypatch):
    content = {
        "title": "Mine", "url": "https://example.org", "encoders": {"tiny": {"model": str(tiny_bert)}},
        "defaults": {"max_length": 48, "step": 8, "optimizer": {"warmup": 0.2}}, "rows": {"korquad-1.0/tiny": {}},
    }  # fmt: skip
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    spec = {"settings": {"recipe": "mine.yaml/korquad-1.0/tiny"}, "search": {"learning_rate": [1e-3]}}
    plan = sweeps.read(spec, tmp_path / "out", few, few)
    assert plan.settings["recipe"] == f"{tmp_path}/mine.yaml/korquad-1.0/tiny"
    assert (plan.settings["step"], plan.settings["optimizer.warmup"]) == (8, 0.2)
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(to_file(plan)))
    monkeypatch.chdir("/")
    assert sweeps.read(tmp_path / "spec.yaml", tmp_path / "out").settings == plan.settings


def test_a_file_that_is_not_there_is_named(tmp_path, tiny_bert):
    spec = spec_of(tiny_bert, tmp_path / "no.json")
    with pytest.raises(DataError, match=r"no\.json: no such file"):
        sweeps.sweep(spec, tmp_path / "out", show=False)
    assert not (tmp_path / "out").exists()
    with pytest.raises(SettingsError, match="lyeonni: no such file, and no packaged sweep; did you mean lyeoni"):
        sweeps.read("lyeonni", tmp_path / "out")
