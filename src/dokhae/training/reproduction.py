"""Running a run again, from its own record, and comparing what comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError, SettingsError
from dokhae.files import read_json, sha256, write_json
from dokhae.model.blocks import FILE_NAME as BLOCK_HEAD
from dokhae.training import runs
from dokhae.training.fit import fit
from dokhae.training.run_config import Config
from dokhae.training.task import Task

REPORT = "reproduction.json"


class NotReproduced(DokhaeError):
    """The scores are others. The message has both."""

    exit_code = 1


def reproduce(run: Path, task: Task[Config], out: Path | None, show: bool, trust_remote_code: bool) -> dict[str, Any]:
    """Train again with the settings, data and encoder of a finished run, and compare scores and weights.

    out: the new run folder; beside the old one unless given. One that an interrupted call has left is gone on with.
    Returns what its reproduction.json holds. Raises SettingsError where data or encoder have changed, NotReproduced
    where scores (or, without a dev file, weights) differ.
    """
    config = runs.load(run, task.kind, trust_remote_code)
    record = runs.record_of(run)
    if not runs.finished(run) or "encoder" not in record:
        raise SettingsError(f"{run}: has not been trained to its end by this version of dokhae; there is nothing to "
                            "compare with")  # fmt: skip
    before, weights = scores_of(run), weights_hash(run)
    if config.dev is not None and not before:
        raise SettingsError(f"{run}: has lost its scores.json; there is nothing to compare with")
    new = replace(config, out=folder_for(run) if out is None else out)
    train_again(new, task, run, record, show)
    after, same_weights = scores_of(new.out), weights == weights_hash(new.out)
    report = {
        "run": str(run.resolve()),
        "scores": {name: {"before": before.get(name), "now": value} for name, value in after.items()},
        "same_scores": before == after,
        "same_weights": same_weights,
    }
    write_json(new.out / REPORT, report)
    differing = [f"{name} {before.get(name)} -> {now}" for name, now in after.items() if before.get(name) != now]
    if differing:
        raise NotReproduced(f"{new.out}: the scores are not those of {run}: {', '.join(differing)}")
    if not after and not same_weights:
        raise NotReproduced(f"{new.out}: the weights are not those of {run} (there is no dev file to score on)")
    return report


def train_again(config: Config, task: Task[Config], run: Path, record: dict[str, Any], show: bool) -> None:
    """Train into config.out, or go on there, unless that is done."""
    resumed = (config.out / "config.yaml").exists()
    if resumed and runs.resolved(runs.load(config.out, task.kind, config.trust_remote_code)) != runs.resolved(config):
        raise SettingsError(f"{config.out}: is another training's run folder; name another --out")
    if runs.finished(config.out):
        return
    if not resumed:
        runs.warn_of_another_machine(run, config.device)
    fit(config, task, show, resumed=resumed, before=runs.identity_at_start(record))


def scores_of(run: Path) -> dict[str, Any]:
    """The official scores of a finished run; empty without a dev file."""
    path = run / "scores.json"
    return dict(read_json(path)["scores"]) if path.exists() else {}


def weights_hash(run: Path) -> str:
    """SHA-256 of the final weights, those of a block head included."""
    files = [run / "model" / name for name in ("model.safetensors", BLOCK_HEAD)]
    return " ".join(sha256(file) for file in files if file.exists())


def folder_for(run: Path) -> Path:
    """RUN-again, or RUN-again-2 and so on: the first that has not been compared yet."""
    run = run if run.name not in ("", "..") else run.resolve()  # of `--reproduce .`
    names = (f"{run.name}-again{'' if number == 1 else f'-{number}'}" for number in range(1, 10_000))
    folders = (run.parent / name for name in names)
    return next(each for each in folders if not each.exists() or is_left(each))


def is_left(folder: Path) -> bool:
    """Whether a folder holds a run that has not been compared."""
    return (folder / "config.yaml").exists() and not (folder / REPORT).exists()
