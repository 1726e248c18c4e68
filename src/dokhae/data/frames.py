"""Rows that are in memory already -> examples: a pandas DataFrame, a split of `datasets`, any rows with named fields.

No library is imported for it; the objects are asked what they can do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from dokhae.data.entries import Given, given_row, read_given, to_examples
from dokhae.data.fields import described
from dokhae.data.tables import COLUMNS, REQUIRED, refuse_header
from dokhae.errors import DataError
from dokhae.files import parse_json
from dokhae.types import Example


def examples_from(rows: Any, labelled: bool = True) -> list[Example]:  # noqa: ANN401 - whoever made them
    """The examples of a DataFrame, a `datasets` split, an Arrow table or an iterable of mappings, in their order.

    >>> examples_from(pandas.read_parquet("train.parquet"))
    >>> examples_from(datasets.load_dataset("squad_kor_v1", split="validation"))
    >>> examples_from([{"id": "1", "question": "Who?", "context": "Ann sings.", "answers": []}], labelled=False)

    The fields are those of the hub's SQuAD data sets, and the others that files may have: id (or guid), question,
    context, title if there is one, and answers, {"text": [...], "answer_start": [...]} or [{"text", "answer_start"},
    ...], or flat columns answer and answer_start. NaN counts as missing, an answer_start of 4.0 as 4. `labelled` False
    also takes rows without answers.

    Reader.predict takes what this returns; write_examples makes a file of it, which is what TrainConfig asks for.
    DataError as for a file, rows counted from 1.
    """
    source = type(rows).__name__
    return to_examples(map(read_given, _given(rows, source)), source, labelled)


def _given(rows: Any, source: str) -> Iterator[Given]:  # noqa: ANN401
    for number, row in enumerate(_records(rows, source), 1):
        place = f"{source}: row {number}"
        if not isinstance(row, Mapping):
            raise DataError(f"{place}: must be a mapping with named fields, found an object ({type(row).__name__})")
        yield given_row(_typed(row, place), place)


def _records(rows: Any, source: str) -> Any:  # noqa: ANN401
    """Something that gives one mapping a row."""
    if isinstance(rows, Mapping):
        return _rows_of_columns(rows, source)
    names = getattr(rows, "column_names", getattr(rows, "columns", None))
    if names is not None:
        refuse_header(map(str, names), source)
        if hasattr(rows, "notna"):  # pandas: empty cells of every kind become None
            return rows.astype(object).where(rows.notna(), None).to_dict("records")
        for plain in ("to_dicts", "to_pylist"):  # polars, Arrow
            if hasattr(rows, plain):
                return getattr(rows, plain)()
    if hasattr(rows, "with_format"):  # datasets: plain values, whatever format was set
        return rows.with_format(None)
    if isinstance(rows, (str, bytes, PathLike)) or not hasattr(rows, "__iter__"):
        raise DataError(
            f"{source}: is no table; give a DataFrame, a split or a list of rows (read_examples reads files)"
        )
    return rows


def _rows_of_columns(columns: Mapping[str, Any], source: str) -> Iterator[Mapping[str, Any]]:
    """The rows of {"id": [...], ...}, as a slice of a split has them."""
    if not columns.keys() & set(REQUIRED):
        found = ", ".join(map(str, list(columns)[:8]))
        raise DataError(f"{source}: has no column id, question or context; of several splits, give one ({found})")
    refuse_header(map(str, columns), source)
    lists = {name: _plain(column) for name, column in columns.items()}
    other = next((name for name, column in lists.items() if not isinstance(column, list)), None)
    if other is not None:
        raise DataError(
            f"{source}: column {other!r} is {described(lists[other])}, not a list; put a single row in a list"
        )
    lengths = {name: len(column) for name, column in lists.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{source}: the columns have different lengths: {lengths}")
    return (dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True))


def _typed(row: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The row as JSON would hold it: plain numbers and lists, None for NaN, whole offsets."""
    typed = {**row, **{name: _plain(row[name], name) for name in COLUMNS if name in row}}
    if isinstance(typed.get("answers"), str):  # from a CSV file
        typed["answers"] = parse_json(typed["answers"], f"{place}: column answers", is_line=True)
    return typed


def _plain(value: Any, name: str = "") -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):  # numpy and its kind, scalars and arrays
        value = value.tolist()
    if isinstance(value, Mapping):
        return {inner: _plain(each, inner) for inner, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each, name) for each in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if name == "answer_start" and value.is_integer():  # a column with empty cells holds floats
            return int(value)
    return value
