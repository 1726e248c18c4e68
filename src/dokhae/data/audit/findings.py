"""What an audit looks for in the questions of a file: one function a finding."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dokhae.data.audit.locating import Place, locate_misplaced
from dokhae.data.audit.texts import form_of, odd_characters, plain_form
from dokhae.data.entries import Entry, Given
from dokhae.data.fields import shortened
from dokhae.errors import DataError
from dokhae.types import Answer, Example

NOWHERE = "the text is nowhere in the context"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was found."""

    id: str  # of the question; "" where it has none
    where: str  # file and place
    kind: str  # cases of one kind are counted together
    found: str  # in words
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """All cases of one fault."""

    name: str
    title: str
    unit: str  # what is counted
    total: int  # how many of them the file has
    refused: bool  # whether training refuses a file with such a case
    cases: tuple[Case, ...]


def unlabelled(entries: Iterable[Entry]) -> Iterator[Case]:
    """Questions of which the file does not say whether they have answers."""
    return (_case(entry, "the field is missing", "no field 'answers'") for entry in entries if not entry.has_labels)


def unanswerable(entries: Iterable[Entry]) -> Iterator[Case]:
    """Questions that have no answer."""
    for entry in entries:
        if entry.has_labels and not entry.example.answers:
            yield _case(entry, "no answer", shortened(entry.example.question))


def misplaced_answers(entries: Sequence[Entry]) -> Iterator[Case]:
    """Answers that are not at their offset, and where they are instead."""
    places = locate_misplaced([entry.example for entry in entries])
    for (number, position), place in places.items():
        entry = entries[number]
        answer, context = entry.example.answers[position], entry.example.context
        stands = shortened(context[answer.start : answer.end]) if answer.start < len(context) else "nothing"
        details = {
            "answer_number": position,
            "answer": answer.text,
            "answer_start": answer.start,
            "found_at": place and place.answer.start,
            "found_text": place and place.answer.text,
            "text_differs": place and place.text_differs,
            "offset": place and place.offset,
            "other_places": place and place.others,
        }
        said = f"{shortened(answer.text)} at {answer.start}, where {stands} stands; {described_place(place)}"
        yield _case(entry, explanation(place), said, details)


def explanation(place: Place | None) -> str:
    """Why an answer is misplaced, in words that are the same for all such answers."""
    if place is None:
        return NOWHERE
    reasons = [f"the offset {place.offset}"] if place.offset else []
    if place.text_differs:
        reasons.append(f"the text differs in {place.text_differs}")
    return ", ".join(reasons) or ("it stands elsewhere" if not place.others else "it stands at several other places")


def described_place(place: Place | None) -> str:
    """Where a misplaced answer is instead, and why, as far as that is known."""
    if place is None:
        return NOWHERE
    text = f" as {shortened(place.answer.text)} ({form_of(place.answer.text)})" if place.text_differs else ""
    offset = f": the offset {place.offset}" if place.offset else ""
    others = f" (and at {place.others} more places)" if place.others and not place.offset else ""
    return f"it is at {place.answer.start}{text}{others}{offset}"


def empty_answers(entries: Iterable[Entry]) -> Iterator[Case]:
    """Answers without a text."""
    for entry, position, answer in _answers(entries):
        if not answer.text:
            kind = "beside others" if len(entry.example.answers) > 1 else "alone"
            yield _case(entry, kind, f"an empty text at {answer.start}", {"answer_number": position})


def spaced_answers(entries: Iterable[Entry]) -> Iterator[Case]:
    """Answers with white space at their ends."""
    for entry, position, answer in _answers(entries):
        if answer.text != answer.text.strip():
            kind = "at the start" if answer.text[0].isspace() else "at the end"
            kind = kind if answer.text.strip() else "nothing else"
            yield _case(entry, kind, shortened(answer.text), {"answer_number": position, "answer": answer.text})


def repeated_ids(entries: Iterable[Entry], same: bool) -> Iterator[Case]:
    """Questions whose id was given before, with the same content or with another."""
    first: dict[str, Entry] = {}
    for entry in entries:
        before = first.setdefault(entry.example.id, entry)
        if before is not entry and (before.example == entry.example) is same:
            names = ("question", "context", "answers", "title")
            differ = [name for name in names if getattr(before.example, name) != getattr(entry.example, name)]
            kind = f"other {', '.join(differ)}" if differ else "the same in everything"
            said = f"{shortened(entry.example.question)} after {shortened(before.example.question)}: {kind}"
            yield _case(entry, kind, said, {"first": before.where, "differ": differ})


def repeated_questions(entries: Iterable[Entry]) -> Iterator[Case]:
    """Questions that are asked of the same context under another id too."""
    first: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        example = entry.example
        before = first.setdefault((example.question, example.context), entry)
        if before.example.id != example.id:
            one, other = (_answer_texts(each.example) for each in (before, entry))
            kind = "with the same answer" if one & other or one == other else "with contradicting answers"
            said = f"{shortened(example.question)}: {_listed(before.example)} ({before.example.id}), {_listed(example)}"
            yield _case(entry, kind, said, {"first": before.example.id})


def empty_texts(entries: Iterable[Entry], name: str) -> Iterator[Case]:
    """Questions whose context or question is empty, or nothing but white space."""
    for entry in entries:
        text = getattr(entry.example, name)
        if not text.strip():
            kind = "nothing but white space" if text else "empty"
            yield _case(entry, kind, f"{name} {shortened(text)}")


def contradicted_flags(pairs: Iterable[tuple[Given, Entry]]) -> Iterator[Case]:
    """Questions that are said to be impossible beside answers, or to be possible without one."""
    for given, entry in pairs:
        flag = given.question.get("is_impossible")
        listed = _answers_without_flag(given, entry.where) if flag else ()
        if listed:
            texts = ", ".join(shortened(answer.text) for answer in listed[:3])
            yield _case(entry, "is_impossible beside answers", f"is_impossible, but has the answers {texts}")
        elif flag is False and entry.has_labels and not entry.example.answers:
            yield _case(entry, "possible without an answer", "is_impossible is false, but there is no answer")


def odd_texts(entries: Iterable[Entry]) -> Iterator[Case]:
    """Control, invisible and replacement characters; each context is looked at once."""
    contexts = set()
    for entry in entries:
        example = entry.example
        texts = [("question", example.question), *(("answer", answer.text) for answer in example.answers)]
        if example.context not in contexts:
            contexts.add(example.context)
            texts.insert(0, ("context", example.context))
        for name, text in texts:
            for character, start in odd_characters(text).items():
                around = shortened(text[max(0, start - 10) : start + 10])
                found = f"{character} in the {name} at {start}: {around}"
                yield _case(entry, character, found, {"text": name, "start": start})


def _answers_without_flag(given: Given, where: str) -> tuple[Answer, ...]:
    with contextlib.suppress(DataError):  # beside the flag, the reader does not look at them
        return given.answers({**given.question, "is_impossible": None}, where) or ()
    return ()


def _case(entry: Entry, kind: str, found: str, details: Mapping[str, Any] | None = None) -> Case:
    return Case(entry.example.id, entry.where, kind, found, details or {})


def _answers(entries: Iterable[Entry]) -> Iterator[tuple[Entry, int, Answer]]:
    return ((entry, at, answer) for entry in entries for at, answer in enumerate(entry.example.answers))


def _answer_texts(example: Example) -> set[str]:
    return {plain_form(answer.text) for answer in example.answers}


def _listed(example: Example) -> str:
    texts = list(dict.fromkeys(answer.text for answer in example.answers))
    return " or ".join(map(shortened, texts[:3])) if texts else "no answer"
