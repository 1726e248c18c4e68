"""The two sides of a training as works of a turn: the plain Hugging Face way, and dokhae as its users call it.

Both return the seconds of each optimizer step after the warm-up, and the tokens of the windows in it.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from dokhae import benchmarks
from dokhae.encoding import Features, PairTokenizer, WindowConfig, bucket_by_length, cached_features, sequence_lengths
from dokhae.errors import DataError, TrainingError
from dokhae.types import Example
from speed.turns import Turn

WARM = 0.97  # of the longest timed batch: as long as one of the warm-up has to be


@dataclass(frozen=True, slots=True)
class Training:
    """What both sides are told."""

    model: str  # folder of the encoder
    data: str  # SQuAD 1.1 file
    warm_up: int = 4  # optimizer steps that are not timed
    steps: int = 24  # that are
    batch_size: int = 16  # windows of a step
    max_length: int = 384
    overlap: int = 128
    precision: str = "fp32"
    device: str = "cpu"
    seed: int = 0
    learning_rate: float = 5e-5
    examples: int | None = None  # only the first ones of the file

    def described(self) -> dict[str, Any]:
        """As the results have it: no paths of this machine."""
        return asdict(self) | {"model": Path(self.model).parts[-2], "data": "/".join(Path(self.data).parts[-2:])}


@dataclass(frozen=True, slots=True)
class Extras:
    """What dokhae alone is told."""

    config: dict[str, Any] = field(default_factory=dict)  # fields of TrainConfig
    optimizer: dict[str, Any] = field(default_factory=dict)  # fields of OptimizerConfig
    undo: list[str] = field(default_factory=list)  # levers of speed.undo that this process does without


def plain(training: dict[str, Any], windows: Sequence[int]) -> dict[str, Any]:
    """The Trainer of transformers over these windows, each padded to the full length, in batches drawn at random."""
    from transformers import AutoModelForQuestionAnswering, Trainer, default_data_collator, set_seed

    from speed import plain_features as features
    from speed.clock import Clock, arguments

    told = Training(**training)
    tokenizer = features.load_tokenizer(Path(told.model))
    rows = features.to_dataset(read(told))
    settings = features.PlainSettings(told.max_length, told.overlap)
    train_set = features.training_features(rows, tokenizer, settings).select(windows)
    set_seed(told.seed)
    model = AutoModelForQuestionAnswering.from_pretrained(told.model, local_files_only=True)
    clock = Clock(told.device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=arguments(folder, told),
            train_dataset=train_set,
            data_collator=default_data_collator,
            processing_class=tokenizer,
            callbacks=[clock],
        )
        trainer.train()
    seconds = [after - before for before, after in pairwise(clock.ends)][told.warm_up - 1 :]
    tokens = sum(map(sum, train_set["attention_mask"][:]))
    return {
        "seconds": seconds,
        "windows": told.batch_size,
        "tokens": tokens / len(train_set),
        **device_peak(told.device),
    }


def dokhae(training: dict[str, Any], extras: dict[str, Any] | None = None) -> dict[str, Any]:
    """dokhae.train; the times are those that its own TensorBoard log has for each logged loss."""
    import dokhae as product
    from dokhae.training import OptimizerConfig
    from speed.undo import undone

    told, more = Training(**training), Extras(**(extras or {}))
    with tempfile.TemporaryDirectory() as folder, undone(more.undo), recorded_or_failed() as roomless:
        settings = {
            "benchmark": "squad-1.1",
            "model": told.model,
            "train": Path(told.data),
            "out": Path(folder) / "run",
            "max_steps": told.warm_up + told.steps,
            "batch_size": told.batch_size,
            "learning_rate": told.learning_rate,
            "max_length": told.max_length,
            "overlap": told.overlap,
            "max_question_length": told.max_length // 2,
            "seed": told.seed,
            "device": told.device,
            "precision": told.precision,
            "max_train_examples": told.examples,
            "checkpoint_minutes": 0,
            "optimizer": OptimizerConfig(**more.optimizer),
        }
        config = product.TrainConfig(**(settings | more.config))
        begun = time.perf_counter()
        product.train(config, show=False)
        whole = time.perf_counter() - begun
        logged = losses_in(config.out)
    seconds = steady(logged, told.warm_up)
    peak = device_peak(told.device)
    return {"seconds": seconds, "windows": told.batch_size, "whole": whole, "roomless": len(roomless), **peak}


def losses_in(run: Path) -> list[tuple[int, float]]:
    """(Steps done, clock in seconds) of each loss that a run logged, of the last batch where a step has several."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return list({event.step + 1: event.wall_time for event in events.Scalars("train_loss")}.items())


def steady(logged: Sequence[tuple[int, float]], warm_up: int) -> list[float]:
    """Seconds a step between one logged loss and the next, from the first that is logged after the warm-up."""
    after = [entry for entry in logged if entry[0] >= warm_up]
    seconds = []
    for (before, begun), (step, ended) in pairwise(after):
        seconds += [(ended - begun) / (step - before)] * (step - before)
    return seconds


