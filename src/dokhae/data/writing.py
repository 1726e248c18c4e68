"""Examples -> files in every format that is read; reading a written file gives the same examples."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dokhae.data.entries import read_given, to_examples
from dokhae.data.fields import Record
from dokhae.data.reading import SUFFIXES
from dokhae.data.tables import row_questions
from dokhae.errors import DataError, SettingsError, optional
from dokhae.files import atomic_path
from dokhae.types import Example

Form = Literal["squad", "rows"]
COLUMNS = ("id", "title", "context", "question", "answers")


def write_examples(examples: Iterable[Example], path: Path, form: Form | None = None) -> None:
    """Write examples to a .json, .jsonl, .csv, .tsv or .parquet file, whole or not at all.

    This is how data that is not in a file comes to a training: TrainConfig takes paths.

    >>> write_examples(examples_from(frame), "train.json")
    >>> dokhae.train(TrainConfig(train="train.json", ...))

    form: of .json, "squad" (articles of paragraphs, the default) or "rows" (one question a row, as all others have it).
    In SQuAD form, neighbours with the same title and context share them; the order stays. DataError where no reader
    would take the file: two questions of one id, half of a surrogate pair, NUL in CSV, nothing at all.
    """
    path = Path(path)
    check_form(path, form)
    rows = [row_of(example) for example in examples]
    read_back = to_examples(map(read_given, row_questions(rows, path)), path, labelled=True)
    if path.suffix.lower() == ".json" and form != "rows":
        write_json_form(path, squad_of(read_back))
    else:
        write_rows(path, rows)


def check_form(path: Path, form: str | None) -> None:
    """DataError for a suffix that is not known, SettingsError for a form that the suffix does not have."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: the suffix {path.suffix!r} is not known; the known ones are {', '.join(SUFFIXES)}")
    if form == "squad" and path.suffix.lower() != ".json":
        raise SettingsError(f"{path}: only .json files have the form squad; leave --form out, or write to a .json file")


def check_target(target: Path, source: Path, overwrite: bool = False, advice: str = "remove it first") -> None:
    """SettingsError where the target is the source itself (also by way of a link), or is there already."""
    if os.path.realpath(target) == os.path.realpath(source):
        raise SettingsError(f"{target}: is the file that is read; name another one to write")
    if target.is_dir():
        raise SettingsError(f"{target}: is a directory; name a file to write")
    if not overwrite and os.path.lexists(target):
        raise SettingsError(f"{target}: is there already; name another file, or {advice}")


def squad_of(examples: Sequence[Example]) -> dict[str, Any]:
    """The content of a SQuAD file: form 2.0 with is_impossible where a question has no answer, else 1.1."""
    with_null = any(not example.answers for example in examples)
    articles = [
        {"title": title, "paragraphs": _paragraphs(article, with_null)}
        for title, article in itertools.groupby(examples, key=lambda example: example.title)
    ]
    return {"version": "v2.0" if with_null else "1.1", "data": articles}


def row_of(example: Example) -> Record:
    """One question as a row, in the columns that the hub's SQuAD data sets have."""
    answers = {
        "text": [answer.text for answer in example.answers],
        "answer_start": [answer.start for answer in example.answers],
    }
    return {
        "id": example.id,
        "title": example.title,
        "context": example.context,
        "question": example.question,
        "answers": answers,
    }


def write_json_form(path: Path, content: Any) -> None:  # noqa: ANN401 - JSON
    """Write JSON on one line, as the official files have it."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(json_bytes(content))


def json_bytes(content: Any) -> bytes:  # noqa: ANN401 - JSON
    """JSON in UTF-8 with a line end; half of a surrogate pair becomes JSON's escape of it."""
    return (json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def write_rows(path: Path, rows: Sequence[Record]) -> None:
    """Write rows in the format that the suffix names; in CSV and TSV, what is not text becomes JSON."""
    with atomic_path(path) as temporary:
        WRITERS[path.suffix.lower()](temporary, rows, path)


def _paragraphs(examples: Iterable[Example], with_null: bool) -> list[Record]:
    return [
        {"context": context, "qas": [_question(example, with_null) for example in paragraph]}
        for context, paragraph in itertools.groupby(examples, key=lambda example: example.context)
    ]


def _question(example: Example, with_null: bool) -> Record:
    answers = [{"text": answer.text, "answer_start": answer.start} for answer in example.answers]
    question: Record = {"id": example.id, "question": example.question, "answers": answers}
    return {**question, "is_impossible": not answers} if with_null else question


def _write_json(temporary: Path, rows: Sequence[Record], path: Path) -> None:
    temporary.write_bytes(json_bytes(rows))


def _write_jsonl(temporary: Path, rows: Sequence[Record], path: Path) -> None:
    temporary.write_bytes(b"".join(map(json_bytes, rows)))


def _write_csv(temporary: Path, rows: Sequence[Record], path: Path) -> None:
    temporary.write_bytes(_separated(rows, ",", path).encode())


def _write_tsv(temporary: Path, rows: Sequence[Record], path: Path) -> None:
    temporary.write_bytes(_separated(rows, "\t", path).encode())


def _separated(rows: Sequence[Record], delimiter: str, path: Path) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = io.StringIO()
    # Everything in quotes: older Pythons leave a lone carriage return bare.
    writer = csv.writer(table, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        cells = [_cell(row.get(name)) for name in names]
        if any("\0" in cell for cell in cells):
            raise DataError(
                f"{path}: question {row['id']}: has a NUL character, which a {path.suffix} file cannot hold; "
                "write .json, .jsonl or .parquet"
            )
        writer.writerow(cells)
    return table.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_parquet(temporary: Path, rows: Sequence[Record], path: Path) -> None:
    with optional("writing Parquet", "data"):
        import pyarrow
        from pyarrow import parquet
    answers = pyarrow.struct(
        [("text", pyarrow.list_(pyarrow.string())), ("answer_start", pyarrow.list_(pyarrow.int64()))]
    )
    kinds: Mapping[str, Any] = {name: answers if name == "answers" else pyarrow.string() for name in COLUMNS}
    try:
        table = pyarrow.Table.from_pylist(list(rows), schema=pyarrow.schema(kinds))
    except (OverflowError, pyarrow.ArrowException):
        raise DataError(f"{path}: an offset is larger than Parquet's largest number; see `dokhae data audit`") from None
    parquet.write_table(table, temporary)


WRITERS: dict[str, Callable[[Path, Sequence[Record], Path], None]] = {
    ".json": _write_json,
    ".jsonl": _write_jsonl,
    ".csv": _write_csv,
    ".tsv": _write_tsv,
    ".parquet": _write_parquet,
}
