"""Questions a second and the time of one question, against the pipeline of transformers 4. `python -m speed.inference`.

Each side is a process that stays; they answer the same questions in turns. The reader is that of speed.epoch.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dokhae import benchmarks, metrics
from dokhae.errors import DokhaeError
from dokhae.types import Example
from speed import epoch
from speed.command import run_command
from speed.measure import Others
from speed.report import Row, publish
from speed.shared import FOLDER, VARIABLES, precisions, results_file, shared_file
from speed.turns import ratio, summary

PIPELINE = FOLDER.parent / ".venv-transformers4" / "bin" / "python"  # `make .venv-transformers4/.installed`
OTHER = "transformers 4.57 pipeline"
WANTED = {"bf16": (2.2, 3.0), "fp32": (1.4, 1.7)}  # times as many questions a second: required, aim
F1_CHANGE = 0.1  # between bf16 and fp32 on the whole dev split, at most
DRAWN_WITH = 0  # seed of the sample of questions


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is asked, and where it is written."""

    model: Path | None = None  # run or model folder; None: the reader that speed.epoch trains, once
    threads: int = 2  # of torch
    turns: int = 3
    together: int = 240  # questions of a turn that are given at once; others in each turn
    alone: int = 40  # that are asked one by one
    questions: int | None = None  # only the first ones of the dev split
    pipeline: Path = PIPELINE  # Python with transformers 4
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    out: Path = results_file("inference")


class Side:
    """A process of speed.answering."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, together: Sequence[Example], alone: Sequence[Example]) -> dict[str, Any]:
        """Seconds and texts of the questions. DokhaeError where the process has ended."""
        asked = {"together": as_rows(together), "alone": as_rows(alone)}
        pipe(self.process.stdin).write(json.dumps(asked) + "\n")
        pipe(self.process.stdin).flush()
        answer = pipe(self.process.stdout).readline()
        if not answer:
            raise DokhaeError(f"{' '.join(map(str, self.process.args[1:]))}: ended; its message is above")  # type: ignore[index]
        return dict(json.loads(answer))


def pipe(stream: IO[str] | None) -> IO[str]:
    """A stream that Popen was asked for."""
    assert stream is not None
    return stream


def as_rows(examples: Sequence[Example]) -> list[dict[str, str]]:
    """Questions as a side reads them."""
    return [{"id": one.id, "question": one.question, "context": one.context} for one in examples]


@contextlib.contextmanager
def side(python: Path, threads: int, *words: str) -> Iterator[Side]:
    """A process of speed.answering, ended with the block."""
    told = {name: value for name, value in os.environ.items() if name not in VARIABLES and name[:7] != "MALLOC_"}
    with subprocess.Popen(
        [str(python), "-m", "speed.answering", *words],
        cwd=FOLDER.parent,
        env=told | {"OMP_NUM_THREADS": str(threads)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield Side(process)
        finally:
            pipe(process.stdin).close()


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status."""
    begun = time.perf_counter()
    if not arguments.pipeline.exists():
        raise DokhaeError(f"{arguments.pipeline}: is not there; make it with `make .venv-transformers4/.installed`")
    model = trained(arguments)
    rule = benchmarks.find("squad-1.1")
    examples = rule.read(shared_file("squad-1.1/dev.json", arguments.data), True)[: arguments.questions]
    others = Others()  # before the sides begin: all of their time counts as ours when they have ended
    with contextlib.ExitStack() as stack:
        sides = {OTHER: stack.enter_context(side(arguments.pipeline, arguments.threads, "pipeline", str(model)))}
        for precision in precisions():
            words = ("dokhae", str(model), precision)
            sides[precision] = stack.enter_context(side(Path(sys.executable), arguments.threads, *words))
        found = in_turns(sides, examples, arguments)
        f1 = {name: f1_of(examples, sides[name](examples, [])["texts"]) for name in precisions()}
    share = others.share()
    rows = [row for name in sides for row in rows_of(name, found, share)]
    rows += [change(f1, len(examples), share)] if "bf16" in f1 else []
    settings = {"turns": arguments.turns, "together": arguments.together, "alone": arguments.alone,
                "seed": DRAWN_WITH, "threads": arguments.threads}  # fmt: skip
    return publish(rows, settings, begun, arguments.out)


def trained(arguments: Arguments) -> Path:
    """The folder of the reader."""
    if arguments.model is None:
        return epoch.fine_tuned(epoch.Arguments(threads=arguments.threads, data=arguments.data)) / "model"
    inside = arguments.model / "model"
    return (inside if inside.is_dir() else arguments.model).resolve()


def in_turns(
    sides: Mapping[str, Side], examples: Sequence[Example], arguments: Arguments
) -> dict[str, list[dict[str, Any]]]:
    """What each side said in each turn; the first few questions warm it up."""
    drawn = random.Random(DRAWN_WITH)
    for one in sides.values():
        one(examples[:16], examples[:4])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(arguments.turns):
        together = drawn.sample(list(examples), min(arguments.together, len(examples)))
        alone = drawn.sample(list(examples), min(arguments.alone, len(examples)))
        for name, one in sides.items():
            said = one(together, alone)
            rate, middle = len(together) / said["seconds"], statistics.median(said["each"]) * 1e3
            found[name].append({"rate": rate, "p50": middle, "f1": f1_of(together, said["texts"])})
            sys.stderr.write(f"turn {number + 1} of {arguments.turns}: {name}: {rate:.1f} questions/s\n")
    return found


def f1_of(examples: Sequence[Example], texts: Sequence[str]) -> float:
    """F1 of the answers to some questions."""
    answers = {example.id: text for example, text in zip(examples, texts, strict=True)}
    return float(metrics.evaluate(examples, answers, benchmarks.find("squad-1.1").rule)["f1"])


def rows_of(name: str, found: Mapping[str, list[dict[str, Any]]], share: float) -> list[Row]:
    """Questions a second, and milliseconds of one."""
    rates, times, scores = ([turn[key] for turn in found[name]] for key in ("rate", "p50", "f1"))
    quality = {"F1 of these questions": statistics.mean(scores)}
    if name == OTHER:
        return [
            Row(
                name=f"{name}: many questions",
                value=summary(rates),
                unit="questions/s",
                others_share=share,
                details=quality,
            ),
            Row(name=f"{name}: one question, p50", value=summary(times), unit="ms", others_share=share),
        ]
    required, aim = WANTED[name]
    faster = ratio(rates, [turn["rate"] for turn in found[OTHER]])
    sooner = ratio([turn["p50"] for turn in found[OTHER]], times)
    return [
        Row(f"dokhae, {name}: many questions", summary(rates), "questions/s", OTHER, faster, required, aim,
            others_share=share, details=quality),
        Row(f"dokhae, {name}: one question, p50", summary(times), "ms", OTHER, sooner, others_share=share),
    ]  # fmt: skip


def change(f1: Mapping[str, float], questions: int, share: float) -> Row:
    """How far bf16 changes the score."""
    return Row(
        name="dokhae: change of F1 from fp32 to bf16",
        value=epoch.single(abs(f1["bf16"] - f1["fp32"])),
        unit="",
        required=F1_CHANGE,
        at_most=True,
        others_share=share,
        details={"F1 in fp32": f1["fp32"], "F1 in bf16": f1["bf16"], "questions": questions},
    )


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
