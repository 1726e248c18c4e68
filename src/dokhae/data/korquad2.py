"""The records of KorQuAD 2.x: documents in HTML, one answer a question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dokhae.data.answers import answer_of
from dokhae.data.entries import Given
from dokhae.data.fields import Record, as_record, list_field
from dokhae.types import Answer


def korquad2_questions(documents: list[Any], path: Path) -> Iterator[Given]:
    """The questions under a KorQuAD 2.x file's "data", in file order."""
    for number, value in enumerate(documents):
        place = f"{path}: data[{number}]"
        document = as_record(value, place)
        # without raw_html, most of the bytes
        page = {name: document[name] for name in ("context", "title", "url") if name in document}
        for position, question in enumerate(list_field(document, "qas", place)):
            yield Given(f"{place}.qas[{position}]", f"{path}: question ", question, page, _one_answer, _with_one_answer)


def with_korquad2_questions(documents: list[Any], questions: Iterator[Any]) -> list[Any]:
    """The same documents with other questions in the same places; None leaves one out."""
    found = ([next(questions) for _ in document["qas"]] for document in documents)
    return [
        document | {"qas": [question for question in kept if question is not None]}
        for document, kept in zip(documents, found, strict=True)
    ]


def _one_answer(question: Record, where: str) -> tuple[Answer, ...] | None:
    answer = question.get("answer")
    return None if answer is None else (answer_of(answer, f"{where}: answer"),)


def _with_one_answer(question: Record, answers: Sequence[Answer | None]) -> Record:
    (answer,) = (answer for answer in answers if answer is not None)
    return {**question, "answer": {**question["answer"], "text": answer.text, "answer_start": answer.start}}
