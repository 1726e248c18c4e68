"""dokhae data convert."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return convert


def convert(
    source: Positional[Path],
    target: Positional[Path],
    form: Literal["squad", "rows"] | None = None,
    benchmark: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a data file in another format: .json, .jsonl, .csv, .tsv or .parquet, whole or not at all.

    Ids, questions, contexts, titles and answers with their offsets come back exactly; other fields are not taken along.

    Example: dokhae data convert KorQuAD_v1.0_dev.json dev.parquet

    Args:
        source: file with questions and answers
        target: file to write; its suffix names the format
        form: of a .json target: squad (articles of paragraphs, the default) or rows (one question a row)
        benchmark: how the source is read; korquad-2.1 takes a folder too, and keeps the HTML
        overwrite: replace the target if it is there
    """
    from dokhae import benchmarks
    from dokhae.data import read_examples, write_examples
    from dokhae.data.writing import check_form, check_target

    row = benchmarks.find(benchmark) if benchmark else None
    check_form(target, form)
    check_target(target, source, overwrite, advice="give --overwrite")
    examples = row.read(source, True) if row else read_examples(source)
    write_examples(examples, target, form)
    answered = sum(bool(example.answers) for example in examples)
    log.info(
        "wrote %s: %d questions (%d answerable, %d unanswerable) on %d contexts, %d answers",
        target,
        len(examples),
        answered,
        len(examples) - answered,
        len({example.context for example in examples}),
        sum(len(example.answers) for example in examples),
    )
    if row:
        log.info("%s: %s: %s", row.release.title, row.release.licence.name, row.release.licence.meaning)
