"""Questions as they stand in files, and the checks that every reader's questions go through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.data.answers import gold_answers, with_answers
from dokhae.data.fields import Record, as_record, id_field, optional_text_field, refuse_lone_surrogates, text_field
from dokhae.errors import DataError
from dokhae.types import Answer, Example


@dataclass(frozen=True, slots=True)
class Given:
    """A question as its file gives it, not read yet."""

    place: str  # its file and position: begins the error messages as long as the id is not known
    before_id: str  # with the id after it, begins the later ones
    question: Any
    page: Any  # has its context and title; in tables the same row
    answers: Callable[[Record, str], tuple[Answer, ...] | None] = gold_answers
    with_answers: Callable[[Record, Sequence[Answer | None]], Record] = with_answers


@dataclass(frozen=True, slots=True)
class Entry:
    """One question of a file, and where it stands."""

    where: str  # begins the error messages
    example: Example
    has_labels: bool  # False = the file says nothing about the answers


def given_row(row: Any, place: str) -> Given:  # noqa: ANN401 - whatever the table holds
    """A row with the fields id, question, context and answers; `place` is its file and row."""
    return Given(place, f"{place}, question ", row, row)


def read_given(given: Given) -> Entry:
    """The entry of a question; DataError where its fields are not what they should be."""
    question = as_record(given.question, given.place)
    example_id = id_field(question, given.place)
    where = given.before_id + example_id
    answers = given.answers(question, where)
    example = Example(
        id=example_id,
        question=text_field(question, "question", where),
        context=text_field(given.page, "context", where),
        answers=answers or (),
        title=optional_text_field(given.page, "title", where),
    )
    _refuse_half_characters(example, where)
    return Entry(where, example, has_labels=answers is not None)


def to_examples(entries: Iterable[Entry], source: Path | str, labelled: bool) -> list[Example]:
    """The examples in file order; `labelled` refuses questions without an answers field."""
    examples = []
    first: dict[str, Entry] = {}
    for entry in entries:
        if labelled and not entry.has_labels:
            raise DataError(
                f"{entry.where}: the field 'answers' (KorQuAD 2.x: 'answer') is missing; "
                "give it, in SQuAD's form [] where there is no answer"
            )
        _refuse_conflict(first.setdefault(entry.example.id, entry), entry)
        examples.append(entry.example)
    if not examples:
        raise DataError(f"{source}: holds no questions; is it the right file?")
    return examples


def _refuse_half_characters(example: Example, where: str) -> None:
    refuse_lone_surrogates(example.question, "question", where)
    refuse_lone_surrogates(example.context, "context", where)
    refuse_lone_surrogates(example.title, "title", where)
    for answer in example.answers:
        refuse_lone_surrogates(answer.text, "answers", where)


def _refuse_conflict(first: Entry, entry: Entry) -> None:
    # Predictions are keyed by id: identical repeats get the same one, as official scripts have it; others cannot.
    if first is not entry and first.example != entry.example:
        before = "" if first.where == entry.where else f" (first at {first.where})"
        raise DataError(f"{entry.where}: this id is given twice with different content{before}; give each its own id")
