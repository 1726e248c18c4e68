"""Finished runs that followed a row: what they scored, and in what they were not the row's very training."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae import benchmarks
from dokhae.errors import DokhaeError
from dokhae.files import read_json
from dokhae.recipes.reading import Row, Scores
from dokhae.recipes.using import changes
from dokhae.records import from_mapping, read_settings
from dokhae.training.config import TrainConfig

log = logging.getLogger("dokhae")

CONFIG, RECORD, SCORES = "config.yaml", "run.json", "scores.json"


@dataclass(frozen=True, slots=True)
class Reproduced:
    """The newest finished run of a row."""

    run: Path
    started: str
    scores: Scores
    changes: tuple[str, ...]  # settings and data in which it was not the row's; none: the very same
    runs: int = 1  # finished runs of the row in all


def reproduced(runs: Path, rows: Iterable[Row]) -> dict[str, Reproduced]:
    """Row name -> its newest finished run below a folder; rows without one are left out.

    A run that cannot be read is told and left out.
    """
    wanted = {row.name: row for row in rows}
    found: dict[str, list[Reproduced]] = {}
    for run in run_folders(runs):
        try:
            row = wanted.get(str(read_settings(run / CONFIG).get("recipe")))
            result = None if row is None else _read(run, row)
        except DokhaeError as error:
            log.warning("%s; this run is left out", error)
            continue
        if row is not None and result is not None:
            found.setdefault(row.name, []).append(result)
    return {name: _newest(results) for name, results in found.items()}


def run_folders(folder: Path) -> Iterator[Path]:
    """The runs with scores below a folder; what is inside of a run is not looked at."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        if CONFIG in files and RECORD in files:
            folders.clear()
            if SCORES in files:
                yield Path(place)


def _newest(results: list[Reproduced]) -> Reproduced:
    last = max(results, key=lambda result: result.started)
    return Reproduced(last.run, last.started, last.scores, last.changes, len(results))


def _read(run: Path, row: Row) -> Reproduced | None:
    """None where the run is not finished."""
    record = _mapping(read_json(run / RECORD))
    if record.get("status") != "finished":
        return None
    config = from_mapping(TrainConfig, read_settings(run / CONFIG), str(run / CONFIG))
    rule = benchmarks.find(config.benchmark).rule
    scores = _mapping(_mapping(read_json(run / SCORES)).get("scores"))
    history = record.get("history") or [{}]
    return Reproduced(
        run,
        str(_mapping(history[-1]).get("started", "")),
        Scores(_number(scores.get(rule.exact_match_key)), _number(scores.get(rule.f1_key))),
        (*changes(config, row), *_other_data(config, _mapping(record.get("data")))),
    )


def _other_data(config: TrainConfig, hashes: dict[str, Any]) -> list[str]:
    """The data files of a run that are not the official ones, by their hashes."""
    official = benchmarks.find(config.benchmark).release.files
    found = []
    for name, path, file in zip(("train", "dev"), (config.train, config.dev), official, strict=False):
        if path is not None and file.sha256 is not None and hashes.get(str(path)) != file.sha256:
            found.append(f"{name} {path.name}, not the official file")
    return found


def _mapping(content: Any) -> dict[str, Any]:  # noqa: ANN401 - what a file holds
    return content if isinstance(content, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
