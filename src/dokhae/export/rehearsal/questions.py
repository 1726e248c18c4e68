"""The questions of a data file as a leaderboard gives them, without anything that could be looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from dokhae.data.fields import Record, id_field
from dokhae.data.reading import json_records
from dokhae.data.tables import ANSWER_COLUMNS
from dokhae.data.writing import write_json_form
from dokhae.errors import DataError
from dokhae.files import json_files, read_json, refuse_folder

ANSWERS = (*ANSWER_COLUMNS, "is_impossible", "plausible_answers")
SOME = "questions.json"


def write_all(data: Path, folder: Path, as_folder: bool) -> str:
    """Write the file (`as_folder`: every file) without answers into a folder; what the command is given in it."""
    if not as_folder:
        content = _content(data)
        write_json_form(folder / data.name, content | {"data": list(_records(content, data, None))})
        return data.name
    name = data.name if data.is_dir() else data.stem
    for file in json_files(data):
        content = _content(file)
        write_json_form(folder / name / file.name, content | {"data": list(_records(content, file, None))})
    return name


def write_some(data: Path, folder: Path, as_folder: bool, ids: Collection[str]) -> str:
    """Write a few questions, of whichever file, with their contexts alone; what the command is given in the folder."""
    files = json_files(data) if as_folder else [data]
    records = [record for file in files for record in _records(_content(file), file, ids)]
    name = "questions" if as_folder else SOME
    write_json_form(folder / name / SOME if as_folder else folder / SOME, {"data": records})
    return name


def refuse_other_files(data: Path, as_folder: bool) -> None:
    """DataError where a leaderboard would never give such a file."""
    if not as_folder:
        refuse_folder(data)
    if not data.is_dir() and data.suffix.lower() != ".json":
        raise DataError(f"{data}: leaderboards give .json files; `dokhae data convert` makes one of it")


def _content(path: Path) -> dict[str, Any]:
    content = read_json(path)
    return content if isinstance(content, dict) else {"data": content}


def _records(content: Any, path: Path, ids: Collection[str] | None) -> Iterator[Any]:  # noqa: ANN401 - a file's content
    """The records of a file without answers; with ids, those that hold one of these questions."""
    records, shape = json_records(content, path)
    kept = (
        _without_answers(given.question) if ids is None or id_field(given.question, given.place) in ids else None
        for given in shape.questions(records, path)
    )
    found = shape.with_questions(records, kept)
    return iter(found) if ids is None else _with_questions(found)


def _without_answers(question: Record) -> Record:
    return {name: value for name, value in question.items() if name not in ANSWERS}


def _with_questions(records: list[Record]) -> Iterator[Record]:
    """Articles, documents and rows without those that have no question left."""
    for record in records:
        if "paragraphs" in record:
            paragraphs = [paragraph for paragraph in record["paragraphs"] if paragraph["qas"]]
            if paragraphs:
                yield {**record, "paragraphs": paragraphs}
        elif record.get("qas") != []:
            yield record
