"""The forms in which files give a question's answers."""

from __future__ import annotations

from collections.abc import Sequence

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


def with_answers(record: Record, answers: Sequence[Answer | None]) -> Record:
    """The question with other answers in the form that it has, all else kept; None leaves one out.

    One for each of its gold_answers, of which at least one stays.
    """
    value, kept = record.get("answers"), [number for number, answer in enumerate(answers) if answer is not None]
    plain = [{"text": answer.text, "answer_start": answer.start} for answer in answers if answer is not None]
    if isinstance(value, list):
        return {**record, "answers": [{**value[number], **new} for number, new in zip(kept, plain, strict=True)]}
    if isinstance(value, dict):
        beside = {name: column for name, column in value.items() if name not in ("text", "answer_start")}
        for name, column in beside.items():
            if isinstance(column, list) and len(column) == len(answers):
                beside[name] = [column[number] for number in kept]
        return {**record, "answers": {**beside, **{name: [each[name] for each in plain] for name in plain[0]}}}
    return {**record, _flat_name(record): plain[0]["text"], "answer_start": plain[0]["answer_start"]}


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
    name = _flat_name(record)
    if not name:
        return None
    if record[name] in (None, "") and record.get("answer_start") is None:
        return ()
    return (answer_of(dict(record), where, text_name=name),)


def _flat_name(record: Record) -> str:
    return next((name for name in FLAT_NAMES if name in record), "")
