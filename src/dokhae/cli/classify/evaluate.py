"""dokhae classify evaluate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return evaluate


def evaluate(
    data: Positional[Path],
    predictions: Positional[Path],
    task: str | None = None,
    first: str | None = None,
    second: str | None = None,
    label: str | None = None,
    id: str | None = None,
    regression: bool = False,
    skip_ragged: bool = False,
    out: Path | None = None,
) -> None:
    """Score a predictions file with the metrics that GLUE has for the task; of your own files accuracy and macro F1.

    Example: dokhae classify evaluate MRPC/dev.tsv predictions.tsv --task mrpc

    Args:
        data: labelled texts: .tsv, .csv, .jsonl, .json or .parquet
        predictions: .tsv or .jsonl, as `dokhae classify predict` writes them, or a run folder
        task: cola, sst-2, mrpc, sts-b, qqp, mnli, qnli, rte or wnli; without it, the columns of the file
        first: column of the text, or of a pair's first one
        second: column of a pair's second text
        label: column of the class, or of the number
        id: column of the id; rows are numbered from 0 without it
        regression: labels are numbers
        skip_ragged: leave out rows that are ragged or have an empty text, as they were for the predictions
        out: file to write the scores to as well
    """
    import json
    import sys

    from dokhae.files import write_json
    from dokhae.tasks.glue import OWN
    from dokhae.tasks.scoring import score_predictions
    from dokhae.tasks.source import TextSource

    source = TextSource(task or OWN, first, second, label, id, regression)
    path = predictions / "predictions.tsv" if predictions.is_dir() else predictions
    scores = score_predictions(source, data, path, skip_ragged)
    if out is not None:
        write_json(out, scores)
    sys.stdout.write(json.dumps(scores) + "\n")
