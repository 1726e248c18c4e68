"""What BERT's toolbox has beside reading: classes or numbers for texts and pairs, and features of their tokens.

>>> from dokhae import tasks
>>> tasks.train(tasks.ClassifyConfig(task="mrpc", model="google-bert/bert-base-uncased", train="train.tsv",
...                                  dev="dev.tsv", out="runs/mrpc"))
>>> tasks.Classifier.load("runs/mrpc")("The cat sat.", "A cat was sitting.").label
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokhae.errors import optional
from dokhae.tasks.classifier import Classifier, ClassPrediction
from dokhae.tasks.config import ClassifyConfig, KeepClassifier

__all__ = ["Classifier", "ClassPrediction", "ClassifyConfig", "KeepClassifier", "reproduce", "resume", "train"]


def train(config: ClassifyConfig, show: bool = True) -> dict[str, Any]:
    """Fine-tune a classifier, score it on the dev file, write the run folder; as dokhae.train does for a reader."""
    with optional("training", "train"):
        from dokhae.tasks.classification import CLASSIFYING
        from dokhae.training.fit import fit
    return fit(config, CLASSIFYING, show)


def resume(
    run: Path | str, show: bool = True, trust_remote_code: bool = False, data: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint; as dokhae.resume does for a reader."""
    with optional("training", "train"):
        from dokhae.tasks.classification import CLASSIFYING
        from dokhae.training.fit import resume as go_on
    return go_on(Path(run), CLASSIFYING, show, trust_remote_code, None, data)


def reproduce(
    run: Path | str, out: Path | str | None = None, show: bool = True, trust_remote_code: bool = False
) -> dict[str, Any]:
    """Train a finished run again, from its own record, and compare; as dokhae.reproduce does for a reader."""
    with optional("training", "train"):
        from dokhae.tasks.classification import CLASSIFYING
        from dokhae.training.reproduction import reproduce as run_again
    return run_again(Path(run), CLASSIFYING, None if out is None else Path(out), show, trust_remote_code)
