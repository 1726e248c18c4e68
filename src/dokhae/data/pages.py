"""Questions on whole pages: KorQuAD 2.x as a file or a folder of files, or any other form whose contexts are HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokhae.data.entries import Entry, Given, read_given, to_examples
from dokhae.data.fields import described
from dokhae.data.packed import PackedExample, packed
from dokhae.data.reading import TABLES, json_records
from dokhae.errors import DataError
from dokhae.files import json_files, read_json
from dokhae.types import Example

NUMBERED = re.compile(r"(.*?)(\d{2})")  # korquad2.1_train_07
VERSION = re.compile(r"\d+\.\d+")  # KorQuAD_v2.1_train


def read_korquad2(path: Path, labelled: bool = True) -> list[Example]:
    """Examples of a KorQuAD 2.x file, or of all *.json files of a folder by name; contexts keep their HTML.

    Other forms (tables of rows, SQuAD's) are read too, as `dokhae data convert` writes them. One file at a time is in
    memory, then its contexts alone, each compressed and once. Raises DataError for a folder that lacks a file between
    numbered ones, or holds files of two versions.
    """
    path = Path(path)
    if path.suffix.lower() == ".zip":
        raise DataError(f"{path}: is an archive; unpack it and name the folder of its .json files "
                        "(`dokhae data download korquad-2.1 --source FOLDER` does it)")  # fmt: skip
    if path.suffix.lower() in TABLES and not path.is_dir():
        return to_examples(_packed((path, given) for given in TABLES[path.suffix.lower()](path)), path, labelled)
    files = json_files(path)
    _refuse_gaps(files)
    questions = ((file, given) for file, content in _of_one_version(files) for given in _file_questions(file, content))
    return to_examples(_packed(questions), path, labelled)


def _packed(questions: Iterable[tuple[Path, Given]]) -> Iterator[Entry]:
    """The entries with their contexts compressed, each once however many questions it has."""
    text, content = "", b""
    for file, given in questions:
        entry = read_given(given)
        example = entry.example
        if example.context is not text or not content:
            text, content = example.context, packed(example.context)
        one = PackedExample(example.id, example.question, content, example.answers, example.title, str(file))
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
    if not isinstance(content, list) and not (isinstance(content, dict) and isinstance(content.get("data"), list)):
        raise DataError(
            f'{path}: is not KorQuAD 2.x, {{"data": [{{"context", "qas": [...]}}, ...]}}; found {described(content)}'
        )
    records, shape = json_records(content, path)
    yield from shape.questions(records, path)
