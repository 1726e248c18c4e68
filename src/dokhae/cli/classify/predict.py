"""dokhae classify predict."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return predict


def predict(
    data: Positional[Path],
    model: str,
    out: Path,
    task: str | None = None,
    first: str | None = None,
    second: str | None = None,
    id: str | None = None,
    skip_ragged: bool = False,
    batch_size: int = 32,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] | None = None,
    trust_remote_code: bool = False,
) -> None:
    """Classify every text or pair of a file; labels are not needed.

    --out FILE.tsv is a table of index and prediction, as GLUE's server takes it; FILE.jsonl has probabilities too.

    Example: dokhae classify predict MRPC/test.tsv --model runs/mrpc --out MRPC.tsv

    Args:
        data: texts: .tsv, .csv, .jsonl, .json or .parquet
        model: run folder, model folder or hub name
        out: predictions file to write, .tsv or .jsonl
        task: task whose columns the file has; by default the model's own
        first: column of the text, or of a pair's first one; by default the model's own
        second: column of a pair's second text
        id: column of the id; rows are numbered from 0 without it
        skip_ragged: leave out rows that are ragged or have an empty text (counted); else they are refused
        batch_size: texts at once
        device: where to run
        precision: of the matrix products; auto is the fastest of the device; by default the one that the model was
            scored in
        trust_remote_code: run Python code that comes with the model
    """
    from dataclasses import replace

    from dokhae.errors import SettingsError
    from dokhae.files import refuse_folder
    from dokhae.progress import track
    from dokhae.tasks import Classifier, glue
    from dokhae.tasks.glue import OWN
    from dokhae.tasks.outputs import refuse_another_suffix, write_predictions
    from dokhae.tasks.source import TextSource

    if batch_size < 1:
        raise SettingsError(f"batch_size is {batch_size}; at least 1 is needed")
    refuse_another_suffix(out)
    refuse_folder(out)  # now, not when all is computed
    if data.resolve() == out.resolve():
        raise SettingsError(f"{out}: writing there would replace the data file; name another --out")
    if task is not None:
        TextSource(task, first, second, None, id)  # now, not when the model is there
    classifier = Classifier.load(model, device, precision, trust_remote_code)
    saved = classifier.settings.source or TextSource(OWN, first, second, None, id)
    if task is not None:
        source = TextSource(task)
    elif saved.task == OWN:
        source = replace(saved, first=first or saved.first, second=second or saved.second, id=id or saved.id)
    else:
        source = TextSource(OWN, first, second, None, id) if first or second or id else saved
    kind = replace(source, regression=source.task == OWN and not classifier.labels).named(classifier.labels)
    if kind.labels != classifier.labels:
        own, others = (", ".join(labels) or "numbers" for labels in (classifier.labels, kind.labels))
        raise SettingsError(
            f"{model}: tells {own}, and task {kind.name} has {others}; name the columns instead (--first, --second)"
        )
    texts = glue.read(kind, data, False, skip_ragged)
    with track("predict", len(texts), True, " texts") as update:
        count = write_predictions(out, classifier.predict_each(texts, batch_size, update), kind)
    log.info("wrote %s: %d predictions", out, count)
    if data.stem in dict(kind.submissions) and out.name != glue.submission_name(kind, data):
        log.info("GLUE's server wants it as %s", glue.submission_name(kind, data))
