"""A data file written again with other questions in the places of its own, all else as it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dokhae.data.fields import Record
from dokhae.data.reading import json_records
from dokhae.data.tables import ANSWER_COLUMNS
from dokhae.data.writing import write_json_form, write_rows
from dokhae.errors import optional
from dokhae.files import atomic_path, read_json


def write_questions(source: Path, target: Path, questions: Sequence[Record | None]) -> None:
    """Write the source with its questions replaced, in file order; None leaves one out. Both have the same suffix."""
    suffix = source.suffix.lower()
    if suffix == ".json":
        content = read_json(source)
        records, shape = json_records(content, source)
        replaced = shape.with_questions(records, iter(questions))
        write_json_form(target, {**content, "data": replaced} if isinstance(content, dict) else replaced)
    elif suffix == ".parquet":
        _write_parquet(source, target, questions)
    else:
        write_rows(target, [question for question in questions if question is not None])


def _write_parquet(source: Path, target: Path, questions: Sequence[Record | None]) -> None:
    with optional("writing Parquet", "data"):
        import pyarrow
        from pyarrow import parquet
    kept = {number: question for number, question in enumerate(questions) if question is not None}
    table = parquet.read_table(source).take(list(kept))
    for name in table.column_names:
        if name in ANSWER_COLUMNS:
            kind = table.schema.field(name)
            values = pyarrow.array([question[name] for question in kept.values()], type=kind.type)
            table = table.set_column(table.column_names.index(name), kind, values)
    with atomic_path(target) as temporary:
        parquet.write_table(table, temporary)
