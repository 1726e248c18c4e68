"""The rows of table files before anyone asks what they mean: cells of CSV and TSV, records of Parquet."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dokhae.data.lines import text_lines
from dokhae.errors import DataError, optional
from dokhae.files import open_bytes

LARGEST_CELL = 2**31 - 1  # characters; the largest C long of every platform


@contextlib.contextmanager
def large_cells() -> Iterator[None]:
    """Quoted cells of any length for the block: Python refuses more than 131,072 characters, in the whole process."""
    limit = csv.field_size_limit(LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def quoted_rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with their numbers, the first being 1 as spreadsheets count; cells quoted as in CSV, blank rows left out."""
    reader = csv.reader(_lines_without_nul(path), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if cells:
                yield number, cells
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num}: cannot be read as a table: {error}; check the quotes and line ends"
        ) from None


def literal_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines cut at their tabs, with their numbers from 1; a quote is a character, blank lines are left out."""
    for number, line in enumerate(_lines_without_nul(path), 1):
        cells = line.removesuffix("\n").removesuffix("\r")
        if cells:
            yield number, cells.split("\t")


def parquet_rows(path: Path, choose: Callable[[list[str]], Sequence[str]]) -> Iterator[dict[str, Any]]:
    """The records of a Parquet file; `choose` says of its columns which ones are read, or refuses them."""
    with optional("reading Parquet", "data"):
        import pyarrow
        from pyarrow import parquet
    with open_bytes(path) as file:
        try:
            table = parquet.ParquetFile(file)
            for batch in table.iter_batches(columns=list(choose(table.schema_arrow.names))):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            first_line = str(error).partition("\n")[0]
            raise DataError(f"{path}: is not Parquet, or is damaged: {first_line}; write or fetch it again") from None


def _lines_without_nul(path: Path) -> Iterator[str]:
    for number, line in enumerate(text_lines(path), 1):
        if "\0" in line:
            raise DataError(f"{path}: line {number} holds NUL bytes; the file is damaged, or not a text table")
        yield line
