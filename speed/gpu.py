"""Training and prediction on a GPU: speed, share of its matrix rate, memory. `make speed-gpu`, `python -m speed.gpu`.

Ends with status 2 where there is no GPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError, SettingsError
from dokhae.records import nearest
from speed import long_windows
from speed.command import run_command
from speed.costs import training_operations
from speed.epoch import single
from speed.parity import ParitySettings
from speed.report import Row, save, tell
from speed.shared import results_file, shared_file
from speed.sides import Training, draw
from speed.training import check
from speed.turns import CACHE, Turn, ratio, summary, take

MODELS = {"bert-base": long_windows.BASE, "bert-large": long_windows.LARGE, "tiny": long_windows.SMALL}
WANTED = {"bert-large": (50.0, 3.0)}  # % of the matrix rate in training; times the plain way in bf16
DEV_QUESTIONS, DEV_SECONDS = 10_570, 10.0  # SQuAD 1.1's dev split, answered by BERT-base end to end
OFFLOADED_MIB, OFFLOADED_WINDOWS = 8 * 1024, 24  # BERT-large, windows of 384, so many a step
# what dokhae is told besides, a lever taken out
LEVERS: dict[str, dict[str, Any]] = {
    "without CUDA graphs": {"config": {"no_cuda_graphs": True}},
    "padded": {"undo": ["packing"]},
    "AdamW in a loop": {"undo": ["fused"]},
    "cast by operator": {"undo": ["lowered"]},
    "without fused blocks": {"undo": ["blocks"]},
}
COMPILED = {"config": {"compile": True}}
Sides = dict[str, tuple[str, dict[str, Any]]]  # name of a side -> its work, and what that is given
Measure = Callable[["Arguments", float], list[Row]]  # given the GPU's matrix rate too


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is measured, and where it is written."""

    rows: tuple[str, ...] = ("training", "levers", "score", "prediction", "offload")
    device: str = "cuda"
    precision: str = "bf16"
    models: tuple[str, ...] = ("bert-base", "bert-large")
    lengths: tuple[int, ...] = (384, 512)
    # windows of a step: those of BERT's paper for SQuAD 1.1, and what fills a GPU of 80 GB (others: --batches 32)
    batches: tuple[int, ...] = (32, 128)
    fp32_lengths: tuple[int, ...] = (384,)  # of which the plain way is measured in fp32 too, which takes long
    no_compile: bool = False  # dokhae without torch.compile alone
    levers: tuple[str, ...] = tuple(LEVERS)
    lever_model: str = "bert-large"
    turns: int = 3
    # optimizer steps of dokhae's turns that are not timed: in them passes of most sizes are recorded
    warm_up: int = 170
    plain_warm_up: int = 10  # of the others'
    steps: int = 40  # that are
    predicted: str = "bert-base"
    questions: int = DEV_QUESTIONS
    offloaded: str = "bert-large"
    accumulate: int = 6  # batches of a step with the offloaded optimizer
    score_questions: int | None = None  # of the run with a real score; None: all
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    cache: Path = CACHE / "turns"  # turns that are done; a second start goes on from them
    made: Path = CACHE  # where the models are made
    out: Path | None = None  # None: by the name of the GPU, in results/

    def training(self, model: str, length: int, batch: int, **changes: Any) -> Training:  # noqa: ANN401
        """A model made on the spot, on the shared data, in batches of so many windows."""
        data = str(shared_file("squad-1.1/train.json", self.data))
        told = Training(str(self.folder(model)), data, self.warm_up, self.steps, batch, length)
        return replace(told, device=self.device, **changes)

    def folder(self, model: str) -> Path:
        """The model's folder, made now unless it is there."""
        folder = self.made / model / "model"
        if not (folder / "config.json").exists():
            long_windows.make_model(folder, MODELS[model], 512)
        return folder

    def take(self, work: str, given: dict[str, Any], number: int = 0) -> dict[str, Any]:
        """A turn."""
        return take(Turn(work, given), number, self.cache)


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status. SettingsError where there is no GPU."""
    import torch

    refuse_without_gpu(arguments.device)
    for name in arguments.rows:
        if name not in ("training", *KINDS):
            raise SettingsError(f"--rows: {name!r} is no row{nearest(name, ['training', *KINDS])}")
    begun = time.perf_counter()
    limit = arguments.take("speed.costs:matrix_rate", {"device": arguments.device, "precision": arguments.precision})
    left_out = ("data", "cache", "made", "out")
    settings = {name: value for name, value in asdict(arguments).items() if name not in left_out}
    settings |= {
        "device_name": limit["device"],
        "matrix_tflops": limit["best"] / 1e12,
        "torch_cuda": torch.version.cuda,
    }
    rows: list[Row] = []
    missing, text = [name for name, _ in jobs(arguments)], ""
    for name, measure in jobs(arguments):
        try:
            found = measure(arguments, limit["best"])
        except DokhaeError as error:
            sys.stderr.write(f"error: {name}: {error}\n")
            continue
        rows += found
        if not any(row.disturbed for row in found):
            missing.remove(name)
        good = [row for row in rows if not row.disturbed]
        # now, for a GPU is lent for a time
        text = save(good, settings | {"missing": missing}, begun, arguments.out or results_file("gpu", limit["device"]))
        sys.stderr.write(f"{name}: done\n")
    return tell(rows, text) or int(bool(missing))


def refuse_without_gpu(device: str) -> None:
    """SettingsError where the device is a GPU and there is none."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("there is no GPU here that torch can use, so nothing is measured and nothing is written; "
                            "run `make speed-gpu` on a machine with one")  # fmt: skip


