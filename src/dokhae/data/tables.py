"""Tables with one question a row: JSON and JSON lines, CSV and TSV, Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dokhae.data.entries import Given, given_row
from dokhae.data.fields import ID_NAMES, shortened
from dokhae.data.lines import text_lines
from dokhae.data.rows import large_cells, parquet_rows, quoted_rows
from dokhae.errors import DataError
from dokhae.files import parse_json

REQUIRED = ("id", "question", "context")
ANSWER_COLUMNS = ("answers", "answer", "answer_text", "answer_start")
COLUMNS = (*REQUIRED, *ID_NAMES[1:], "title", *ANSWER_COLUMNS, "is_impossible")
WHOLE_NUMBER = re.compile(r"(-?[0-9]{1,18})(\.0+)?")  # pandas writes 12.0 where the column has empty cells
FLAGS = {"true": True, "1": True, "false": False, "0": False, "": None}


def row_questions(rows: Iterable[Any], source: Path | str) -> Iterator[Given]:
    """The questions of a list of rows, numbered from 1."""
    for number, row in enumerate(rows, 1):
        yield given_row(row, f"{source}: row {number}")


def jsonl_questions(path: Path) -> Iterator[Given]:
    """The questions of a JSON lines file; blank lines are passed over."""
    for number, line in enumerate(text_lines(path), 1):
        if line.strip():
            place = f"{path}: line {number}"
            yield given_row(parse_json(line, place, is_line=True), place)


def csv_questions(path: Path) -> list[Given]:
    """The questions of a CSV file with a header."""
    with large_cells():
        return list(_separated_questions(path, ","))


def tsv_questions(path: Path) -> list[Given]:
    """The questions of a tab-separated file with a header, cells quoted as in CSV."""
    with large_cells():
        return list(_separated_questions(path, "\t"))


def parquet_questions(path: Path) -> Iterator[Given]:
    """The questions of a Parquet file; columns that are not ours are not read."""

    def choose(names: list[str]) -> list[str]:
        refuse_header(names, path)
        return [name for name in COLUMNS if name in names]

    for number, row in enumerate(parquet_rows(path, choose), 1):
        yield given_row(row, f"{path}: row {number}")


def _separated_questions(path: Path, delimiter: str) -> Iterator[Given]:
    rows = quoted_rows(path, delimiter)
    header = next(rows)[1]
    refuse_header(header, path)
    for number, cells in rows:
        place = f"{path}: row {number}"
        if len(cells) != len(header):
            raise DataError(f"{place}: has {len(cells)} cells but the header has {len(header)}; quote cells as needed")
        yield given_row(_typed(dict(zip(header, cells, strict=True)), place), place)


def refuse_header(header: Iterable[str], source: Path | str) -> None:
    """DataError where a column that every table needs is missing, or one that is read is there twice."""
    names = list(header)
    found = ", ".join(shortened(name, 30) for name in names[:12])
    given = [ID_NAMES[0] if name in ID_NAMES else name for name in names]
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise DataError(f"{source}: has no column {', '.join(missing)}; give each column its name (found {found})")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise DataError(f"{source}: the column {', '.join(twice)} is given twice (found {found})")


def _typed(cells: dict[str, str], place: str) -> dict[str, Any]:
    """Cells are all text: make of them what JSON would hold; what cannot be made stays text and is refused later."""
    row: dict[str, Any] = dict(cells)
    if "answers" in cells:
        row["answers"] = (
            parse_json(cells["answers"], f"{place}: column answers", is_line=True) if cells["answers"].strip() else None
        )
    if "answer_start" in cells:
        row["answer_start"] = _offset(cells["answer_start"].strip())
    if "is_impossible" in cells:
        row["is_impossible"] = FLAGS.get(cells["is_impossible"].strip().lower(), cells["is_impossible"])
    return row


def _offset(cell: str) -> int | str | None:
    match = WHOLE_NUMBER.fullmatch(cell)
    return int(match[1]) if match else cell or None
