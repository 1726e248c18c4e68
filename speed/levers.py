"""What each lever of training pays: alone, and removed alone. `python -m speed.levers`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dokhae.errors import SettingsError
from dokhae.records import nearest
from speed.command import run_command
from speed.report import Row, publish
from speed.shared import encoder_folder, precisions, results_file, shared_file
from speed.sides import Training, draw
from speed.turns import CACHE, Turn, ratio, summary, take
from speed.undo import ALLOCATOR, UNDO

LEVERS = {
    "packing": "unpadded",
    "bf16": "bf16",
    "dropout": "cheap dropout mask",
    "allocator": "allocator settings",
    "fused": "fused optimizer",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A state of all levers."""

    on: frozenset[str]
    threads: int
    processes: int = 1

    def turn(self, training: Training) -> Turn:
        """A training in this state."""
        config: dict[str, Any] = {"compile": True} if "compile" in self.on else {}
        config |= {"devices": self.processes} if self.processes > 1 else {}
        extras = {"config": config, "undo": [name for name in LEVERS if name in UNDO and name not in self.on]}
        told = replace(training, precision="bf16" if "bf16" in self.on else "fp32")
        variables = {"OMP_NUM_THREADS": str(self.threads)} | (ALLOCATOR if "allocator" in self.on else {})
        return Turn("speed.sides:dokhae", {"training": asdict(told), "extras": extras}, variables)


def states(threads: int, measured: Sequence[str]) -> dict[str, tuple[Setting, str]]:
    """Name of a row -> state of the levers, and the name of the row that it is compared with.

    measured: the precisions that this machine has.
    """
    levers = {key: name for key, name in LEVERS.items() if key != "bf16" or key in measured}
    every, none = Setting(frozenset(levers), threads), Setting(frozenset(), threads)
    rows = {"none": (none, "none")}
    rows |= {f"{name} alone": (replace(none, on=frozenset([key])), "none") for key, name in levers.items()}
    rows["all"] = (every, "all")
    rows |= {f"without {name}": (replace(every, on=every.on - {key}), "all") for key, name in levers.items()}
    rows["with torch.compile"] = (replace(every, on=every.on | {"compile"}), "all")
    rows["1 process of 1 thread"] = (replace(every, threads=1), "all")
    if threads > 1:
        rows[f"{threads} processes of 1 thread"] = (replace(every, threads=1, processes=threads), "all")
    return rows


@dataclass(frozen=True, slots=True)
class Arguments:
    """Which levers, how long, and where it is written."""

    rows: list[str] = field(default_factory=list)  # some of them by name, and what they are compared with; none: all
    threads: int = 2  # of torch
    turns: int = 2
    warm_up: int = 16  # optimizer steps of a turn that are not timed: until then it is given its memory by the system
    steps: int = 8  # that are
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    cache: Path = CACHE / "turns"  # turns that are done; a second start goes on from them
    out: Path = results_file("levers")


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status."""
    begun, known = time.perf_counter(), states(arguments.threads, precisions())
    wanted = list(chosen(arguments.rows, known))
    training = Training(
        model=str(encoder_folder()),
        data=str(shared_file("squad-1.1/train.json", arguments.data)),
        warm_up=arguments.warm_up,
        steps=arguments.steps,
    )
    drawn = {count: take(draw(training, count), folder=arguments.cache) for count in {1, arguments.threads}}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in wanted}
    for number in range(arguments.turns):
        for name in wanted:
            state = known[name][0]
            told = replace(training, seed=drawn[state.processes]["seed"])
            found[name].append(take(state.turn(told), number, arguments.cache))
            speed = f"{rate(found[name][-1], state):.2f} windows/s"
            sys.stderr.write(f"turn {number + 1} of {arguments.turns}: {name}: {speed}\n")
    rows = [row(name, found, known) for name in wanted]
    settings = {"turns": arguments.turns, "threads": arguments.threads, "mean_tokens": drawn[1]["mean"]}
    return publish(rows, training.described() | settings, begun, arguments.out)


def chosen(names: Iterable[str], known: dict[str, tuple[Setting, str]]) -> Iterable[str]:
    """The rows that are wanted and those that they are compared with, in the order of the table."""
    for name in names:
        if name not in known:
            raise SettingsError(f"--rows: {name!r} is no row{nearest(name, list(known))}")
    wanted = set(names or known)
    wanted |= {known[name][1] for name in wanted}
    return (name for name in known if name in wanted)


def rate(turn: dict[str, Any], setting: Setting) -> float:
    """Windows a second."""
    return float(turn["windows"] * setting.processes * len(turn["seconds"]) / sum(turn["seconds"]))


def row(name: str, found: dict[str, list[dict[str, Any]]], known: dict[str, tuple[Setting, str]]) -> Row:
    """A lever's row."""
    setting, other = known[name]
    rates = [rate(turn, setting) for turn in found[name]]
    return Row(
        name=name,
        value=summary(rates),
        unit="windows/s",
        against=other,
        ratio=ratio(rates, [rate(turn, known[other][0]) for turn in found[other]]),
        others_share=max(turn["others_share"] for turn in found[name]),
        details={"peak MiB": max(turn["peak_mib"] for turn in found[name]), "threads": setting.threads},
    )


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
