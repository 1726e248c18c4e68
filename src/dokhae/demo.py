"""The main road on packaged data, offline: make a tiny encoder, fine-tune it, score it, ask it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from dokhae.data import read_examples, sample_path
from dokhae.files import refuse_full_folder
from dokhae.training.config import KeepConfig, OptimizerConfig, TrainConfig
from dokhae.types import Example, Prediction

log = logging.getLogger("dokhae")
ENCODER, RUN = "encoder", "run"  # all that a demo's folder holds


def settings(out: Path) -> TrainConfig:
    """A minute's worth of training on two cores."""
    return TrainConfig(
        benchmark="squad-2.0",
        model=str(out / ENCODER),
        train=sample_path("train"),
        dev=sample_path("dev"),
        out=out / RUN,
        epochs=16,
        batch_size=16,
        learning_rate=1e-3,
        max_length=128,
        step=64,
        max_question_length=48,
        device="cpu",
        optimizer=OptimizerConfig(warmup=0.1),
        null_threshold=0.0,  # fitted, it would be "no answer" to nearly everything: the best this encoder can do
        keep=KeepConfig(best_by="loss"),
    )


def prepare(out: Path, overwrite: bool) -> None:
    """An empty folder for the demo; with `overwrite` in place of an earlier demo's, never of anything else."""
    made_by_demo = out.is_dir() and {path.name for path in out.iterdir()} <= {ENCODER, RUN}
    if overwrite and made_by_demo:
        shutil.rmtree(out)
    refuse_full_folder(out)


def run(out: Path, overwrite: bool = False) -> tuple[dict[str, Any], list[tuple[Example, Prediction]]]:
    """Train and score; returns the report, and a Korean and an English question of the dev split with their answers."""
    from dokhae import training
    from dokhae.model.scratch import new_encoder
    from dokhae.reader import Reader

    prepare(out, overwrite)
    config = settings(out)
    log.info("a tiny untrained encoder -> %s", config.model)
    new_encoder(Path(config.model), sample_path("vocabulary"), layers=2, hidden_size=128, heads=4, max_length=128)
    report = training.train(config)
    dev = read_examples(sample_path("dev"))
    asked = [
        next(example for example in dev if example.answers and example.question.isascii() == english)
        for english in (False, True)
    ]
    reader = Reader.load(config.out, device="cpu")
    return report, list(zip(asked, reader.predict(asked), strict=True))
