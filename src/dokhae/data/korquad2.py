"""KorQuAD 2.x: documents in HTML, one answer a question, given as a file or as a folder of files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dokhae.data.answers import answer_of
from dokhae.data.entries import Given, read_given, to_examples
from dokhae.data.fields import Record, as_record, described, list_field
from dokhae.errors import DataError
from dokhae.files import read_json
from dokhae.types import Answer, Example


def read_korquad2(path: Path, labelled: bool = True) -> list[Example]:
    """Examples of a KorQuAD 2.x file, or of all *.json files of a folder by name; contexts keep their HTML."""
    path = Path(path)
    questions = (given for file in _files(path) for given in _file_questions(file))
    return to_examples(map(read_given, questions), path, labelled)


def korquad2_questions(documents: list[Any], path: Path) -> Iterator[Given]:
    """The questions under a KorQuAD 2.x file's "data", in file order."""
    for number, value in enumerate(documents):
        place = f"{path}: data[{number}]"
        document = as_record(value, place)
        page = {name: document.get(name) for name in ("context", "title")}  # without raw_html, most of the bytes
        for position, question in enumerate(list_field(document, "qas", place)):
            yield Given(f"{place}.qas[{position}]", f"{path}: question ", question, page, _one_answer, _with_one_answer)


def with_korquad2_questions(documents: list[Any], questions: Iterator[Any]) -> list[Any]:
    """The same documents with other questions in the same places; None leaves one out."""
    found = ([next(questions) for _ in document["qas"]] for document in documents)
    return [
        document | {"qas": [question for question in kept if question is not None]}
        for document, kept in zip(documents, found, strict=True)
    ]


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


def _file_questions(path: Path) -> Iterator[Given]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise DataError(
            f'{path}: is not KorQuAD 2.x, {{"data": [{{"context", "qas": [...]}}, ...]}}; found {described(content)}'
        )
    yield from korquad2_questions(content["data"], path)


def _one_answer(question: Record, where: str) -> tuple[Answer, ...] | None:
    answer = question.get("answer")
    return None if answer is None else (answer_of(answer, f"{where}: answer"),)


def _with_one_answer(question: Record, answers: Sequence[Answer | None]) -> Record:
    (answer,) = (answer for answer in answers if answer is not None)
    return {**question, "answer": {**question["answer"], "text": answer.text, "answer_start": answer.start}}
