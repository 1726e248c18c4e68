"""Does dokhae train as well as the plain way? EM and F1 of both on the same data, settings and seeds.

`python -m speed.parity` trains whatever speed/results/parity.json does not hold yet, and prints the comparison.
dokhae's rows of before its batches were packed, or of other random bits, stay there under another path; they are not
compared any more.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from dokhae import benchmarks, metrics
from dokhae.errors import DokhaeError
from dokhae.files import read_json, write_json
from speed.shared import RESULTS, encoder_folder, precisions, shared_file, surroundings

if TYPE_CHECKING:
    from dokhae.training import TrainConfig

SIDES = ("plain", "dokhae")
PATHS = {"plain": "padded", "dokhae": "packed"}  # how the windows of a batch are laid out now


@dataclass(frozen=True, slots=True)
class ParitySettings:
    """What both sides are told; speed.epoch and others take it too.

    Betas 0.9 and 0.999, and a linear schedule to zero, are the defaults of both.
    """

    train_questions: int = 2000  # the first ones of squad-1.1/train.json
    dev_questions: int = 600  # the first ones of squad-1.1/dev.json
    epochs: int = 1
    batch_size: int = 16  # windows
    learning_rate: float = 3e-4  # 126 steps have to be enough
    warmup: float = 0.1  # share of all steps
    weight_decay: float = 0.01  # none for biases and normalisation weights
    adam_epsilon: float = 1e-8
    clip: float = 1.0
    max_length: int = 384
    overlap: int = 128  # tokens that neighbouring windows share
    n_best: int = 20
    max_answer_length: int = 30
    precision: Literal["fp32", "bf16"] = "bf16"


def fastest_precision() -> Literal["fp32", "bf16"]:
    """Of this CPU."""
    return cast(Literal["fp32", "bf16"], precisions()[0])


@dataclass(frozen=True, slots=True)
class Arguments(ParitySettings):
    """What the command takes besides. Its own settings let the seeds of a side differ less."""

    batch_size: int = 4  # windows: four times as many steps
    learning_rate: float = 2e-4
    precision: Literal["fp32", "bf16"] = field(default_factory=fastest_precision)
    side: Literal["plain", "dokhae", "both"] = "both"
    seed: int | None = None  # one seed; None: all of `seeds`
    seeds: tuple[int, ...] = (0, 1, 2)
    threads: int = 2  # of torch
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    results: Path = RESULTS / "parity.json"

    def described(self) -> dict[str, Any]:
        """What both sides are told, as the results file has it."""
        return {one.name: getattr(self, one.name) for one in fields(ParitySettings)}


def run(arguments: Arguments) -> None:
    """Train what is missing in the results file, write each result at once, and print the comparison."""
    # all code is loaded now: the trainings take hours, and an edit meanwhile must not get into the later ones
    import dokhae.training.fit  # noqa: F401
    import speed.plain_training  # noqa: F401

    settings, measured_in = arguments.described(), surroundings()
    known = read_results(arguments.results)
    seeds = arguments.seeds if arguments.seed is None else (arguments.seed,)
    sides = SIDES if arguments.side == "both" else (arguments.side,)
    for seed in seeds:
        for side in sides:
            if any((row["side"], row["seed"], row["settings"]) == (side, seed, settings) for row in current(known)):
                continue
            row = train_one(side, seed, arguments) | {"surroundings": measured_in}
            known = [*read_results(arguments.results), row]  # another process may have written meanwhile
            write_json(arguments.results, known)
    print(table([row for row in current(known) if row["settings"] == settings]))


def read_results(path: Path) -> list[dict[str, Any]]:
    """The trainings that are done."""
    return read_json(path) if path.exists() else []


def current(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of both sides as they are now; the first ones had no path, and were all padded."""
    return [row for row in rows if row.get("path", "padded") == PATHS[row["side"]]]


