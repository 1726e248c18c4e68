"""Questions as they stand in files, and the checks that every reader's questions go through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dokhae.data.answers import gold_answers
from dokhae.data.fields import Record, id_field, optional_text_field, refuse_lone_surrogates, text_field
from dokhae.errors import DataError
from dokhae.types import Answer, Example


@dataclass(frozen=True, slots=True)
class Entry:
    """One question of a file, and where it stands."""

    where: str  # begins the error messages
    example: Example
    has_labels: bool  # False = the file says nothing about the answers


def entry_of(where: str, example_id: str, question: Record, page: Record, answers: tuple[Answer, ...] | None) -> Entry:
    """The entry of a question; its context and title stand in `page`, which in tables is the same row."""
    example = Example(
        id=example_id,
        question=text_field(question, "question", where),
        context=text_field(page, "context", where),
        answers=answers or (),
        title=optional_text_field(page, "title", where),
    )
    return Entry(where, example, has_labels=answers is not None)


def row_entry(row: Record, place: str) -> Entry:
    """The entry of a row with the fields id, question, context and answers; `place` is its file and row."""
    example_id = id_field(row, place)
    where = f"{place}, question {example_id}"
    return entry_of(where, example_id, row, row, gold_answers(row, where))


def to_examples(entries: Iterable[Entry], path: Path, labelled: bool) -> list[Example]:
    """The examples in file order; `labelled` refuses questions without an answers field."""
    examples = []
    first: dict[str, Entry] = {}
    for entry in entries:
        if labelled and not entry.has_labels:
            raise DataError(
                f"{entry.where}: the field 'answers' (KorQuAD 2.x: 'answer') is missing; "
                "give it, in SQuAD's form [] where there is no answer"
            )
        _refuse_half_characters(entry)
        _refuse_conflict(first.setdefault(entry.example.id, entry), entry)
        examples.append(entry.example)
    if not examples:
        raise DataError(f"{path}: holds no questions; is it the right file?")
    return examples


def _refuse_half_characters(entry: Entry) -> None:
    example = entry.example
    refuse_lone_surrogates(example.question, "question", entry.where)
    refuse_lone_surrogates(example.context, "context", entry.where)
    refuse_lone_surrogates(example.title, "title", entry.where)
    for answer in example.answers:
        refuse_lone_surrogates(answer.text, "answers", entry.where)


def _refuse_conflict(first: Entry, entry: Entry) -> None:
    # Predictions are keyed by id: identical repeats get the same one, as official scripts have it; others cannot.
    if first.example != entry.example:
        before = "" if first.where == entry.where else f" (first at {first.where})"
        raise DataError(f"{entry.where}: this id is given twice with different content{before}; give each its own id")
