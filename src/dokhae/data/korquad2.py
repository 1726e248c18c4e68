"""KorQuAD 2.x: documents in HTML, one answer a question, given as a file or as a folder of files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.data.answers import answer_of
from dokhae.data.entries import Entry, Given, read_given, to_examples
from dokhae.data.fields import Record, as_record, described, list_field
from dokhae.data.packed import PackedExample, packed
from dokhae.errors import DataError
from dokhae.files import json_files, read_json
from dokhae.types import Answer, Example

NUMBERED = re.compile(r"(.*?)(\d{2})")  # korquad2.1_train_07
VERSION = re.compile(r"\d+\.\d+")  # KorQuAD_v2.1_train


def read_korquad2(path: Path, labelled: bool = True) -> list[Example]:
    """Examples of a KorQuAD 2.x file, or of all *.json files of a folder by name; contexts keep their HTML.

    One file at a time is in memory, then its contexts alone, each compressed and once. Raises DataError for a folder
    that lacks a file of a numbered row, or holds files of two versions.
    """
    path = Path(path)
    files = json_files(path)
    _refuse_gaps(files)
    questions = (given for file, content in _of_one_version(files) for given in _file_questions(file, content))
    return to_examples(_packed(map(read_given, questions)), path, labelled)


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


def _packed(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries with their contexts compressed, each once however many questions it has."""
    text, content = "", b""
    for entry in entries:
        example = entry.example
        if example.context is not text or not content:
            text, content = example.context, packed(example.context)
        one = PackedExample(example.id, example.question, content, example.answers, example.title)
        yield replace(entry, example=one)


def _refuse_gaps(files: Sequence[Path]) -> None:
    """DataError where files are numbered and one is missing between them: scores would be those of other data."""
    rows: dict[str, list[int]] = {}
    for file in files:
        numbered = NUMBERED.fullmatch(file.stem)
        if numbered:
            rows.setdefault(numbered[1], []).append(int(numbered[2]))
    for name, numbers in rows.items():
        missing = sorted(set(range(min(numbers), max(numbers))) - set(numbers))
        if missing:
            raise DataError(
                f"{files[0].parent}: the files of {name}* are numbered {min(numbers):02} to {max(numbers):02}, and "
                f"{', '.join(f'{number:02}' for number in missing[:5])} is missing; `dokhae data download korquad-2.1` "
                "brings what is missing, or name single files"
            )


def _of_one_version(files: Iterable[Path]) -> Iterator[tuple[Path, Any]]:
    """The files with what they hold; DataError where they say that they are of two versions of KorQuAD."""
    first: tuple[str, Path] | None = None
    for file in files:
        content = read_json(file)
        version = VERSION.search(str(content.get("version"))) if isinstance(content, dict) else None
        if version is not None:
            first = first or (version[0], file)
            if first[0] != version[0]:
                raise DataError(f"{file}: is of KorQuAD {version[0]}, and {first[1].name} beside it of {first[0]}; "
                                "put the versions into folders of their own")  # fmt: skip
        yield file, content


def _file_questions(path: Path, content: Any) -> Iterator[Given]:  # noqa: ANN401 - a file's content
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
