"""What the kernels of a recorded training step take on a GPU, with random tokens. `python -m speed.gpu_step`.

For whoever looks for the next millisecond: four batches again and again, as dokhae.train records them, and then once
under torch's profiler. Nothing is written; the rows that count are those of speed.gpu.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import bucket_by_length, sequence_lengths
from dokhae.errors import TrainingError
from speed import gpu
from speed.command import run_command
from speed.costs import finish
from speed.sides import Training, make_features, recorded_or_failed
from speed.turns import CACHE

PLACES = (0.15, 0.38, 0.62, 0.85)  # among all batches, by their tokens, of those that are taken
ROUNDS, RECORDED = 8, 3  # over the batches: timed, and before that
KINDS = {
    "attention": "flash|fmha",
    "matrix products": "gemm|cutlass|nvjet|xmma|splitK|gemv",
    "optimizer, clipping, copies of weights": "multi_tensor",
    "the rest": "",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is taken apart."""

    model: str = "bert-large"
    batch: int = 128  # windows
    length: int = 384
    device: str = "cuda"
    compile: bool = False
    no_blocks: bool = False  # the layers as their modules have them
    kernels: int = 30  # that are listed
    data: Path | None = None  # folder of the shared data; None: $DOKHAE_SHARED_DATA, or ../shared/data
    made: Path = CACHE  # where the model is made


def run(arguments: Arguments) -> int:
    """Time the steps, and list their kernels; the exit status. SettingsError where there is no GPU, TrainingError where
    the steps are not those of a training.
    """
    import torch

    gpu.refuse_without_gpu(arguments.device)
    batches = lengths_of(arguments)
    step = step_of(arguments)
    with recorded_or_failed() as roomless:
        for _ in range(RECORDED):
            for lengths in batches:
                step(lengths)
        if roomless:
            raise TrainingError(f"{len(roomless)} passes were not recorded, for there was no room; lower --batch")
        finish(arguments.device)
        begun = time.perf_counter()
        for _ in range(ROUNDS):
            for lengths in batches:
                step(lengths)
        finish(arguments.device)
    seconds = (time.perf_counter() - begun) / (ROUNDS * len(batches))
    tokens = float(np.mean([lengths.sum() for lengths in batches]))
    sys.stdout.write(
        f"{1000 * seconds:.1f} ms a step, {arguments.batch / seconds:.0f} windows/s, {tokens:.0f} tokens\n"
    )
    if arguments.device != "cuda":
        return 0
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for lengths in batches:
            step(lengths)
        finish(arguments.device)
    sys.stdout.write(listed(profile.events(), len(batches), arguments.kernels))
    return 0


def lengths_of(arguments: Arguments) -> list[NDArray[np.int64]]:
    """The tokens of the windows of some batches of SQuAD."""
    told = model_of(arguments)
    lengths = sequence_lengths(*make_features(told))
    batches = [lengths[batch] for batch in bucket_by_length(lengths, told.batch_size, 0, 0)]
    full = sorted((batch for batch in batches if len(batch) == told.batch_size), key=lambda batch: int(batch.sum()))
    return [full[int(place * (len(full) - 1))] for place in PLACES]


def model_of(arguments: Arguments) -> Training:
    """The model, made now unless it is there, and the data."""
    told = gpu.Arguments(data=arguments.data, made=arguments.made)
    return told.training(arguments.model, arguments.length, arguments.batch)


def step_of(arguments: Arguments) -> Any:  # noqa: ANN401 - a function of a batch's lengths
    """A training step as TrainingModule takes it, without all that is around it."""
    import torch

    from dokhae.model.dropout import replace_dropout
    from dokhae.model.loading import load_model, locate
    from dokhae.model.lowered import lower_layers
    from dokhae.model.normalisation import replace_layer_norm
    from dokhae.model.packing import in_one_row
    from dokhae.model.span import span_loss
    from dokhae.training.compiling import compile_encoder
    from dokhae.training.recording import Recorder

    model = load_model(locate(model_of(arguments).model)).to(arguments.device).train()
    replace_dropout(model)
    replace_layer_norm(model)
    lowered = lower_layers(model, torch.bfloat16, not arguments.no_blocks and not arguments.compile)
    if not lowered:
        raise TrainingError(f"no layer of {arguments.model} learns in 16 bits")
    if arguments.compile:
        compile_encoder(model, lowered)
    Recorder(model.base_model, False, lowered)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    random = np.random.default_rng(0)

    def step(lengths: NDArray[np.int64]) -> None:
        ids = random.integers(1000, model.config.vocab_size, lengths.sum())
        row = in_one_row(model, ids, np.zeros_like(ids), lengths, arguments.device)
        with torch.autocast(arguments.device, torch.bfloat16):
            said = model(**row)
        logits = (one[0, : len(ids)].float() for one in (said.start_logits, said.end_logits))
        firsts = torch.from_numpy(np.cumsum(lengths) - lengths).to(arguments.device)
        span_loss(*logits, torch.from_numpy(lengths).to(arguments.device), firsts, firsts).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def listed(events: Sequence[Any], steps: int, most: int) -> str:
    """Milliseconds of a step by kinds of kernels, and the kernels that take the most, with how often."""
    spent, times = Counter[str](), Counter[str]()
    for event in events:
        if event.device_type.name == "CUDA":
            spent[event.name] += event.self_device_time_total / 1000 / steps
            times[event.name] += 1
    kinds = Counter[str]()
    for name, milliseconds in spent.items():
        kinds[next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))] += milliseconds
    lines = [f"{sum(spent.values()):.1f} ms worked in {sum(times.values()) / steps:.1f} kernels"]
    lines += [f"{kind}: {milliseconds:.1f}" for kind, milliseconds in kinds.most_common()]
    lines += [f"{spent[name]:8.3f} {times[name] / steps:6.1f} x {name[:100]}" for name, _ in spent.most_common(most)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run_command(Arguments, run, __doc__)
