"""Running a run again, from its own record, and comparing what comes out."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError, SettingsError
from dokhae.files import read_json, sha256, write_json
from dokhae.training import runs
from dokhae.training.fit import fit

log = logging.getLogger("dokhae")


class NotReproduced(DokhaeError):
    """The scores are others. The message has both."""

    exit_code = 1


def reproduce(run: Path, out: Path | None, show: bool, trust_remote_code: bool) -> dict[str, Any]:
    """Train again with the settings, data and encoder of a finished run, and compare scores and weights.

    out: the new run folder; beside the old one unless given. Returns what its reproduction.json holds. Raises
    SettingsError where data or encoder have changed, NotReproduced where scores differ.
    """
    config = runs.load(run, trust_remote_code)
    record = runs.record_of(run)
    if not runs.finished(run) or "encoder" not in record:
        raise SettingsError(f"{run}: has not been trained to its end by this version of dokhae; there is nothing to "
                            "compare with")  # fmt: skip
    before = scores_of(run)
    for line in runs.differing_machines(record):
        log.warning("%s: %s", run, line)
    new = replace(config, out=free_folder(run) if out is None else out)
    fit(new, show, before=runs.identity_at_start(record))
    after = scores_of(new.out)
    report = {
        "run": str(run.resolve()),
        "scores": {name: {"before": before.get(name), "now": value} for name, value in after.items()},
        "same_scores": before == after,
        "same_weights": weights_hash(run) == weights_hash(new.out),
    }
    write_json(new.out / "reproduction.json", report)
    if before != after:
        differing = (
            f"{name} {before.get(name)} -> {value}" for name, value in after.items() if before.get(name) != value
        )
        raise NotReproduced(f"{new.out}: the scores are not those of {run}: {', '.join(differing)}")
    return report


def scores_of(run: Path) -> dict[str, Any]:
    """The official scores of a finished run; empty without a dev file."""
    path = run / "scores.json"
    return dict(read_json(path)["scores"]) if path.exists() else {}


def weights_hash(run: Path) -> str:
    """SHA-256 of the final weights."""
    return sha256(run / "model" / "model.safetensors")


def free_folder(run: Path) -> Path:
    """RUN-again, or RUN-again-2, … where that is taken."""
    names = (f"{run.name}-again{'' if number == 1 else f'-{number}'}" for number in range(1, 10_000))
    return next(run.parent / name for name in names if not (run.parent / name).exists())
