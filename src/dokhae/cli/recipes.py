"""dokhae recipes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dokhae.recipes import Reproduced, Row, Scores

NAMES_FIT, ENCODERS_FIT = 120, 170  # columns of a terminal


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return recipes


def recipes(what: Positional[str] = "all", runs: Path = Path("runs")) -> None:
    """The rows of published tables, each one training, with their published scores and those of your own runs.

    `dokhae train --recipe NAME` runs one. A full name prints its settings as a file for --config. Where stdout is no
    terminal, lists are lines with tabs.

    Example: dokhae recipes korquad-1.0 --runs runs

    Args:
        what: a table, a benchmark, a file of rows (mine.yaml), a full name, or encoders: the families dokhae knows
        runs: folder below which finished runs are looked for; of several of one row the newest counts
    """
    from dokhae import recipes as room

    if what == "encoders":
        _show_families()
        return
    rows = room.chosen(what)
    if [row.name for row in rows] == [room.full_name(what)]:
        sys.stdout.write(room.settings_file(rows[0]))
        return
    found = room.reproduced(runs, rows)
    if sys.stdout.isatty():
        _show(rows, found)
    else:
        from dokhae.recipes.listing import COLUMNS, cells

        _write_lines(COLUMNS, [cells(row, found.get(row.name)) for row in rows])


def _show(rows: list[Row], found: dict[str, Reproduced]) -> None:
    from itertools import groupby

    from dokhae.benchmarks import find

    console = _console()
    for _, group in groupby(rows, lambda row: (row.url, row.benchmark)):
        part = list(group)
        label = find(part[0].benchmark).rule.f1_label
        console.print(f"{part[0].title}: EM and {label} on {part[0].benchmark}", style="bold", markup=False)
        console.print(part[0].url, style="dim", markup=False)
        if part[0].needs:
            console.print(f"not yet: dokhae lacks the {part[0].needs}", style="yellow", markup=False)
        console.print(_table(part, found, with_encoder=console.width >= ENCODERS_FIT))
    if any(result.changes for result in found.values()):
        console.print("* of a run with other settings or data than the row's", style="dim")


def _table(rows: list[Row], found: dict[str, Reproduced], with_encoder: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("recipe", *["encoder"] * with_encoder):
        table.add_column(name, no_wrap=True)
    for name in ("published", "reproduced"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        result = found.get(row.name)
        mark = "" if result is None else "*" if result.changes else " "
        scores = (_both(row.published.dev), f"{_both(result.scores)}{mark}" if result else "")
        table.add_row(*map(Text, (row.name, *[row.model or "-"] * with_encoder, *scores, _remarks(result))))
    return table


def _both(scores: Scores) -> str:
    from dokhae.recipes.listing import printed

    return f"{printed(scores.em)} {printed(scores.f1)}".strip() or "-"


def _remarks(result: Reproduced | None) -> str:
    changed = [f"changed: {', '.join(result.changes)}"] if result and result.changes else []
    return "; ".join([*changed, *([f"newest of {result.runs} runs"] if result and result.runs > 1 else [])])


def _show_families() -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from dokhae.recipes import FAMILY, families

    found = families()
    sys.stderr.write(
        "packing (windows end to end in one row) and onnx: whether the model allows it, measured; dokhae packs where "
        "it does, and writes no ONNX yet\n"
    )
    if not sys.stdout.isatty():
        _write_lines(FAMILY, [tuple(family.values()) for family in found])
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in FAMILY[:-1]:
        table.add_column(name.replace("_", " "), no_wrap=name == "examples", overflow="fold")
    for family in found:
        cells = family | {"examples": family["examples"].replace(", ", "\n")}
        table.add_row(*(Text(cells[name]) for name in FAMILY[:-1]))
    console = _console()
    console.print(table)
    for family in found:
        if family["note"]:
            console.print(f"{family['family']}: {family['note']}", markup=False)


def _console() -> Console:
    """Stdout, with lines so long that names stay whole."""
    from rich.console import Console

    screen = Console().size
    return Console(highlight=False, width=max(screen.width, NAMES_FIT), height=screen.height)


def _write_lines(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    sys.stdout.write("".join("\t".join(line) + "\n" for line in (head, *lines)))