def jobs(arguments: Arguments) -> Iterator[tuple[str, Measure]]:
    """What is measured by itself, and how: where it fails, the others go on."""
    for name in arguments.rows:
        if name != "training":
            yield name, KINDS[name]
            continue
        for model, length, batch in product(arguments.models, arguments.lengths, arguments.batches):
            yield f"training {model}, {length}, {batch} windows", partial(training, model, length, batch)


def training(model: str, length: int, batch: int, arguments: Arguments, limit: float) -> list[Row]:
    """Dokhae, and the plain way in both precisions, in turns. What is required is required of the largest batch."""
    told, drawn = draw_for(arguments, model, length, batch)
    ours, precisions, quick = our_sides(arguments, told), [arguments.precision], f"plain, {arguments.precision}"
    if length in arguments.fp32_lengths and batch == arguments.batches[0]:
        precisions.append("fp32")
    turns = in_turns(arguments, ours | plain_sides(arguments, told, drawn["windows"], precisions))
    for name in ours:
        check(turns[name][0], drawn)
    rates = {name: [windows_rate(turn) for turn in taken] for name, taken in turns.items()}
    lengths = [one for each in drawn["lengths"] for one in each]
    cost, tokens = training_operations(Path(told.model), lengths) / len(lengths), sum(lengths) / len(lengths)
    share, faster = WANTED.get(model, (None, None)) if batch == max(arguments.batches) else (None, None)
    title = f"training {model}, {length}, {batch} windows"
    rows = []
    for name, taken in turns.items():
        against = quick if name in ours else ""
        rows.append(
            Row(
                name=f"{title}: {name}",
                value=summary(rates[name]),
                unit="windows/s",
                against=against,
                ratio=ratio(rates[name], rates[quick]) if against else None,
                required=faster if against else None,
                others_share=max(turn["others_share"] for turn in taken),
                details={
                    "tokens/s": summary(rates[name])["median"] * tokens,
                    "TFLOP/s": summary(rates[name])["median"] * cost / 1e12,
                    "peak MiB of the device": max(turn["device_mib"] for turn in taken),
                    "MiB held": max(turn["held_mib"] for turn in taken),
                    **(of_recordings(drawn, taken) if name in ours else {}),
                },
            )
        )
    for name in ours:
        shares = summary([100 * cost * one / limit for one in rates[name]])
        rows.append(Row(f"{title}: {name}: share of the matrix rate", shares, "%", required=share))
    return rows


def of_recordings(drawn: dict[str, Any], taken: list[dict[str, Any]]) -> dict[str, Any]:
    """How many of dokhae's passes were not played from a recording, where not all were."""
    return {"steps of a new size": drawn["new"], "sizes without room": max(turn["roomless"] for turn in taken)}


def our_sides(arguments: Arguments, told: Training) -> Sides:
    """Dokhae with its defaults, and compiled."""
    given = {"training": asdict(replace(told, precision=arguments.precision))}
    sides: Sides = {"dokhae": ("speed.sides:dokhae", given)}
    if not arguments.no_compile:
        sides["dokhae, compiled"] = ("speed.sides:dokhae", {**given, "extras": COMPILED})
    return sides


def plain_sides(arguments: Arguments, told: Training, windows: list[int], precisions: Sequence[str]) -> Sides:
    """The plain way in each precision."""
    sides: Sides = {}
    for precision in precisions:
        theirs = replace(told, precision=precision, warm_up=arguments.plain_warm_up)
        sides[f"plain, {precision}"] = ("speed.sides:plain", {"training": asdict(theirs), "windows": windows})
    return sides


def in_turns(arguments: Arguments, sides: Sides) -> dict[str, list[dict[str, Any]]]:
    """What each side's work, with what it is given, returns: one turn of each after the other, again and again."""
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(arguments.turns):
        for name, (work, given) in sides.items():
            turns[name].append(arguments.take(work, given, number))
    return turns