def train_one(side: str, seed: int, arguments: Arguments) -> dict[str, Any]:
    """One training with its official scores, as a row of the results file."""
    import torch

    settings = ParitySettings(**arguments.described())
    train_file = shared_file("squad-1.1/train.json", arguments.data)
    dev_file = shared_file("squad-1.1/dev.json", arguments.data)
    benchmark = benchmarks.find("squad-1.1")
    dev = benchmark.read(dev_file, True)[: settings.dev_questions]
    torch.set_num_threads(arguments.threads)
    begun = time.perf_counter()
    if side == "plain":
        from speed.plain_training import fine_tune

        train = benchmark.read(train_file, True)[: settings.train_questions]
        texts, steps = fine_tune(encoder_folder(), train, dev, settings, seed)
    else:
        texts, steps = fine_tune_dokhae(train_file, dev_file, settings, seed)
    seconds = time.perf_counter() - begun
    scores = metrics.evaluate(dev, texts, benchmark.rule)
    return {
        "side": side,
        "path": PATHS[side],
        "seed": seed,
        "exact_match": scores["exact_match"],
        "f1": scores["f1"],
        "seconds": round(seconds, 1),  # from examples to answers; dokhae's with checkpoints and a second validation
        "threads": arguments.threads,
        "steps": steps,
        "settings": asdict(settings),
    }


def fine_tune_dokhae(train: Path, dev: Path, settings: ParitySettings, seed: int) -> tuple[dict[str, str], int]:
    """dokhae.train as its users call it: the answers it wrote, and its optimizer steps."""
    import dokhae

    with tempfile.TemporaryDirectory() as folder:
        config = dokhae_config(train, dev, Path(folder) / "run", settings, seed)
        dokhae.train(config)
        return read_json(config.out / "predictions.json"), read_json(config.out / "run.json")["steps"]


def dokhae_config(train: Path, dev: Path, out: Path, settings: ParitySettings, seed: int) -> TrainConfig:
    """What dokhae's side is told."""
    import dokhae
    from dokhae.decoding import DecodingConfig
    from dokhae.training import OptimizerConfig

    return dokhae.TrainConfig(
        benchmark="squad-1.1",
        model=str(encoder_folder()),
        train=train,
        dev=dev,
        out=out,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        max_length=settings.max_length,
        overlap=settings.overlap,
        max_question_length=settings.max_length // 2,  # the plain way cuts no question
        seed=seed,
        device="cpu",
        precision=settings.precision,
        max_train_examples=settings.train_questions,
        max_dev_examples=settings.dev_questions,
        optimizer=OptimizerConfig(
            weight_decay=settings.weight_decay,
            adam_epsilon=settings.adam_epsilon,
            schedule="linear",
            warmup=settings.warmup,
            clip=settings.clip,
        ),
        decoding=DecodingConfig(settings.n_best, settings.max_answer_length),
    )


def table(rows: list[dict[str, Any]]) -> str:
    """The rows, their mean and spread by side, and the verdict on the difference, in markdown."""
    lines = ["| side | seed | EM | F1 | seconds |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (row["side"], row["seed"])):
        lines.append(
            f"| {row['side']} | {row['seed']} | {row['exact_match']:.2f} | {row['f1']:.2f} | {row['seconds']:.0f} |"
        )
    by_side = {side: [row for row in rows if row["side"] == side] for side in SIDES}
    for side, own in by_side.items():
        if len(own) > 1:
            em, f1 = (spread([row[key] for row in own]) for key in ("exact_match", "f1"))
            lines.append(f"| {side} | {len(own)} seeds | {em} | {f1} | |")
    if all(len(own) > 1 for own in by_side.values()):
        lines += ["", *(verdict(key, by_side) for key in ("exact_match", "f1"))]
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Mean, sample standard deviation and range."""
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def verdict(key: str, by_side: Mapping[str, list[dict[str, Any]]]) -> str:
    """Whether the means differ by less than twice the standard error of their difference (Welch's, no pooling)."""
    plain, ours = ([row[key] for row in by_side[side]] for side in SIDES)
    difference = statistics.mean(ours) - statistics.mean(plain)
    error = math.sqrt(statistics.variance(plain) / len(plain) + statistics.variance(ours) / len(ours))
    within = "within" if abs(difference) <= 2 * error else "OUTSIDE"
    return f"{key}: dokhae - plain = {difference:+.2f}, two standard errors {2 * error:.2f}: {within} seed noise"


if __name__ == "__main__":
    import tyro

    try:
        run(tyro.cli(Arguments, description=__doc__))
    except DokhaeError as error:
        sys.exit(f"error: {error}")
