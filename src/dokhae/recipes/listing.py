"""Rows for people: which are asked for, what is printed of each, and one as a settings file."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path

import yaml

from dokhae import benchmarks
from dokhae.errors import SettingsError
from dokhae.recipes.reading import ENDING, Row, Scores, find, read_source, rows, sources
from dokhae.recipes.reproduced import Reproduced
from dokhae.recipes.using import settings_of
from dokhae.records import nearest
from dokhae.training.config import TrainConfig

COLUMNS = ("recipe", "encoder", "em", "f1", "reproduced_em", "reproduced_f1", "runs", "changed", "needs")


def chosen(what: str) -> list[Row]:
    """The rows of a table, of a benchmark, of both (kor-squad-pl/korquad-1.0), of a file, or the one of a full name.

    "all": every packaged row. Raises SettingsError with the nearest name where there is nothing of that name.
    """
    if what.endswith(ENDING):
        return read_source(Path(what))
    if f"{ENDING}/" in what:
        return [find(what)]
    every = rows()
    if what == "all":
        return every
    found = [row for row in every if f"{row.name}/".startswith(f"{what}/")]
    found = found or [row for row in every if row.benchmark == benchmark_name(what)]
    if found:
        return found
    known = ["all", "encoders", *sources(), *sorted({row.benchmark for row in every})]
    near = nearest(what, [*known, *(row.name for row in every)] if "/" in what else known)
    raise SettingsError(f"{what!r} is no recipe, table or benchmark with recipes, and no {ENDING} file{near}")


def benchmark_name(what: str) -> str | None:
    """A benchmark's own name for any of its names; None where there is no such benchmark."""
    return benchmarks.find(what).name if what.lower() in benchmarks.names() else None


def cells(row: Row, found: Reproduced | None) -> tuple[str, ...]:
    """What COLUMNS names, as text; "" where there is nothing to say."""
    scores = found.scores if found else Scores()
    return (
        row.name,
        row.model or "",
        printed(row.published.dev.em),
        printed(row.published.dev.f1),
        printed(scores.em),
        printed(scores.f1),
        str(found.runs) if found else "",
        "; ".join(found.changes) if found else "",
        row.needs or "",
    )


def printed(score: float | None) -> str:
    """A score with the two or three decimals that tables have."""
    return "" if score is None else f"{score:.3f}".removesuffix("0")


def settings_file(row: Row) -> str:
    """The row as YAML that --config takes; what else is known of it as comments."""
    comments = [f"{row.name}: {row.title}, {row.url}", *_published(row)]
    if row.devices > 1:
        comments.append(f"Trained on {row.devices} devices; on one, so many more batches are accumulated for a step.")
    if row.model is None:
        comments.append("Its weights are on no hub: give the encoder with --model FOLDER.")
    if row.needs:
        comments.append(f"It needs what this version of dokhae does not have yet: {row.needs}.")
    if row.note:
        comments.append(row.note)
    lines = [line for comment in comments for line in textwrap.wrap(comment, 118, break_on_hyphens=False)]
    content = settings_of(row)
    settings = {field.name: content[field.name] for field in fields(TrainConfig) if field.name in content}
    return "".join(f"# {line}\n" for line in lines) + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)


def _published(row: Row) -> list[str]:
    """What was published of a row, a line each."""
    published, label = row.published, benchmarks.find(row.benchmark).rule.f1_label
    named = {"dev": published.dev, "test": published.test, "by the model's authors, on dev": published.reference}
    lines = []
    for split, scores in named.items():
        parts = [
            f"{name} {printed(score)}" for name, score in (("EM", scores.em), (label, scores.f1)) if score is not None
        ]
        if parts:
            lines.append(f"Published, {split}: {', '.join(parts)}.")
    steps = " to ".join(f"{number:,}" for number in (published.steps, published.steps_up_to) if number is not None)
    counts = [f"{steps} optimizer steps"] if steps else []
    counts += [f"{published.windows:,} training windows"] if published.windows is not None else []
    return [*lines, *([f"Published: {', '.join(counts)}."] if counts else [])]
