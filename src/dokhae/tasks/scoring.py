"""The scores of a predictions file, by the metrics of its task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.data.sentences import ordered
from dokhae.errors import DataError
from dokhae.tasks import glue
from dokhae.tasks.glue import SentenceTask
from dokhae.tasks.outputs import read_predictions
from dokhae.tasks.source import TextSource


def score_predictions(source: TextSource, data: Path, predictions: Path, skip_ragged: bool = False) -> dict[str, float]:
    """Each metric by name, and "score", their mean. DataError for texts without a prediction, and unknown classes.

    The classes of one's own files are those that are labelled or predicted.
    """
    texts = source.labelled(data, skip_ragged)
    found = read_predictions(predictions, source.is_regression)
    missing = [text.id for text in texts if text.id not in found]
    if missing:
        raise DataError(f"{predictions}: has no prediction for {missing[0]} ({len(missing)} of {len(texts)} are "
                        f"missing); predict {data} whole")  # fmt: skip
    more = found.keys() - {text.id for text in texts}
    if more:
        raise DataError(f"{predictions}: has a prediction for {min(more)}, which is not in {data} ({len(more)} such); "
                        "are these the predictions of another file?")  # fmt: skip
    gold, said = [text.label for text in texts], [found[text.id] for text in texts]
    task = source.named(() if source.is_regression else ordered({*map(str, gold), *map(str, said)}))
    other = next((text.id for text, label in zip(texts, said, strict=True)
                  if task.labels and label not in task.labels), None)  # fmt: skip
    if other is not None:
        raise DataError(f"{predictions}: {other}: {found[other]!r} is no class of task {task.name} "
                        f"({', '.join(task.labels)})")  # fmt: skip
    return glue.score(task, numbers_of(gold, task), numbers_of(said, task))


def numbers_of(labels: Sequence[str | float | None], task: SentenceTask) -> NDArray[Any]:
    """Labels as a model learns them: numbers of classes, int64, or numbers as they are, float64."""
    if task.is_regression:
        return np.array(labels, dtype=np.float64)
    number = {label: place for place, label in enumerate(task.labels)}
    return np.array([number[str(label)] for label in labels], dtype=np.int64)
