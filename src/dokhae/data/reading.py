"""Picks the reader of a file by its suffix, and for JSON by its shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.data.entries import Given, read_given, to_examples
from dokhae.data.fields import described
from dokhae.data.korquad2 import korquad2_questions, with_korquad2_questions
from dokhae.data.squad import squad_questions, with_squad_questions
from dokhae.data.tables import csv_questions, jsonl_questions, parquet_questions, row_questions, tsv_questions
from dokhae.errors import DataError
from dokhae.files import read_json, refuse_folder
from dokhae.types import Example


@dataclass(frozen=True, slots=True)
class Shape:
    """What the records of a JSON file are, and where their questions stand in them."""

    name: str
    questions: Callable[[list[Any], Path], Iterable[Given]]
    with_questions: Callable[[list[Any], Iterator[Any]], list[Any]]  # None among the questions leaves one out


SQUAD = Shape("SQuAD", squad_questions, with_squad_questions)
KORQUAD2 = Shape("KorQuAD 2.x", korquad2_questions, with_korquad2_questions)
ROWS = Shape("rows", row_questions, lambda _, questions: [row for row in questions if row is not None])


def read_examples(path: Path, labelled: bool = True) -> list[Example]:
    """The examples of a file in SQuAD form or with one question a row, in file order.

    `labelled` False also takes questions without an answers field. Offsets are not checked: see check_answers.
    """
    path = Path(path)
    return to_examples(map(read_given, given_questions(path)), path, labelled)


def given_questions(path: Path, html: bool = False) -> Iterable[Given]:
    """The questions of a file as they are given; `html` takes KorQuAD 2.x too. DataError where no table is found."""
    refuse_folder(path)
    suffix = path.suffix.lower()
    if suffix in (".json", ""):  # leaderboards may call it as they like
        return _json_questions(path, html)
    if suffix in TABLES:
        return TABLES[suffix](path)
    if not path.exists():
        raise DataError(f"{path}: no such file")
    raise DataError(f"{path}: the suffix {path.suffix!r} is not known; the known ones are {', '.join(SUFFIXES)}")


def json_records(content: Any, path: Path) -> tuple[list[Any], Shape]:  # noqa: ANN401 - a file's content
    """The records of a JSON file, its list or what stands under "data", and their shape."""
    records = content.get("data") if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise _other_shape(path, content)
    first = records[0] if records else {}
    if not isinstance(first, dict):
        raise _other_shape(path, records[:1])
    if "paragraphs" in first:
        return records, SQUAD
    if "qas" in first:
        return records, KORQUAD2
    if records and not {"id", "question", "context"} & first.keys():
        raise _other_shape(path, first)
    return records, ROWS


def _json_questions(path: Path, html: bool) -> Iterable[Given]:
    records, shape = json_records(read_json(path), path)
    if shape is KORQUAD2 and not html:
        raise DataError(f"{path}: is KorQuAD 2.x (documents in HTML); read it as the benchmark korquad-2.1")
    return shape.questions(records, path)


def _other_shape(path: Path, found: object) -> DataError:
    what = f"a list with {described(found[0])}" if isinstance(found, list) and found else described(found)
    return DataError(
        f'{path}: is neither SQuAD, {{"data": [{{"paragraphs": [...]}}, ...]}}, '
        f'nor rows, [{{"id", "question", "context", "answers"}}, ...]; found {what}'
    )


TABLES: dict[str, Callable[[Path], Iterable[Given]]] = {
    ".jsonl": jsonl_questions,
    ".csv": csv_questions,
    ".tsv": tsv_questions,
    ".parquet": parquet_questions,
}
SUFFIXES = (".json", *TABLES)
