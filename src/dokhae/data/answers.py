"""The forms in which files give a question's answers."""

from __future__ import annotations

from dokhae.data.fields import Record, as_record, described, flag_field, list_field, offset_field, text_field
from dokhae.errors import DataError
from dokhae.types import Answer

FLAT_NAMES = ("answer", "answer_text")


def gold_answers(record: Record, where: str) -> tuple[Answer, ...] | None:
    """The answers of a question, () = unanswerable; None where the record says nothing about them."""
    # SQuAD 2.0 lists `plausible_answers` for these, and some derived files repeat them as answers.
    if flag_field(record, "is_impossible", where):
        return ()
    value = record.get("answers")
    if value is None:
        return _flat_answer(record, where)
    if isinstance(value, dict):
        return _answers_in_columns(value, where)
    if isinstance(value, list):
        return tuple(answer_of(item, f"{where}: answers[{index}]") for index, item in enumerate(value))
    raise DataError(
        f"{where}: 'answers' must be [{{text, answer_start}}, ...] or {{text: [...], answer_start: [...]}}, "
        f"found {described(value)}"
    )


def answer_of(value: object, where: str, text_name: str = "text") -> Answer:
    """The answer in an object with its text and `answer_start`."""
    record = as_record(value, where)
    return Answer(text_field(record, text_name, where), offset_field(record, "answer_start", where))


def _answers_in_columns(columns: Record, where: str) -> tuple[Answer, ...]:
    texts = list_field(columns, "text", f"{where}: answers")
    starts = list_field(columns, "answer_start", f"{where}: answers")
    if len(texts) != len(starts):
        raise DataError(f"{where}: 'answers' has {len(texts)} texts but {len(starts)} offsets; give one offset a text")
    pairs = enumerate(zip(texts, starts, strict=True))
    return tuple(
        answer_of({"text": text, "answer_start": start}, f"{where}: answers[{index}]") for index, (text, start) in pairs
    )


def _flat_answer(record: Record, where: str) -> tuple[Answer, ...] | None:
    name = next((name for name in FLAT_NAMES if name in record), None)
    if name is None:
        return None
    if record[name] in (None, "") and record.get("answer_start") is None:
        return ()
    return (answer_of(dict(record), where, text_name=name),)
