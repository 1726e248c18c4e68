"""dokhae classify train."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro

from dokhae.cli.train import one_voice, print_reproduced, print_scores
from dokhae.tasks.config import ClassifyConfig


def command(args: list[str]) -> Callable[..., Any]:
    """A new run; with --resume an old one that goes on, with --reproduce an old one again."""
    given = {arg.partition("=")[0] for arg in args}
    return resume if "--resume" in given else reproduce if "--reproduce" in given else train


def train(config: Annotated[ClassifyConfig, tyro.conf.arg(name="")]) -> None:
    """Fine-tune an encoder on labelled texts or pairs and score it on others with the task's metrics.

    The defaults are the recipe of BERT for GLUE: length 128, batches of 32, rate 2e-5, 3 epochs. `dokhae classify train
    --resume RUN` goes on with a run that was interrupted, `--reproduce RUN` runs a finished one again and compares.

    Example: dokhae classify train --task mrpc --model google-bert/bert-base-uncased
    --train MRPC/train.tsv --dev MRPC/dev.tsv --out runs/mrpc

    Example: dokhae classify train --first text --label label --model klue/roberta-base
    --train reviews_train.csv --dev reviews_test.csv --out runs/reviews
    """
    from dokhae import tasks

    with one_voice():
        report(tasks.train(config), config.out)


def resume(resume: Path, trust_remote_code: bool = False) -> None:
    """Go on with an interrupted run from its last checkpoint.

    Example: dokhae classify train --resume runs/mrpc

    Args:
        resume: the run folder
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import tasks

    with one_voice():
        report(tasks.resume(resume, trust_remote_code=trust_remote_code), resume)


def reproduce(reproduce: Path, out: Path | None = None, trust_remote_code: bool = False) -> None:
    """Train a finished run again, with its settings, data and encoder; compare the scores (exit code 1: they differ).

    Example: dokhae classify train --reproduce runs/mrpc

    Args:
        reproduce: the run folder
        out: the new run folder; beside the old one, with -again at its end, unless given
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import tasks

    with one_voice():
        print_reproduced(tasks.reproduce(reproduce, out, trust_remote_code=trust_remote_code), reproduce)


def report(result: dict[str, Any], out: Path) -> None:
    """The scores on stdout, and what comes next on stderr."""
    if print_scores(result):
        sys.stderr.write(f"run: {out}\nclassify with it: dokhae classify predict FILE --model {out} --out FILE.tsv\n")