def device_peak(device: str) -> dict[str, Any]:
    """The most memory of a GPU that this process used, and the most that it held for that, MiB."""
    import torch

    most = torch.cuda.max_memory_allocated, torch.cuda.max_memory_reserved
    used, held = (one() / 2**20 if device == "cuda" else 0.0 for one in most)
    return {"device_mib": used, "held_mib": held}


@contextlib.contextmanager
def recorded_or_failed() -> Iterator[list[int]]:
    """A training that gives its recordings up fails in here: it would be measured as one without them.

    Yields the bytes of each pass that there was no room to record.
    """
    from dokhae.training.recording import Recorder

    has_room, roomless = Recorder._has_room, list[int]()

    def fail(recorder: Recorder, reason: str) -> None:
        raise TrainingError(f"the recordings were given up: {reason}")

    def ask(recorder: Recorder, left: int) -> bool:
        found = has_room(recorder, left)
        if not found:
            roomless.append(left)
        return found

    with mock.patch.multiple(Recorder, _fail=fail, _has_room=ask):
        yield roomless


def read(told: Training) -> list[Example]:
    """The questions of the training."""
    return benchmarks.find("squad-1.1").read(Path(told.data), True)[: told.examples]


def make_features(told: Training) -> tuple[Features, Any]:
    """The windows as dokhae.train cuts them, and the layout of their tokens."""
    from dokhae.model import inputs, loading

    source = loading.locate(told.model)
    fast = loading.load_tokenizer(source)
    tokenizer = PairTokenizer.of(fast, inputs.input_names(fast, loading.load_model(source)))
    windows = WindowConfig(told.max_length, overlap=told.overlap, max_question_length=told.max_length // 2)
    return cached_features(read(told), tokenizer, windows), tokenizer.layout


def draw(told: Training, together: int = 1) -> Turn:
    """The turn that finds which windows are timed. together: batches of an optimizer step, of all processes."""
    return Turn("speed.sides:drawn", {"training": asdict(told), "together": together}, timed=False)


def drawn(training: dict[str, Any], together: int = 1, seeds: int = 200) -> dict[str, Any]:
    """Which windows are timed, work of a turn: of the seed whose steps have a mean length nearest to the whole split's.

    A few batches of similar lengths would else be much longer or shorter than the others. Where there are such, a seed
    whose warm-up has a step about as long as the longest timed one: a process takes the memory for it from the system
    once, page by page. On a GPU, first of all one by whose timed steps most sizes are recorded. Steps of one batch may
    go over several epochs. Returns the seed, the windows of the timed steps, and the tokens of each; and how many timed
    steps are of a size that is not recorded yet. DataError where there are too few windows for steps of full batches.
    """
    told = Training(**training)
    features, layout = make_features(told)
    lengths = sequence_lengths(features, layout)
    mean, found = float(lengths.mean()), []
    first, count = told.warm_up * together, (told.warm_up + told.steps) * together
    numbers = range(1 if together > 1 else count)  # an epoch may end with a step of fewer batches
    for seed in range(seeds):
        epochs = (bucket_by_length(lengths, told.batch_size, seed, epoch, together) for epoch in numbers)
        batches = list(islice(chain.from_iterable(epochs), count))
        if len(batches) == count and all(len(batch) == told.batch_size for batch in batches[first:]):
            tokens = [int(lengths[batch].sum()) for batch in batches]
            is_cold = max(tokens[:first], default=0) < WARM * max(tokens[first:])
            off = abs(float(lengths[np.concatenate(batches[first:])].mean()) - mean)
            new = newly_sized([lengths[batch] for batch in batches], first) if told.device == "cuda" else 0
            found.append((new, is_cold, off, seed, batches[first:]))
    if not found:
        raise DataError(f"{told.data}: {len(lengths)} windows are too few for {told.warm_up + told.steps} full batches")
    new, *_, seed, batches = min(found, key=lambda one: one[:4])
    return {
        "seed": seed,
        "new": new,
        "windows": np.concatenate(batches).tolist(),
        "lengths": [lengths[batch].tolist() for batch in batches],
        "mean": mean,
        "all_windows": len(lengths),
    }


def newly_sized(batches: Sequence[NDArray[np.int64]], first: int) -> int:
    """Of batches, the tokens of each one's windows: how many from the `first` on are not of a size that was met twice,
    which is when dokhae.training.recording has recorded it.
    """
    from dokhae.model.packing import GPU_SIZES, with_padding
    from dokhae.training.recording import described

    met: Counter[Any] = Counter()
    new = 0
    for number, lengths in enumerate(batches):
        padding, seams = with_padding(lengths, "cpu", GPU_SIZES)
        size = int(lengths.sum()) + padding, described(seams)
        new += number >= first and met[size] < 2
        met[size] += 1
    return new
