"""dokhae train."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro

from dokhae.training.config import TrainConfig


def command(args: list[str]) -> Callable[..., Any]:
    """A new run, or (with --resume) an old one."""
    return resume if any(arg.partition("=")[0] == "--resume" for arg in args) else train


def train(config: Annotated[TrainConfig, tyro.conf.arg(name="")]) -> None:
    """Fine-tune an encoder on a data file and score it on another with the official metric.

    `dokhae train --resume RUN` goes on with a run that was interrupted.

    Example: dokhae train --benchmark korquad-1.0 --model monologg/koelectra-base-v3-discriminator
    --train KorQuAD_v1.0_train.json --dev KorQuAD_v1.0_dev.json
    --epochs 3 --batch_size 16 --learning_rate 5e-5 --max_length 512 --step 128 --out runs/koelectra
    """
    from dokhae import training

    report(training.train(config), config.out)


def resume(resume: Path, trust_remote_code: bool = False) -> None:
    """Go on with an interrupted run from its last checkpoint.

    Example: dokhae train --resume runs/koelectra

    Args:
        resume: the run folder
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import training

    report(training.resume(resume, trust_remote_code=trust_remote_code), resume)


def report(result: dict[str, Any], out: Path) -> None:
    """The official scores on stdout, where the rest is on stderr."""
    import json

    if result:
        sys.stdout.write(json.dumps(result["scores"]) + "\n")
    if "null_threshold" in result:
        sys.stderr.write(f"{result['null_threshold']}\n")
    sys.stderr.write(f"run: {out}\nask it: dokhae ask --model {out} --context FILE QUESTION\n")
