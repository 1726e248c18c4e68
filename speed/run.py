"""`python -m speed`: measure every row, print the table, and write it down unless others disturbed it."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError, SettingsError
from dokhae.files import write_json, write_text
from dokhae.progress import track
from dokhae.records import nearest
from speed import answers, features
from speed.measure import MOST_OF_OTHERS, Comparison, Measured, measure
from speed.shared import results_file, surroundings

ROWS: dict[str, Callable[[], Comparison]] = {
    "training": features.training,
    "validation": features.validation,
    "decoding": answers.decoding,
    "squad-metric": answers.squad_metric,
    "korquad-metric": answers.korquad_metric,
    "cache": features.cache,
    "training-korean": features.training_korean,
    "decoding-lists": answers.decoding_of_lists,
    "legacy": features.against_legacy,
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is measured, and where it is written."""

    rows: list[str] = field(default_factory=lambda: list(ROWS))  # some of them: training, validation, decoding, ...
    out: Path = results_file("latest")  # with a table in markdown beside it


def run(arguments: Arguments) -> int:
    """Measure, print, write; the exit status: 1 where a row was disturbed or too slow."""
    import datasets

    for name in arguments.rows:
        if name not in ROWS:
            raise SettingsError(f"--rows: {name!r} is no row{nearest(name, list(ROWS))}")
    datasets.disable_progress_bars()
    begun = time.perf_counter()
    measured = []
    with track("speed", len(arguments.rows)) as update:
        for done, name in enumerate(arguments.rows):
            update(done, name)
            measured.append(measure(ROWS[name]()))
        update(len(arguments.rows))
    report = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "seconds": round(time.perf_counter() - begun),
        "settings": asdict(features.SETTINGS) | {"batch_size": answers.BATCH, "seed": answers.SEED},
        "surroundings": surroundings(),
        "rows": [as_record(row) for row in measured],
    }
    text = as_markdown(measured, report)
    sys.stdout.write(text)
    faults = [fault for row in measured if (fault := find_fault(row))]
    sys.stderr.writelines(f"error: {fault}\n" for fault in faults)
    if not any(disturbed(row) for row in measured):
        write_json(arguments.out, report)
        write_text(arguments.out.with_suffix(".md"), text)
    return 1 if faults else 0


def disturbed(row: Measured) -> bool:
    """Whether others used so much of the processor that the row says nothing."""
    return row.others_share > MOST_OF_OTHERS


def find_fault(row: Measured) -> str | None:
    """Why a row is no success; None where it is one."""
    name, required = row.comparison.name, row.comparison.required
    if disturbed(row):
        return (f"{name}: disturbed, others used {row.others_share:.0%} of the processor; nothing is written, measure "
                "again on a quiet machine")  # fmt: skip
    if required is not None and row.ratio < required:
        return f"{name}: {row.ratio:.2f} times as fast, {required:g} are required"
    return None


def as_record(row: Measured) -> dict[str, Any]:
    """A row for the results file."""
    comparison = row.comparison
    return {
        "name": comparison.name,
        "against": comparison.other,
        "size": comparison.size,
        "unit": comparison.unit,
        "ratio": row.ratio,
        "ratios": row.ratios,
        "cpu_ratio": row.cpu_ratio,
        "required": comparison.required,
        "aim": comparison.aim,
        "seconds": {"other": asdict(row.other), "dokhae": asdict(row.dokhae)},
        "equal": row.equal,
        "others_share": row.others_share,
    }


def as_markdown(rows: list[Measured], report: dict[str, Any]) -> str:
    """The table, what was compared, and on what it ran."""
    lines = [
        "| row | against | ratio (least to most) | required, aim | seconds: other, dokhae | CPU ratio | others' CPU |",
        "|---|---|---|---|---|---|---|",
        *map(as_line, rows),
        "",
        *(f"- {row.comparison.name}, {row.comparison.size} {row.comparison.unit}: {row.equal}." for row in rows),
        "",
        f"Medians of {min(row.comparison.repeats for row in rows)} repeats or more, both sides in turns, "
        f"{report['seconds']} s in all. {report['date']}.",
        "",
        *(f"- {name}: {value}" for name, value in (report["settings"] | report["surroundings"]).items()),
    ]
    return "\n".join(lines) + "\n"


def as_line(row: Measured) -> str:
    """A row of the table."""
    comparison = row.comparison
    wanted = "" if comparison.required is None else f"{comparison.required:g}"
    wanted += "" if comparison.aim is None else f", {comparison.aim:g}"
    return (
        f"| {comparison.name} | {comparison.other} | {row.ratio:.2f} ({min(row.ratios):.2f} to {max(row.ratios):.2f}) "
        f"| {wanted} | {row.other.median:.3f}, {row.dokhae.median:.3f} | {row.cpu_ratio:.2f} "
        f"| {row.others_share:.0%}{' DISTURBED' if disturbed(row) else ''} |"
    )


def main() -> None:
    """The command line."""
    import tyro

    try:
        sys.exit(run(tyro.cli(Arguments, description=__doc__)))
    except DokhaeError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
