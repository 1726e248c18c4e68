"""Rows of a measurement as a table and as a results file, and what makes a command end with status 1."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dokhae.files import write_json, write_text
from speed.measure import MOST_OF_OTHERS
from speed.shared import surroundings

Spread = dict[str, float]  # median, least, most


@dataclass(frozen=True, slots=True)
class Row:
    """Something that was measured."""

    name: str
    value: Spread
    unit: str
    against: str = ""  # what `ratio` compares it with
    ratio: Spread | None = None
    required: float | None = None  # of the ratio's median; without a ratio, of the value's
    aim: float | None = None
    at_most: bool = False  # required and aim are upper bounds
    others_share: float = 0.0  # of all cores, the most in a turn
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def disturbed(self) -> bool:
        """Whether others used so much of the processor that it says nothing."""
        return self.others_share > MOST_OF_OTHERS

    def fault(self) -> str | None:
        """Why it is no success; None where it is one."""
        if self.disturbed:
            return f"{self.name}: disturbed, others used {self.others_share:.0%} of the processor; measure again"
        found = (self.ratio or self.value)["median"]
        if self.required is not None and (found > self.required if self.at_most else found < self.required):
            return f"{self.name}: {found:.3g}, {'at most ' if self.at_most else ''}{self.required:g} is required"
        return None

    def line(self) -> str:
        """Its line in the table."""
        wanted = ", ".join(f"{one:g}" for one in (self.required, self.aim) if one is not None)
        details = ", ".join(f"{name} {shown(value)}" for name, value in self.details.items())
        others = f"{self.others_share:.0%}{' DISTURBED' if self.disturbed else ''}"
        ratio = "" if self.ratio is None else spread(self.ratio)
        return (f"| {self.name} | {spread(self.value)} {self.unit} | {self.against} | {ratio} "
                f"| {'at most ' if wanted and self.at_most else ''}{wanted} | {details} | {others} |")  # fmt: skip


def shown(value: object) -> str:
    """A detail as people read it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def spread(values: Mapping[str, float]) -> str:
    """The median, and the range where there is one."""
    median, least, most = (f"{values[name]:.4g}" for name in ("median", "least", "most"))
    return median if least == most else f"{median} ({least} to {most})"


def table(rows: Sequence[Row]) -> str:
    """All rows in markdown."""
    lines = [
        "| row | value (least to most) | against | ratio (least to most) | required, aim | | others' CPU |",
        "|---|---|---|---|---|---|---|",
        *(row.line() for row in rows),
    ]
    return "\n".join(lines) + "\n"


def publish(rows: Sequence[Row], settings: Mapping[str, Any], begun: float, out: Path) -> int:
    """Print the table and save it; the exit status: 1 where a row failed."""
    return tell(rows, save(rows, settings, begun, out))


def tell(rows: Sequence[Row], text: str) -> int:
    """Print a table, and which of the rows failed; the exit status: 1 where one did."""
    sys.stdout.write(text)
    sys.stderr.writelines(f"error: {fault}\n" for row in rows if (fault := row.fault()))
    return int(any(row.fault() for row in rows))


def save(rows: Sequence[Row], settings: Mapping[str, Any], begun: float, out: Path) -> str:
    """The table with its settings; written to a results file too, unless others disturbed it.

    begun: when, on the clock of time.perf_counter.
    """
    report = {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "seconds": round(time.perf_counter() - begun),
        "settings": dict(settings),
        "surroundings": surroundings(),
        "rows": [asdict(row) for row in rows],
    }
    text = as_markdown(report)
    if not any(row.disturbed for row in rows):
        write_json(out, report)
        write_text(out.with_suffix(".md"), text)
    return text


def as_markdown(report: Mapping[str, Any]) -> str:
    """A results file as people read it."""
    facts = report["settings"] | report["surroundings"]
    lines = [table([Row(**row) for row in report["rows"]]), f"{report['seconds']} s in all. {report['date']}.", ""]
    return "\n".join([*lines, *(f"- {name}: {value}" for name, value in facts.items())]) + "\n"
