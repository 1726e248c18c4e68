"""dokhae train."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import tyro

from dokhae.errors import DokhaeError
from dokhae.training.config import TrainConfig


def command(args: list[str]) -> Callable[..., Any]:
    """A new run; with --resume an old one that goes on, with --reproduce an old one again."""
    given = {arg.partition("=")[0] for arg in args}
    return resume if "--resume" in given else reproduce if "--reproduce" in given else train


def train(config: Annotated[TrainConfig, tyro.conf.arg(name="")]) -> None:
    """Fine-tune an encoder on a data file and score it on another with the official metric.

    --recipe NAME takes what is not given from a row of a published table. `dokhae train --resume RUN` goes on with a
    run that was interrupted; `dokhae train --reproduce RUN` runs a finished one again and compares the scores. A run
    keeps its settings, so these two take few others: `dokhae train --resume RUN --help`.

    --devices N trains in N processes, one a GPU; under torchrun or srun the same command is one of theirs.

    Example: dokhae train --recipe kor-squad-pl/korquad-1.0/koelectra-base-v3 --epochs 1

    Example: dokhae train --benchmark korquad-1.0 --model monologg/koelectra-base-v3-discriminator
    --train KorQuAD_v1.0_train.json --dev KorQuAD_v1.0_dev.json
    --epochs 3 --batch_size 16 --learning_rate 5e-5 --max_length 512 --step 128 --out runs/koelectra
    """
    from dokhae import training

    with one_voice():
        report(training.train(config), config.out)


def resume(resume: Path, trust_remote_code: bool = False) -> None:
    """Go on with an interrupted run from its last checkpoint.

    Example: dokhae train --resume runs/koelectra

    Args:
        resume: the run folder
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import training

    with one_voice():
        report(training.resume(resume, trust_remote_code=trust_remote_code), resume)


def reproduce(reproduce: Path, out: Path | None = None, trust_remote_code: bool = False) -> None:
    """Train a finished run again, with its settings, data and encoder; compare the scores (exit code 1: they differ).

    Example: dokhae train --reproduce runs/koelectra

    Args:
        reproduce: the run folder
        out: the new run folder; beside the old one, with -again at its end, unless given
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import training

    with one_voice():
        print_reproduced(training.reproduce(reproduce, out, trust_remote_code=trust_remote_code), reproduce)


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """An error that all processes of a launcher have is said by the first one alone; all exit with its code."""
    # read when torch is imported: else its C++ writes a stack for each error that it raises, and that is explained
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")
    try:
        yield
    except DokhaeError as error:
        if not getattr(error, "__notes__", ()):
            raise
        from dokhae.training.cluster import first_process
        from dokhae.training.processes import everywhere

        if first_process() or not everywhere(error):
            raise
        sys.exit(error.exit_code)


def report(result: dict[str, Any], out: Path) -> None:
    """The official scores on stdout, where the rest is on stderr."""
    if print_scores(result):
        if "null_threshold" in result:
            sys.stderr.write(f"{result['null_threshold']}\n")
        sys.stderr.write(f"run: {out}\nask it: dokhae ask --model {shlex.quote(str(out))} --context FILE QUESTION\n")


def print_scores(result: dict[str, Any]) -> bool:
    """A run's scores on stdout; once, however many processes there are: says whether this one speaks for all."""
    import json

    from dokhae.training.cluster import first_process

    speaks = first_process()
    if speaks and result:
        sys.stdout.write(json.dumps(result["scores"]) + "\n")
    return speaks


def print_reproduced(found: dict[str, Any], run: Path) -> None:
    """The scores of a run that was run again; without a dev file there are none, and it is the weights that count."""
    import json

    if not found["scores"]:
        sys.stderr.write(f"the weights are those of {run}; it has no scores\n")
        return
    sys.stdout.write(json.dumps({name: pair["now"] for name, pair in found["scores"].items()}) + "\n")
    weights = "the weights too" if found["same_weights"] else "but not the weights"
    sys.stderr.write(f"the scores are those of {run}, {weights}\n")
