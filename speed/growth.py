"""How cost grows: over data, over the length of windows, over processes, over questions. `python -m speed.growth`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dokhae.cli.predict import FEW_KERNELS
from dokhae.errors import SettingsError
from dokhae.records import nearest
from speed import long_windows
from speed.command import run_command
from speed.epoch import single
from speed.report import Row, publish
from speed.shared import encoder_folder, results_file, shared_file
from speed.sides import Training, draw
from speed.turns import CACHE, Turn, ratio, summary, take
from speed.undo import ALLOCATOR

EFFICIENCY = 0.9  # of two processes of one thread, required
LONG_EXAMPLES = 200  # questions, each of a context of some 6,000 tokens
MEMORY = 1.1  # times the peak of the fewest questions, at most


@dataclass(frozen=True, slots=True)
class Arguments:
    """How far, and where it is written."""

    rows: tuple[str, ...] = ("data", "length", "processes", "questions")
    precision: str = "auto"  # the fastest here
    threads: int = 2  # of torch
    turns: int = 4  # of the processes; the others are taken once
    data_examples: tuple[int, ...] = (250, 500, 1000)  # questions of one epoch
    lengths: tuple[int, ...] = (128, 256, 512, 1024, 2048, 4096)  # tokens of a window
    tokens: int = 8192  # of a batch, whatever the length
    questions: tuple[int, ...] = (1_000, 100_000)
    processes: int = 2
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    cache: Path = CACHE / "turns"  # turns that are done; a second start goes on from them
    out: Path = results_file("growth")

    def training(self, **changes: Any) -> Training:  # noqa: ANN401
        """MiniLM on the shared data."""
        data = str(shared_file("squad-1.1/train.json", self.data))
        return replace(Training(str(encoder_folder()), data, precision=self.precision), **changes)

    def variables(self, threads: int) -> dict[str, str]:
        """The environment of a turn."""
        return ALLOCATOR | {"OMP_NUM_THREADS": str(threads)}


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status."""
    begun = time.perf_counter()
    for name in arguments.rows:
        if name not in KINDS:
            raise SettingsError(f"--rows: {name!r} is no row{nearest(name, list(KINDS))}")
    rows = []
    for name in arguments.rows:
        rows += KINDS[name](arguments)
        sys.stderr.write(f"{name}: done\n")
    settings = {name: value for name, value in asdict(arguments).items() if name not in ("data", "cache", "out")}
    return publish(rows, settings, begun, arguments.out)


def over_data(arguments: Arguments) -> list[Row]:
    """Time and memory of one epoch over more and more questions."""
    rows: list[Row] = []
    for examples in arguments.data_examples:
        training = arguments.training(examples=examples)
        given = {"training": asdict(training), "extras": {"config": {"max_steps": None, "epochs": 1.0}}}
        turn = take(Turn("speed.sides:dokhae", given, arguments.variables(arguments.threads)), folder=arguments.cache)
        first = rows[0].value["median"] if rows else turn["whole"]
        rows.append(
            Row(
                name=f"one epoch over {examples} questions",
                value=single(turn["whole"]),
                unit="s",
                against=f"{arguments.data_examples[0]} questions",
                ratio=single(turn["whole"] / first),
                others_share=turn["others_share"],
                details={"peak MiB": turn["peak_mib"]},
            )
        )
    return rows


