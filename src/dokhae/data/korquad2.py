"""KorQuAD 2.x: documents in HTML, one answer a question, given as a file or as a folder of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dokhae.data.answers import answer_of
from dokhae.data.entries import Entry, entry_of, to_examples
from dokhae.data.fields import as_record, described, id_field, list_field
from dokhae.errors import DataError
from dokhae.files import read_json
from dokhae.types import Example


def read_korquad2(path: Path, labelled: bool = True) -> list[Example]:
    """Examples of a KorQuAD 2.x file, or of all *.json files of a folder by name; contexts keep their HTML."""
    path = Path(path)
    entries = (entry for file in _files(path) for entry in _file_entries(file))
    return to_examples(entries, path, labelled)


def _files(path: Path) -> list[Path]:
    if not os.path.isdir(path):
        return [path]
    try:
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(".json"))
    except OSError as error:
        raise DataError(f"{path}: this folder cannot be listed: {error.strerror or error}") from None
    if not names:
        raise DataError(f"{path}: this folder has no .json files; name the folder that holds the KorQuAD 2.x files")
    return [path / name for name in names]


def _file_entries(path: Path) -> Iterator[Entry]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise DataError(
            f'{path}: is not KorQuAD 2.x, {{"data": [{{"context", "qas": [...]}}, ...]}}; found {described(content)}'
        )
    for number, document in enumerate(content["data"]):
        yield from _document_entries(document, path, f"{path}: data[{number}]")


def _document_entries(value: object, path: Path, place: str) -> Iterator[Entry]:
    document = as_record(value, place)
    page = {name: document.get(name) for name in ("context", "title")}  # without raw_html, most of the bytes
    for number, item in enumerate(list_field(document, "qas", place)):
        question = as_record(item, f"{place}.qas[{number}]")
        example_id = id_field(question, f"{place}.qas[{number}]")
        where = f"{path}: question {example_id}"
        answer = question.get("answer")
        answers = None if answer is None else (answer_of(answer, f"{where}: answer"),)
        yield entry_of(where, example_id, question, page, answers)
