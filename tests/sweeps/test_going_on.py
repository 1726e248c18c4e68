"""A sweep that was stopped, killed, or shared by many processes ends as one that was left alone."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import time

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dokhae import sweeps
from dokhae.cli import main
from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.files import read_json
from dokhae.sweeps import claims, trial
from dokhae.sweeps.fingerprint import differences, fingerprint
from dokhae.sweeps.storage import shown
from dokhae.training import reading
from dokhae.training.checkpoints import Checkpoints, Interrupted
from sweeps.small_sweeps import PROCESSES, at_checkpoint, comparable, spec_of, sweep_and_die, sweep_together
from training.small import equal, weights


def small(model, data):
    """A grid of three points."""
    return spec_of(model, data, search={"learning_rate": [1e-3, 5e-2, 1e-2]})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_bert, few):
    """The results of a sweep that nobody stops."""
    return sweeps.sweep(small(tiny_bert, few), tmp_path_factory.mktemp("undisturbed") / "out", show=False)


@pytest.mark.parametrize(
    "checkpoint", [pytest.param(1, marks=pytest.mark.slow), 3]
)  # before there is one; in the middle
def test_a_killed_sweep_goes_on_in_the_middle_of_its_trial(checkpoint, undisturbed, tmp_path, tiny_bert, few):
    out, spec = tmp_path / "out", small(tiny_bert, few)
    process = PROCESSES.Process(target=sweep_and_die, args=(spec, out, checkpoint, "trial-0001"))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (out / "runs" / "trial-0001" / "scores.json").exists()
    results = sweeps.sweep(spec, out, show=False)
    assert comparable(results) == comparable(undisturbed)
    for each, whole in zip(results, undisturbed, strict=True):
        assert equal(weights(each.run), weights(whole.run))
    resumed = [[entry["resumed"] for entry in read_json(each.run / "run.json")["history"]] for each in results]
    assert resumed == [[False], [False, True], [False]]


def test_ctrl_c_says_how_to_go_on_and_that_goes_on(undisturbed, tmp_path, tiny_bert, few, monkeypatch, capsys):
    out, spec = tmp_path / "out", small(tiny_bert, few)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", at_checkpoint(1, "trial-0001", lambda: os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(Interrupted, match="stopped, and nothing is lost; go on with: ") as stopped:
            sweeps.sweep(spec, out, show=False)
    assert read_json(out / "runs" / "trial-0001" / "run.json")["status"] == "interrupted"
    command = shlex.split(str(stopped.value).partition("go on with: ")[2])
    monkeypatch.chdir("/")  # from anywhere
    assert (command[0], main(command[1:])) == ("dokhae", 0)
    assert comparable(sweeps.sweep(out / "spec.yaml", out, show=False)) == comparable(undisturbed)
    history = read_json(out / "runs" / "trial-0001" / "run.json")["history"]
    assert [(entry["status"], entry["resumed"]) for entry in history] == [("interrupted", False), ("finished", True)]


@pytest.mark.parametrize("where", [pytest.param("one folder", marks=pytest.mark.slow), "one storage and two folders"])
def test_processes_share_the_points_and_run_none_twice(where, undisturbed, tmp_path, tiny_bert, few):
    outs = [tmp_path / "a", tmp_path / ("a" if where == "one folder" else "b")]
    storage = None if where == "one folder" else f"sqlite:///{tmp_path}/shared.db"
    start = PROCESSES.Barrier(2)
    spec = small(tiny_bert, few)
    processes = [PROCESSES.Process(target=sweep_together, args=(spec, out, storage, start)) for out in outs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    results = sweeps.sweep(spec, outs[0], storage=storage, show=False)
    assert comparable(results) == comparable(undisturbed)
    runs = {path for out in outs for path in (out / "runs").glob("trial-*")}
    assert {each.run for each in results} == runs
    assert len(runs) == len(results)
    assert all(len(read_json(run / "run.json")["history"]) == 1 for run in runs)


def test_a_study_of_another_spec_is_refused_and_nothing_is_lost(tmp_path, tiny_bert, few):
    settings = {"epochs": 1}
    out, spec = tmp_path / "out", spec_of(tiny_bert, few, search={"learning_rate": [1e-3]}, settings=settings)
    results = sweeps.sweep(spec, out, show=False)
    kept = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix in (".json", ".yaml", ".csv")}
    other = spec_of(tiny_bert, few, search={"learning_rate": [1e-3, 5e-2]}, settings=settings | {"seed": 7})
    with pytest.raises(SettingsError) as refused:
        sweeps.sweep(other, out, show=False)
    assert "of another spec: search.learning_rate was [0.001] and is [0.001, 0.05], " in str(refused.value)
    assert "settings.seed was 42 and is 7; give this one another name" in str(refused.value)
    with pytest.raises(SettingsError, match="another name: small, not mine"):
        sweeps.sweep(spec | {"name": "mine"}, out, show=False)
    with pytest.raises(SettingsError, match=r"another storage: its study\.db, not sqlite"):
        sweeps.sweep(spec, out, storage=f"sqlite:///{tmp_path}/other.db", show=False)
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert sweeps.sweep(spec, out, show=False) == results

    (out / "study.db").unlink()
    with pytest.raises(SettingsError, match=r"out: its study\.db is gone; put it back"):
        sweeps.sweep(spec, out, show=False)
    with pytest.raises(SettingsError, match="is not an empty folder"):
        sweeps.sweep(spec, out / "plots", show=False)


def test_a_study_does_not_differ_in_what_dokhae_has_got_since(tiny_bert, few, tmp_path):
    stamp = fingerprint(sweeps.read(small(tiny_bert, few), tmp_path))
    older = {name: value for name, value in stamp.items() if name != "settings.optimizer.power"}
    assert len(older) < len(stamp) and not differences(older, stamp)
    assert not differences(stamp | {"settings.no_cuda_graphs": True}, stamp)  # no longer among what counts
    assert "power was 1.0 and is 2.0" in differences(older, stamp | {"settings.optimizer.power": 2.0})


@pytest.mark.slow
def test_a_folder_that_was_moved_goes_on_where_it_is(undisturbed, tmp_path, tiny_bert, few, monkeypatch):
    spec = small(tiny_bert, few)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", at_checkpoint(1, "trial-0001", lambda: os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(Interrupted):
            sweeps.sweep(spec, tmp_path / "out", show=False)
    strange = tmp_path / "한글 ?#%{x}"
    (tmp_path / "out").rename(strange)
    assert comparable(sweeps.sweep(spec, strange, show=False)) == comparable(undisturbed)
    assert not (tmp_path / "out").exists()


def test_another_machine_s_trial_is_left_alone_until_its_owner_is_silent(tmp_path, tiny_bert, few, monkeypatch, caplog):
    monkeypatch.setattr(claims, "SECONDS_TO_SETTLE", 0.1)
    spec, storage = spec_of(tiny_bert, few, search={"learning_rate": [1e-3, 5e-2]}), str(tmp_path / "journal.log")
    first = sweeps.sweep(spec, tmp_path / "there", storage=storage, trials=1, show=False)
    left = ask(storage)
    owner = {"id": "x", "run": "/not/seen/from/here/trial-0001", "host": "elsewhere"}
    left.set_user_attr("owner", owner | {"seen": time.time()})
    with caplog.at_level(logging.INFO, logger="dokhae"):
        results = sweeps.sweep(spec, tmp_path / "here", storage=storage, show=False)
    assert [each.state for each in results] == ["finished", "running"]
    assert "still running elsewhere: trial 1" in caplog.text

    left.set_user_attr("owner", owner | {"seen": time.time() - 3600})
    results = sweeps.sweep(spec, tmp_path / "here", storage=storage, show=False)
    assert [each.state for each in results] == ["finished", "finished"]
    assert [each.run for each in results] == [first[0].run, tmp_path / "here" / "runs" / "trial-0001"]


def ask(storage):
    """A trial of the study that somebody else has asked for."""
    return optuna.load_study(study_name="small", storage=JournalStorage(JournalFileBackend(storage))).ask()


@pytest.mark.slow
def test_a_host_of_the_same_name_with_the_same_path_is_another_machine(tmp_path, tiny_bert, few):
    search, settings = {"learning_rate": [1e-3, 5e-2]}, {"epochs": 1, "checkpoint_every": None}
    spec, storage = spec_of(tiny_bert, few, search=search, settings=settings), str(tmp_path / "journal.log")
    first = sweeps.sweep(spec, tmp_path / "out", storage=storage, trials=1, show=False)[0]
    study = optuna.load_study(study_name="small", storage=JournalStorage(JournalFileBackend(storage)))
    left, own = ask(storage), study.trials[0].user_attrs["owner"]
    assert own["run"] == str(first.run)
    there = {"id": "x", "run": str(first.run.with_name("trial-0001")), "host": own["host"], "seen": time.time()}
    kernel, device, inode = own["place"].rsplit(" ", 2)
    places = ["", f"{kernel}-of-another-machine {device} {inode}", f"{kernel} {device} {int(inode) + 1}"]
    for owner in [there, *(there | {"place": place} for place in places)]:
        left.set_user_attr("owner", owner)
        assert [each.state for each in sweeps.sweep(spec, tmp_path / "out", storage=storage, show=False)][
            1
        ] == "running"
    left.set_user_attr("owner", there | {"place": own["place"]})  # of a process that was killed here, just now
    results = sweeps.sweep(spec, tmp_path / "out", storage=storage, show=False)
    assert [each.state for each in results] == ["finished", "finished"]


def test_data_that_has_moved_is_found_where_it_is_now(undisturbed, tmp_path, tiny_bert, few, monkeypatch):
    (tmp_path / "before").mkdir()
    data = tmp_path / "before" / "few.json"
    data.write_bytes(few.read_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", at_checkpoint(3, "trial-0001", lambda: os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(Interrupted):
            sweeps.sweep(small(tiny_bert, data), tmp_path / "out", show=False)
    data = (tmp_path / "before").rename(tmp_path / "after") / "few.json"
    results = sweeps.sweep(tmp_path / "out" / "spec.yaml", tmp_path / "out", train=data, dev=data, show=False)
    assert comparable(results) == comparable(undisturbed)
    assert [entry["resumed"] for entry in read_json(results[1].run / "run.json")["history"]] == [False, True]


@pytest.mark.slow
def test_a_hub_that_is_away_fails_no_trial_not_even_one_that_stopped_before(
    undisturbed, tmp_path, tiny_bert, few, monkeypatch
):
    def full(checkpoints, trainer, *arguments, **options):
        raise DataError("no space left")

    def away(name):
        raise ModelError("the hub cannot be reached")

    for place, name, stop, message in (
        (Checkpoints, "_save", full, "no space"),
        (reading.loading, "locate", away, "the hub"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, stop)
            with pytest.raises((DataError, ModelError), match=message):
                sweeps.sweep(small(tiny_bert, few), tmp_path / "out", show=False)
        assert read_json(tmp_path / "out" / "runs" / "trial-0000" / "run.json")["status"] == "failed"
    assert comparable(sweeps.sweep(small(tiny_bert, few), tmp_path / "out", show=False)) == comparable(undisturbed)


class Killed(BaseException):
    """Nobody catches it."""


@pytest.mark.parametrize(
    ("place", "name"), [(Checkpoints, "save_last"), pytest.param(trial, "_tell", marks=pytest.mark.slow)]
)
def test_a_pruned_trial_that_was_killed_before_it_was_told_is_told_later(
    place, name, tmp_path, tiny_bert, few, monkeypatch
):
    search, prune = {"learning_rate": [2e-2, 1e-9]}, {"name": "median", "n_startup_trials": 1}
    settings = {"epochs": 4, "batch_size": 1, "checkpoint_every": None}
    spec = spec_of(tiny_bert, few, search=search, prune=prune, settings=settings)
    whole = sweeps.sweep(spec, tmp_path / "whole", show=False)
    step = getattr(place, name)

    def killed(self, *arguments):
        step(self, *arguments) if place is Checkpoints else None
        if "trial-0001" in str(self.folder if place is Checkpoints else self.run):
            raise Killed
        step(self, *arguments) if place is trial else None

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(place, name, killed)
        sweeps.sweep(spec, tmp_path / "out", show=False)
    results = sweeps.sweep(spec, tmp_path / "out", show=False)
    assert comparable(results) == comparable(whole)
    assert [each.reason for each in results] == [each.reason for each in whole] == ["", "pruned after validation 1"]
    assert results[1].scores.keys() == {"loss", "em", "f1"}


def test_a_trial_too_many_of_a_race_is_not_run(tmp_path, tiny_bert, few, monkeypatch):
    ask = optuna.study.Study.ask
    monkeypatch.setattr(optuna.study.Study, "ask", lambda study: (ask(study), ask(study))[1])  # another was quicker
    spec = spec_of(tiny_bert, few, search={"learning_rate": [1e-3]})
    results = sweeps.sweep(spec, tmp_path / "out", show=False)
    assert [each.trial for each in results] == [0]
    assert [path.name for path in (tmp_path / "out" / "runs").glob("trial-*")] in ([], ["trial-0000"])


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("nonsense://x", "nonsense://x: the study cannot be opened: "),
        ("sqlite:////no/such/folder/study.db", "the study cannot be opened: .*unable to open database file"),
        ("README.md", "is not a journal of Optuna; write an SQLite file as sqlite:///"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_one_clear_error(storage, message, tmp_path, tiny_bert, few, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("# something else")
    with pytest.raises(SettingsError, match=message) as error:
        sweeps.sweep(spec_of(tiny_bert, few), tmp_path / "out", storage=storage, show=False)
    assert "\n" not in str(error.value)


def test_a_password_is_not_shown():
    assert shown("postgresql://me:secret@host/studies") == "postgresql://me:***@host/studies"
    assert shown("redis://:secret@host:6379/0") == "redis://:***@host:6379/0"
