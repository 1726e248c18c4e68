"""SIGKILL at any moment: a run that is resumed ends with the weights of one that was left alone, bit by bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch

import dokhae
from dokhae.errors import DataError
from dokhae.training import KeepConfig, OptimizerConfig
from dokhae.training.checkpoints import best_in
from tiny_models import make_model
from training.small import FEW, config, equal, weights, write_squad

# children of a server that has everything imported: real processes, ready at once
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dokhae.training.fit"])
SETTINGS = {
    "batch_size": 2, "learning_rate": 1e-3, "epochs": 12, "checkpoint_every": 1,
    "keep": KeepConfig(best_by="loss", best=2), "optimizer": OptimizerConfig(accumulate=2, no_bias_correction=True),
}  # fmt: skip


def go_on(settings):
    """Train, or resume where the run folder is there."""
    if (settings.out / "config.yaml").exists():
        dokhae.resume(settings.out, show=False)
    else:
        dokhae.train(settings, show=False)


def die_at(number, write, settings):
    """The same, but SIGKILL comes while the file of a checkpoint is being written, or when it only lacks its name."""

    def killed(*arguments, half):
        killed.left -= 1
        if killed.left:
            return
        if half:
            path, content = arguments
            with open(path, "wb") as file:
                file.write(content[: len(content) // 2])
                file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    killed.left = number
    if write == "not deleted":
        unlink = Path.unlink
        Path.unlink = lambda path, **how: (
            (killed(half=False) if path.suffix == ".ckpt" else None) or unlink(path, **how)
        )
    elif write == "half written":
        whole = Path.write_bytes
        Path.write_bytes = lambda path, content: killed(path, content, half=True) or whole(path, content)
    else:
        rename = os.replace
        os.replace = lambda old, new: (killed(half=False) if str(new).endswith(".ckpt") else None) or rename(old, new)
    go_on(settings)


def run_out_of_disk(settings, said, full):
    """Train; after the first epoch no file may be as large as a checkpoint, or (full) have anything at all."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(step, scores):
        room = 0 if full else (settings.out / "checkpoints" / "last.ckpt").stat().st_size - 1
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))

    try:
        dokhae.train(settings, show=False, watch=fill)
    except DataError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        said.write_text(str(error))


def run_process(target, *arguments, seconds=None):
    """The exit code of a process that is killed after some seconds, if they are given."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nobody disturbs, and how long it takes."""
    folder = tmp_path_factory.mktemp("whole")
    data = write_squad(folder / "few.json", FEW)
    settings = config(make_model("bert", folder / "encoder"), data, folder / "run", **SETTINGS)
    run_process(go_on, config(settings.model, data, folder / "first", **SETTINGS))  # the server is warm after it
    begun = time.monotonic()
    assert run_process(go_on, settings) == 0
    return settings, time.monotonic() - begun


def finish(settings, whole):
    assert run_process(go_on, settings) == 0
    assert json.loads((settings.out / "run.json").read_text())["status"] == "finished"
    assert equal(weights(settings.out), weights(whole.out))
    rows = (settings.out / "metrics.csv").read_text().splitlines()
    assert [number for number, row in enumerate(rows) if "train_loss" in row] == [0]  # one table, however often resumed
    for name in ("scores.json", "predictions.json"):
        assert (settings.out / name).read_text() == (whole.out / name).read_text()
    assert {path.name for path in (settings.out / "checkpoints").iterdir()} == {
        path.name for path in (whole.out / "checkpoints").iterdir()
    }


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_a_process_that_is_killed_again_and_again_at_random_moments(seed, whole, tmp_path):
    undisturbed, seconds = whole
    settings = config(undisturbed.model, undisturbed.train, tmp_path / "run", **SETTINGS)
    moments, codes = random.Random(seed), []
    while codes.count(-signal.SIGKILL) < 3:
        codes.append(run_process(go_on, settings, seconds=moments.uniform(0.1, 0.9) * seconds))
        if codes[-1] == 0 and len(codes) > 1:
            break
        if codes[-1] == 0:  # the machine has become quicker meanwhile: nobody was killed
            shutil.rmtree(settings.out)
            codes, seconds = [], seconds / 2
    finish(settings, undisturbed)


@pytest.mark.parametrize(
    ("number", "write"),
    [
        (1, "half written"), pytest.param(1, "not renamed", marks=pytest.mark.slow),
        pytest.param(7, "half written", marks=pytest.mark.slow), (9, "not renamed"),  # the last one, after a new best
        (1, "not deleted"),  # the best that the new one has pushed out
    ],
)  # fmt: skip
def test_a_process_that_is_killed_while_it_writes_a_checkpoint(number, write, whole, tmp_path):
    undisturbed, _ = whole
    settings = config(undisturbed.model, undisturbed.train, tmp_path / "run", **SETTINGS)
    assert run_process(die_at, number, write, settings) == -signal.SIGKILL
    checkpoints = settings.out / "checkpoints"
    assert bool(list(checkpoints.glob(".*.tmp"))) == (write != "not deleted")
    if number > 1 or write == "not deleted":
        best = best_in(torch.load(checkpoints / "last.ckpt", weights_only=True))
        assert set(best) < {path.name for path in checkpoints.iterdir()}  # none is lost before its successor is known
    finish(settings, undisturbed)


@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_disk_that_is_full_during_a_checkpoint_is_one_error_and_loses_nothing(full, whole, tmp_path):
    undisturbed, _ = whole
    settings = config(undisturbed.model, undisturbed.train, tmp_path / "run", **SETTINGS)
    assert run_process(run_out_of_disk, settings, tmp_path / "said.txt", full) == 0
    last = settings.out / "checkpoints" / "last.ckpt"
    said = (tmp_path / "said.txt").read_text()
    assert said.endswith(f"make room, then go on with: dokhae train --resume {settings.out}")
    if not full:  # else it may be another file that comes first
        assert said.startswith(f"{last}: cannot be written: File too large; nothing was changed; make room")
    assert not list(last.parent.glob(".*"))
    assert torch.load(last, weights_only=True)["global_step"] > 0
    finish(settings, undisturbed)


def watched(settings, told, die_after):
    """Train or go on, writing down the validations that a watcher is told; SIGKILL after so many last checkpoints."""
    rename, saved = os.replace, []

    def replace(old, new):
        rename(old, new)
        saved.extend([new] if str(new).endswith("last.ckpt") else [])
        if len(saved) == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_down(step, scores):
        with told.open("a") as file:
            file.write(f"{step}\n")

    os.replace = replace
    if settings.out.exists():
        dokhae.resume(settings.out, show=False, watch=write_down)
    else:
        dokhae.train(settings, show=False, watch=write_down)


def test_a_watcher_is_told_every_epoch_whenever_the_run_is_killed(whole, tmp_path):
    undisturbed, _ = whole
    settings = config(undisturbed.model, undisturbed.train, tmp_path / "run", **SETTINGS | {"epochs": 4})
    told = tmp_path / "told.txt"
    told.touch()
    assert run_process(watched, settings, told, 4) == -signal.SIGKILL  # of the second epoch's end
    assert run_process(watched, settings, told, 1000) == 0
    assert list(dict.fromkeys(told.read_text().split())) == ["2", "4", "6", "8"]  # the last may be told twice
