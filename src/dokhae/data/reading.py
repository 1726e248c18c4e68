"""Picks the reader of a file by its suffix, and for JSON by its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from dokhae.data.entries import Entry, to_examples
from dokhae.data.fields import described
from dokhae.data.squad import squad_entries
from dokhae.data.tables import csv_entries, jsonl_entries, parquet_entries, row_entries, tsv_entries
from dokhae.errors import DataError
from dokhae.files import read_json, refuse_folder
from dokhae.types import Example


def read_examples(path: Path, labelled: bool = True) -> list[Example]:
    """The examples of a file in SQuAD form or with one question a row, in file order.

    `labelled` False also takes questions without an answers field. Offsets are not checked: see check_answers.
    """
    path = Path(path)
    refuse_folder(path)
    entries = ENTRIES.get(path.suffix.lower())
    if entries is None:
        raise DataError(f"{path}: the suffix {path.suffix!r} is not known; the known ones are {', '.join(ENTRIES)}")
    return to_examples(entries(path), path, labelled)


def _json_entries(path: Path) -> Iterable[Entry]:
    content = read_json(path)
    records = content.get("data") if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise _other_shape(path, content)
    first = records[0] if records else {}
    if not isinstance(first, dict):
        raise _other_shape(path, records[:1])
    if "paragraphs" in first:
        return squad_entries(records, path)
    if "qas" in first:
        raise DataError(f"{path}: is KorQuAD 2.x (documents in HTML); read it as the benchmark korquad-2.1")
    if records and not {"id", "question", "context"} & first.keys():
        raise _other_shape(path, first)
    return row_entries(records, path)


def _other_shape(path: Path, found: object) -> DataError:
    what = f"a list with {described(found[0])}" if isinstance(found, list) and found else described(found)
    return DataError(
        f'{path}: is neither SQuAD, {{"data": [{{"paragraphs": [...]}}, ...]}}, '
        f'nor rows, [{{"id", "question", "context", "answers"}}, ...]; found {what}'
    )


ENTRIES: dict[str, Callable[[Path], Iterable[Entry]]] = {
    ".json": _json_entries,
    ".jsonl": jsonl_entries,
    ".csv": csv_entries,
    ".tsv": tsv_entries,
    ".parquet": parquet_entries,
}