def draw_for(arguments: Arguments, model: str, length: int, batch: int) -> tuple[Training, dict[str, Any]]:
    """What a training is told, and the windows of its timed steps, the same for all models."""
    told = arguments.training(model, length, batch)
    drawn = take(draw(replace(told, model=str(arguments.folder(arguments.models[0])))), folder=arguments.cache)
    return replace(told, seed=drawn["seed"]), drawn


def levers(arguments: Arguments, limit: float) -> list[Row]:
    """Training with each lever taken out, in turns with all of dokhae's defaults."""
    model, length, batch = arguments.lever_model, arguments.lengths[0], arguments.batches[0]
    told = asdict(replace(draw_for(arguments, model, length, batch)[0], precision=arguments.precision))
    given: dict[str, dict[str, Any]] = {"dokhae": {"training": told}}  # the same turns as in training
    given |= {name: {"training": told, "extras": LEVERS[name]} for name in arguments.levers}
    turns = in_turns(arguments, {name: ("speed.sides:dokhae", one) for name, one in given.items()})
    rates = {name: [windows_rate(turn) for turn in taken] for name, taken in turns.items()}
    return [
        Row(
            name=f"{model}, {length}, {batch} windows: {name}",
            value=summary(rates[name]),
            unit="windows/s",
            against="dokhae",
            ratio=ratio(rates[name], rates["dokhae"]),
            others_share=max(turn["others_share"] for turn in taken),
            details={
                "seconds of the whole training": max(turn["whole"] for turn in taken),
                "peak MiB of the device": max(turn["device_mib"] for turn in taken),
            },
        )
        for name, taken in turns.items()
        if name != "dokhae"
    ]


def windows_rate(turn: dict[str, Any]) -> float:
    """Windows a second."""
    return float(turn["windows"] * len(turn["seconds"]) / sum(turn["seconds"]))


def real_score(arguments: Arguments, limit: float) -> list[Row]:
    """One epoch of MiniLM over the shared training split, scored on the dev split."""
    count = arguments.score_questions or 10**9
    settings = replace(ParitySettings(), train_questions=count, dev_questions=count, precision=arguments.precision)
    found = arguments.take(
        "speed.works:score",
        {"settings": asdict(settings), "device": arguments.device,
         "train": str(shared_file("squad-1.1/train.json", arguments.data)),
         "dev": str(shared_file("squad-1.1/dev.json", arguments.data))},
    )  # fmt: skip
    details = {"EM": found["exact_match"], "seconds": found["seconds"], "steps": found["steps"]}
    return [Row("MiniLM, one epoch: F1", single(found["f1"]), "", others_share=found["others_share"], details=details)]


def prediction(arguments: Arguments, limit: float) -> list[Row]:
    """Seconds for as many questions as SQuAD 1.1's dev split has, from examples to answers."""
    given = {"model": str(arguments.folder(arguments.predicted)), "questions": arguments.questions,
             "device": arguments.device, "precision": arguments.precision,
             "data": str(shared_file("squad-1.1/dev.json", arguments.data))}  # fmt: skip
    turns = [arguments.take("speed.works:predict", given, number) for number in range(arguments.turns)]
    full = arguments.predicted == "bert-base" and arguments.questions == DEV_QUESTIONS
    return [
        Row(
            name=f"prediction of {arguments.questions} questions, {arguments.predicted}",
            value=summary([turn["seconds"] for turn in turns]),
            unit="s",
            required=DEV_SECONDS if full else None,
            at_most=True,
            others_share=max(turn["others_share"] for turn in turns),
            details={"peak MiB of the device": max(turn["device_mib"] for turn in turns)},
        )
    ]


def offload(arguments: Arguments, limit: float) -> list[Row]:
    """Memory of the device and speed with Adam's state on the CPU, and with all of it on the device."""
    size = OFFLOADED_WINDOWS
    told = arguments.training(arguments.offloaded, 384, max(size // arguments.accumulate, 1),
                              precision=arguments.precision, warm_up=2, steps=8)  # fmt: skip
    rows = []
    for away in (False, True):
        optimizer = {"accumulate": arguments.accumulate, "offload": away}
        turn = arguments.take("speed.sides:dokhae", {"training": asdict(told), "extras": {"optimizer": optimizer}})
        where = "offloaded" if away else "on the device"
        rows.append(
            Row(
                name=f"{arguments.offloaded}, {size} windows a step, optimizer {where}",
                value=single(turn["device_mib"]),
                unit="MiB of the device",
                required=OFFLOADED_MIB if away else None,
                at_most=True,
                others_share=turn["others_share"],
                details={"windows/s": windows_rate(turn) * arguments.accumulate},
            )
        )
    return rows


KINDS: dict[str, Measure] = {
    "levers": levers,
    "score": real_score,
    "prediction": prediction,
    "offload": offload,
}


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
