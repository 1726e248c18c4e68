"""What became of the trials: records, a CSV file, a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dokhae.files import atomic_path
from dokhae.progress import clock

if TYPE_CHECKING:
    from rich.table import Table

    from dokhae.sweeps.spec import Spec

SCORES = ("em", "f1", "loss")


@dataclass(frozen=True, slots=True)
class Result:
    """A trial."""

    trial: int
    state: Literal["finished", "pruned", "failed", "running"]
    settings: dict[str, Any]  # what was searched, by dotted name
    scores: dict[str, float] = field(default_factory=dict)  # official em and f1, 0 to 100; lowest loss, on the dev file
    seconds: float | None = None  # of training and scoring
    run: Path | None = None  # its folder, on the machine that trained it
    reason: str = ""  # why it failed or was pruned


def ranked(results: Sequence[Result], objective: str) -> list[Result]:
    """The finished trials, the best first."""
    finished = [each for each in results if each.state == "finished"]
    return sorted(finished, key=lambda each: each.scores[objective], reverse=objective != "loss")


def write_table(path: Path, results: Sequence[Result], search: Mapping[str, Any]) -> None:
    """results.csv: a row for each trial, in the order of their numbers."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["trial", "state", *search, *SCORES, "seconds", "run", "reason"])
        for each in results:
            settings = [each.settings.get(name, "") for name in search]
            scores = [each.scores.get(name, "") for name in SCORES]
            writer.writerow([each.trial, each.state, *settings, *scores, each.seconds, each.run, each.reason])


def table(results: Sequence[Result], spec: Spec) -> Table:
    """The trials for people, the best first, then those that were pruned or failed."""
    from rich.box import SIMPLE
    from rich.table import Table

    order = sorted(SCORES, key=lambda name: name != spec.objective)
    made = Table(title=f"{spec.name}, by {spec.objective}", box=SIMPLE)
    for name in ("trial", *spec.search, *order, "time", ""):
        made.add_column(name, overflow="fold")
    best = ranked(results, spec.objective)
    for each in best + [one for one in results if one not in best]:
        made.add_row(
            str(each.trial),
            *(plain(each.settings.get(name, "")) for name in spec.search),
            *(score_in_words(name, each.scores[name]) if name in each.scores else "" for name in order),
            "" if each.seconds is None else clock(each.seconds),
            _remark(each),
        )
    return made


def _remark(result: Result) -> str:
    """What became of a trial that has not finished."""
    if result.state == "finished":
        return ""
    told = result.reason.startswith(result.state)  # "pruned after validation 2"
    return result.reason if told else f"{result.state} {result.reason}".strip()


def score_in_words(name: str, value: float) -> str:
    """A score as the training's own progress has it."""
    return f"{value:.3f}" if name == "loss" else f"{value:.2f}"


def plain(value: Any) -> str:  # noqa: ANN401 - a setting
    """A setting as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
