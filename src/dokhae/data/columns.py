"""Tables of which some columns are read, told by name or, in files without a header, by position."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.data.fields import Record, as_record, described, shortened
from dokhae.data.lines import text_lines
from dokhae.data.rows import large_cells, literal_rows, parquet_rows, quoted_rows
from dokhae.errors import DataError
from dokhae.files import parse_json, read_json, refuse_folder
from dokhae.records import nearest

log = logging.getLogger("dokhae")

Column = str | int  # a name, or a position from 0 where the file has no header
SUFFIXES = (".tsv", ".csv", ".jsonl", ".json", ".parquet")
QUOTED = re.compile(r'".*"', re.DOTALL)  # a cell as CSV may write it, with a quote in it doubled
MANY, MOST = 0.01, 0.5  # of the rows, with a doubled quote and without; plain texts hold such cells now and then


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what."""

    first: Column
    second: Column | None = None  # None = single texts
    label: Column | None = None
    id: Column | None = None  # None = rows are numbered from 0, like the `index` of GLUE's test files

    def asked(self, labelled: bool) -> dict[str, Column]:
        """The columns that are read, by what they hold."""
        columns = {"first": self.first, "second": self.second, "label": self.label if labelled else None, "id": self.id}
        return {role: column for role, column in columns.items() if column is not None}


@dataclass(frozen=True, slots=True)
class Row:
    """What the columns that are read hold in one row."""

    place: str  # its file and row: begins the error messages
    values: Mapping[str, Any]  # by what they are: first, second, label, id
    fault: str = ""  # why there are none


def rows_of(path: Path, asked: Mapping[str, Column]) -> Iterable[Row]:
    """The rows of a file, by its suffix; ragged ones have a fault. DataError where a column is missing."""
    suffix = _suffix(path)
    if suffix == ".tsv":
        return _of_cells(path, _watched(path, literal_rows(path)), "line", asked)
    if suffix == ".csv":
        with large_cells():
            return list(_of_cells(path, quoted_rows(path, ","), "row", asked))
    return _of_records(path, asked)


def column_names(path: Path) -> list[str]:
    """What stands in the first row of a file, or the names of its first record's fields."""
    suffix = _suffix(path)
    if suffix == ".tsv":
        return next(literal_rows(path))[1]
    if suffix == ".csv":
        with large_cells():
            return next(quoted_rows(path, ","))[1]
    return list(next(_records(path, suffix, list), ("", {}))[1])


def _suffix(path: Path) -> str:
    refuse_folder(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: the suffix {path.suffix!r} is not known; the known ones are {', '.join(SUFFIXES)}")
    return suffix


def _of_cells(
    path: Path, numbered: Iterator[tuple[int, list[str]]], unit: str, asked: Mapping[str, Column]
) -> Iterator[Row]:
    first = next(numbered)
    width = len(first[1])
    has_header = any(isinstance(column, str) for column in asked.values())
    places = {role: _place(path, first[1], role, column) for role, column in asked.items()}
    for number, cells in numbered if has_header else itertools.chain([first], numbered):
        place = f"{path}: {unit} {number}"
        if len(cells) == width:
            yield Row(place, {role: cells[at] for role, at in places.items()})
        else:
            above = "header" if has_header else "first row"
            yield Row(place, {}, f"has {len(cells)} cells but the {above} has {width}")


def _place(path: Path, header: Sequence[str], role: str, column: Column) -> int:
    """The position of a column in every row."""
    if isinstance(column, str):
        _refuse_missing(path, header, [column])
        return header.index(column)
    if column >= len(header):
        raise DataError(f"{path}: has {len(header)} columns but {role!r} is the {column + 1}th; is it the right file?")
    return column


def _refuse_missing(where: Path | str, found: Sequence[str], names: Iterable[str]) -> None:
    """DataError where one of the columns is missing, or is there twice."""
    for name in names:
        if found.count(name) == 1:
            continue
        known = ", ".join(shortened(each, 30) for each in found[:16]) or "none"
        if name in found:
            raise DataError(f"{where}: the column {name!r} is given twice; found {known}")
        quoted = "; cells of .tsv are taken as they stand: save it as .csv" if f'"{name}"' in found else ""
        near = quoted or nearest(name, list(found)).partition("; known")[0]
        raise DataError(f"{where}: has no column {name!r}{near} (found {known})")


def _watched(path: Path, numbered: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The same rows; a warning at their end where many hold cells that look quoted."""
    rows = doubled = quoted = 0
    for row in numbered:
        rows += 1
        cells = [cell for cell in row[1] if QUOTED.fullmatch(cell)]
        quoted += bool(cells)
        doubled += any('""' in cell[1:-1] for cell in cells)
        yield row
    told = quoted if quoted > MOST * rows else doubled if doubled > MANY * rows else 0
    if told:
        log.warning(
            "%s: %d of %d lines hold cells that look quoted as in CSV; in .tsv a quote is a character, as in GLUE's "
            "files: where it is not meant so, save the table as .csv",
            path, told, rows,
        )  # fmt: skip


def _of_records(path: Path, asked: Mapping[str, Column]) -> Iterator[Row]:
    if any(isinstance(column, int) for column in asked.values()):
        raise DataError(f"{path}: its columns are told by position, which needs a .tsv or a .csv without a header")
    names = {role: str(column) for role, column in asked.items()}

    def choose(found: list[str]) -> list[str]:
        _refuse_missing(path, found, names.values())
        return list(names.values())

    for place, record in _records(path, _suffix(path), choose):
        _refuse_missing(place, list(record), names.values())
        yield Row(place, {role: record[name] for role, name in names.items()})


def _records(path: Path, suffix: str, choose: Callable[[list[str]], Sequence[str]]) -> Iterator[tuple[str, Record]]:
    """The records of a file that has named fields, and where they stand; `choose` as parquet_rows has it."""
    if suffix == ".jsonl":
        for number, line in enumerate(text_lines(path), 1):
            if line.strip():
                place = f"{path}: line {number}"
                yield place, as_record(parse_json(line, place, is_line=True), place)
        return
    rows = parquet_rows(path, choose) if suffix == ".parquet" else _json_rows(path)
    for number, row in enumerate(rows, 1):
        place = f"{path}: row {number}"
        yield place, as_record(row, place)


def _json_rows(path: Path) -> list[Any]:
    content = read_json(path)
    rows = content.get("data") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise DataError(f'{path}: must be a list of rows, or {{"data": [...]}}, found {described(content)}')
    return rows
