"""Training on a CPU against the plain Hugging Face way, in turns, a process each. `python -m speed.training`."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError
from speed.command import run_command
from speed.costs import training_operations
from speed.report import Row, publish
from speed.shared import encoder_folder, precisions, results_file, shared_file
from speed.sides import Training, draw
from speed.turns import CACHE, Turn, ratio, summary, take
from speed.undo import ALLOCATOR

PLAIN = "plain, padded, fp32"
WANTED = {"bf16": (7.0, 10.0), "fp32": (4.5, 5.5)}  # times as fast as the plain way: required, aim
SHARE = (48.0, 60.0)  # % of the measured bf16 matrix rate on useful tokens: required, aim


@dataclass(frozen=True, slots=True)
class Arguments:
    """How long, and where it is written."""

    threads: int = 2  # of torch
    turns: int = 3
    warm_up: int = 4  # optimizer steps of a turn that are not timed
    steps: int = 16  # that are
    plain_warm_up: int = 1  # the same of the plain way, of which each step costs the same: all is padded to 384
    plain_steps: int = 4
    model: Path | None = None  # folder of the encoder; None: MiniLM
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    cache: Path = CACHE / "turns"  # turns that are done; a second start goes on from them
    out: Path = results_file("training")


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status."""
    begun = time.perf_counter()
    training = Training(
        model=str(arguments.model or encoder_folder()),
        data=str(shared_file("squad-1.1/train.json", arguments.data)),
        warm_up=arguments.warm_up,
        steps=arguments.steps,
    )
    drawn = take(draw(training), folder=arguments.cache)
    training = replace(training, seed=drawn["seed"])
    sides = turns_of(training, drawn, arguments)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(arguments.turns):
        for name, turn in sides.items():
            found[name].append(take(turn, number, arguments.cache))
            told = "" if name == "matrix" else f": {rate(found[name][-1]):.2f} windows/s"
            sys.stderr.write(f"turn {number + 1} of {arguments.turns}: {name}{told}\n")
    rows = rows_of(found, operations(training, drawn), drawn)
    settings = training.described() | {"turns": arguments.turns, "threads": arguments.threads, "allocator": ALLOCATOR,
        "plain_steps": arguments.plain_steps, "plain_warm_up": arguments.plain_warm_up}  # fmt: skip
    return publish(rows, settings, begun, arguments.out)


def turns_of(training: Training, drawn: Mapping[str, Any], arguments: Arguments) -> dict[str, Turn]:
    """The sides by name; dokhae with the allocator settings that its docs advise, the plain way as it comes."""
    threads = {"OMP_NUM_THREADS": str(arguments.threads)}
    plain = replace(training, warm_up=arguments.plain_warm_up, steps=arguments.plain_steps)
    return {
        PLAIN: Turn("speed.sides:plain", {"training": asdict(plain), "windows": drawn["windows"]}, threads),
        **{
            f"dokhae, {precision}": Turn(
                "speed.sides:dokhae", {"training": asdict(replace(training, precision=precision))}, threads | ALLOCATOR
            )
            for precision in precisions()
        },
        "matrix": Turn("speed.costs:matrix_rate", {"precision": precisions()[0]}, threads),
    }


def operations(training: Training, drawn: Mapping[str, Any]) -> float:
    """Operations that a window of the timed steps costs, of its real tokens alone."""
    lengths = [length for batch in drawn["lengths"] for length in batch]
    return training_operations(Path(training.model), lengths) / len(lengths)


def rate(turn: Mapping[str, Any]) -> float:
    """Windows a second."""
    return float(turn["windows"] * len(turn["seconds"]) / sum(turn["seconds"]))


def check(turn: Mapping[str, Any], drawn: Mapping[str, Any]) -> None:
    """Whether the steps that were timed are those whose tokens are counted."""
    if len(turn["seconds"]) != len(drawn["lengths"]):
        raise DokhaeError(f"{len(turn['seconds'])} steps were timed instead of {len(drawn['lengths'])}; "
                          "choose steps and warm_up as multiples of how often dokhae logs its loss")  # fmt: skip


def rows_of(found: Mapping[str, list[dict[str, Any]]], cost: float, drawn: Mapping[str, Any]) -> list[Row]:
    """A row for each side, and the share of the matrix rate."""
    tokens = [length for batch in drawn["lengths"] for length in batch]
    drawn_tokens = sum(tokens) / len(tokens)
    rates = {name: [rate(turn) for turn in turns] for name, turns in found.items() if name != "matrix"}
    rows = []
    wanted = {f"dokhae, {precision}": both for precision, both in WANTED.items()}
    for name in rates:
        required, aim = wanted.get(name, (None, None))
        if name != PLAIN:
            check(found[name][0], drawn)
        rows.append(
            Row(
                name=f"training, {name}",
                value=summary(rates[name]),
                unit="windows/s",
                against="" if name == PLAIN else PLAIN,
                ratio=None if name == PLAIN else ratio(rates[name], rates[PLAIN]),
                required=required,
                aim=aim,
                others_share=max(turn["others_share"] for turn in found[name]),
                details={
                    "tokens a window": found[name][0].get("tokens", drawn_tokens),
                    "peak MiB": max(turn["peak_mib"] for turn in found[name]),
                },
            )
        )
    best = next(precision for precision in WANTED if f"dokhae, {precision}" in rates)
    return [*rows, share_row(found, rates[f"dokhae, {best}"], cost, best)]


def share_row(found: Mapping[str, list[dict[str, Any]]], rates: list[float], cost: float, precision: str) -> Row:
    """What part of the machine's matrix rate a training reaches, both in its fastest precision."""
    limits = [turn["best"] for turn in found["matrix"]]
    shares = ratio([100 * cost * one for one in rates], limits)
    return Row(
        name=f"training, dokhae, {precision}: share of the matrix rate",
        value=shares,
        unit="%",
        required=SHARE[0] if precision == "bf16" else None,
        aim=SHARE[1] if precision == "bf16" else None,
        others_share=max(turn["others_share"] for turn in found["matrix"]),
        details={"matrix GFLOP/s": summary(limits)["median"] / 1e9, "MFLOP a window": cost / 1e6},
    )


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