def over_length(arguments: Arguments) -> list[Row]:
    """Tokens a second and memory of windows that are longer and longer, equally many tokens a batch."""
    data = shared_file("squad-1.1/train.json", arguments.data)
    folder = long_windows.make(CACHE / "long", max(arguments.lengths), data)
    rows: list[Row] = []
    for length in arguments.lengths:
        training = arguments.training(
            model=str(folder / "model"), data=str(folder / "train.json"), max_length=length, overlap=length // 4,
            batch_size=max(arguments.tokens // length, 1), warm_up=2, steps=6, examples=LONG_EXAMPLES,
        )  # fmt: skip
        drawn = take(draw(training), folder=arguments.cache)
        work = {"training": asdict(replace(training, seed=drawn["seed"]))}
        turn = take(Turn("speed.sides:dokhae", work, arguments.variables(arguments.threads)), folder=arguments.cache)
        tokens = sum(map(sum, drawn["lengths"])) / sum(turn["seconds"])
        rows.append(
            Row(
                name=f"windows of {length} tokens",
                value=single(tokens),
                unit="tokens/s",
                against=f"{arguments.lengths[0]} tokens",
                ratio=single(tokens / (rows[0].value["median"] if rows else tokens)),
                others_share=turn["others_share"],
                details={"windows a batch": training.batch_size, "peak MiB": turn["peak_mib"]},
            )
        )
    return rows


def over_processes(arguments: Arguments) -> list[Row]:
    """Windows a second of one process of one thread, which accumulates, and of several: the same training."""
    # long enough to warm up for the longest batch: each process takes its memory from the system once
    training = arguments.training(warm_up=16, steps=16)
    count = arguments.processes
    training = replace(training, seed=take(draw(training, count), folder=arguments.cache)["seed"])
    # several take as many windows together in a step as one with accumulation: the same training
    extras = {1: {"optimizer": {"accumulate": count}}, count: {"config": {"devices": count}}}
    turns: dict[int, list[dict[str, Any]]] = {1: [], count: []}
    for number in range(arguments.turns):
        for processes, taken in turns.items():
            given = {"training": asdict(training), "extras": extras[processes]}
            taken.append(take(Turn("speed.sides:dokhae", given, arguments.variables(1)), number, arguments.cache))
    rates = {
        processes: [training.batch_size * count * len(one["seconds"]) / sum(one["seconds"]) for one in taken]
        for processes, taken in turns.items()
    }
    shares = {processes: max(one["others_share"] for one in taken) for processes, taken in turns.items()}
    alone = f"1 process of 1 thread, {count} batches a step"
    return [
        Row(name=alone, value=summary(rates[1]), unit="windows/s", others_share=shares[1]),
        Row(
            name=f"{count} processes of 1 thread: efficiency",
            value=summary(rates[count]),
            unit="windows/s",
            against=f"{count} times {alone}",
            ratio=ratio(rates[count], [count * one for one in rates[1]]),
            required=EFFICIENCY,
            others_share=shares[count],
        ),
    ]


def over_questions(arguments: Arguments) -> list[Row]:
    """Peak memory of prediction beyond the examples; predictions are written one after another."""
    folder = long_windows.make_small(CACHE / "small")
    rows: list[Row] = []
    for questions in arguments.questions:
        given = {
            "model": str(folder),
            "questions": questions,
            "data": str(shared_file("squad-1.1/dev.json", arguments.data)),
        }
        variables = {"OMP_NUM_THREADS": str(arguments.threads), **FEW_KERNELS}  # as `dokhae predict` sets them
        turn = take(Turn("speed.works:memory", given, variables), folder=arguments.cache)
        rows.append(
            Row(
                name=f"prediction of {questions} questions: peak beyond the examples",
                value=single(turn["beyond_mib"]),
                unit="MiB",
                against="" if not rows else f"{arguments.questions[0]} questions",
                ratio=None if not rows else single(turn["beyond_mib"] / rows[0].value["median"]),
                required=None if not rows else MEMORY,
                at_most=True,
                others_share=turn["others_share"],
                details={
                    "examples MiB": turn["examples_mib"],
                    "peak MiB": turn["peak_mib"],
                    "seconds": turn["seconds"],
                },
            )  # fmt: skip
        )
    return rows


KINDS: dict[str, Callable[[Arguments], list[Row]]] = {
    "data": over_data,
    "length": over_length,
    "processes": over_processes,
    "questions": over_questions,
}


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
