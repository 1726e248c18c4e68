"""The rows of an audit: what is looked for, of what it is a share, and whether training refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dokhae.data.audit import findings, overlap
from dokhae.data.audit.findings import Case
from dokhae.data.audit.overlap import Training
from dokhae.data.entries import Entry, Given, read_given
from dokhae.data.reading import given_questions
from dokhae.errors import DataError


@dataclass(frozen=True, slots=True)
class Content:
    """The questions of a file in its order: those that can be read, and why others cannot."""

    questions: list[tuple[Given, Entry | Case]]
    pairs: list[tuple[Given, Entry]]  # the readable ones
    entries: list[Entry]  # the readable ones, read
    faults: list[Case]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked for."""

    name: str
    title: str
    unit: str  # of which the cases are a share
    find: Callable[[Content], Iterable[Case]]
    refused: bool = False  # whether training refuses a file with such a case


@dataclass(frozen=True, slots=True)
class OverlapCheck:
    """One thing that is looked for in the training file."""

    name: str
    title: str
    unit: str
    find: Callable[[list[Entry], Training], Iterable[Case]]


def read_content(path: Path) -> Content:
    """Every question of a file, also of KorQuAD 2.x, where the readers would stop at the first that is wrong."""
    questions = [(given, _read(given, path)) for given in given_questions(path, html=True)]
    if not questions:
        raise DataError(f"{path}: holds no questions; is it the right file?")
    return content_of(questions)


def content_of(questions: list[tuple[Given, Entry | Case]]) -> Content:
    """The questions, sorted by whether they can be read."""
    pairs = [(given, entry) for given, entry in questions if isinstance(entry, Entry)]
    faults = [case for _, case in questions if isinstance(case, Case)]
    return Content(questions, pairs, [entry for _, entry in pairs], faults)


def _read(given: Given, path: Path) -> Entry | Case:
    try:
        return read_given(given)
    except DataError as error:
        return Case("", given.place, "refused by the reader", str(error).removeprefix(f"{path}: "))


CHECKS = (
    Check("unreadable", "questions that cannot be read", "questions", lambda found: found.faults, refused=True),
    Check("unlabelled", "questions without the field 'answers'", "questions",
          lambda found: findings.unlabelled(found.entries), refused=True),
    Check("misplaced_answers", "answers not at their offset", "answers",
          lambda found: findings.misplaced_answers(found.entries), refused=True),
    Check("empty_answers", "answers without a text", "answers",
          lambda found: findings.empty_answers(found.entries), refused=True),
    Check("spaced_answers", "answers with outer white space", "answers",
          lambda found: findings.spaced_answers(found.entries)),
    Check("conflicting_ids", "ids given again, not the same", "questions",
          lambda found: findings.repeated_ids(found.entries, same=False), refused=True),
    Check("repeated_ids", "ids given again, all the same", "questions",
          lambda found: findings.repeated_ids(found.entries, same=True)),
    Check("repeated_questions", "questions asked twice", "questions",
          lambda found: findings.repeated_questions(found.entries)),
    Check("empty_contexts", "questions with an empty context", "questions",
          lambda found: findings.empty_texts(found.entries, "context")),
    Check("empty_questions", "questions without a text", "questions",
          lambda found: findings.empty_texts(found.entries, "question")),
    Check("contradicted_flags", "is_impossible against the answers", "questions",
          lambda found: findings.contradicted_flags(found.pairs)),
    Check("odd_characters", "control or invisible characters", "texts",
          lambda found: findings.odd_texts(found.entries)),
)  # fmt: skip
WITHOUT_NULL = Check("unanswerable", "questions without an answer", "questions",
                     lambda found: findings.unanswerable(found.entries), refused=True)  # fmt: skip
OVERLAP_CHECKS = (
    OverlapCheck("shared_contexts", "contexts training has too", "contexts", overlap.shared_contexts),
    OverlapCheck("shared_questions", "questions training has too", "questions", overlap.shared_questions),
    OverlapCheck("shared_ids", "ids training has too", "questions", overlap.shared_ids),
)
