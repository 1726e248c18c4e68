"""Mends what is certain in a data file, into a copy with a readable list of the changes beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dokhae.data.audit.checks import Content, content_of, read_content
from dokhae.data.audit.diff import Change, diff_text, kinds_of_changes
from dokhae.data.audit.differences import AT_ENDS
from dokhae.data.audit.findings import Case, described_place
from dokhae.data.audit.locating import Place, locate_misplaced
from dokhae.data.audit.rewriting import write_questions
from dokhae.data.entries import Entry, Given
from dokhae.data.fields import Record, shortened
from dokhae.data.placement import is_placed
from dokhae.data.writing import check_target
from dokhae.errors import DataError, SettingsError
from dokhae.files import atomic_path
from dokhae.types import Answer, Example

MOVED = "offset moved"
TRIMMED = "white space at the ends taken away"
ANSWER_OUT = "answer left out"
QUESTION_OUT = "question left out"


@dataclass(frozen=True, slots=True)
class Repair:
    """The questions of a file, mended, in its order, and every change."""

    questions: tuple[Record | None, ...]  # None = left out
    changes: tuple[Change, ...]

    @property
    def kept(self) -> int:
        """How many questions stay."""
        return sum(question is not None for question in self.questions)

    @property
    def counts(self) -> dict[str, int]:
        """How many changes were made of which kind."""
        return kinds_of_changes(self.changes)


def repair_file(path: Path, out: Path, has_null: bool = True) -> Repair:
    """Write a mended copy of a data file to `out`, in the same format, and its changes to `out`.diff.txt.

    Training takes the copy: what it would refuse and cannot be mended with certainty is left out, and listed. Fields
    that dokhae does not read are kept. `has_null`: whether questions may have no answer. SettingsError where `out` is
    the file itself or is there already.
    """
    path, out = Path(path), Path(out)
    check_repair_target(path, out)
    content = read_content(path)
    repair = mended(content if has_null else _without_unanswerable(content))
    if not repair.kept:
        raise DataError(f"{path}: no question can be kept, so {out} is not written; `dokhae data audit` says why")
    with atomic_path(diff_path(out)) as temporary:
        text = diff_text(str(path), repair.kept, repair.changes)
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))
        write_questions(path, out, repair.questions)
    return repair


def repair_misplaced(examples: Sequence[Example]) -> tuple[list[Example], int, int, int]:
    """The examples with every answer at its offset; how many answers were moved there, answers and examples left out.

    What is certain is mended as `repair_file` mends it; other misplaced answers are left out, and examples that have
    no answer left.
    """
    places = locate_misplaced(examples)
    kept: list[Example] = []
    moved = answers_out = 0
    for number, example in enumerate(examples):
        answers = [
            answer if is_placed(answer, example.context) else _certain(places.get((number, position)))
            for position, answer in enumerate(example.answers)
        ]
        mended = tuple(answer for answer in answers if answer is not None)
        if mended or not answers:
            moved += sum(after not in (None, before) for after, before in zip(answers, example.answers, strict=True))
            answers_out += answers.count(None)
            kept.append(example if mended == example.answers else replace(example, answers=mended))
    return kept, moved, answers_out, len(examples) - len(kept)


def diff_path(out: Path) -> Path:
    """Where the changes are listed."""
    return out.with_name(f"{out.name}.diff.txt")


def check_repair_target(path: Path, out: Path) -> None:
    """SettingsError where the mended copy cannot be written there."""
    check_target(out, path)
    check_target(diff_path(out), path)
    if out.suffix.lower() != path.suffix.lower():
        raise SettingsError(
            f"{out}: a mended copy has the format of its source; name a {path.suffix} file, "
            "and change its format with `dokhae data convert`"
        )


def mended(content: Content) -> Repair:
    """The questions with everything mended that is certain, without those that training would still refuse."""
    places = locate_misplaced([entry.example for entry in content.entries])
    numbers = itertools.count()
    kept: dict[str, Example] = {}
    questions: list[Record | None] = []
    changes: list[Change] = []
    for given, entry in content.questions:
        if isinstance(entry, Case):
            question, found = None, [Change(entry.id, "", (QUESTION_OUT,), entry.found, entry.where)]
        else:
            number = next(numbers)
            here = [places.get((number, position)) for position in range(len(entry.example.answers))]
            question, found = _mended_question(given, entry, here, kept)
        questions.append(question)
        changes += found
    return Repair(tuple(questions), tuple(changes))


def _without_unanswerable(content: Content) -> Content:
    """The same questions, those without an answer as ones that cannot be used."""

    def usable(entry: Entry | Case) -> Entry | Case:
        if isinstance(entry, Case) or entry.example.answers or not entry.has_labels:
            return entry
        return Case(entry.example.id, entry.where, "no answer", "it has no answer, which the benchmark does not know")

    return content_of([(given, usable(entry)) for given, entry in content.questions])


def _mended_question(
    given: Given, entry: Entry, places: Sequence[Place | None], kept: dict[str, Example]
) -> tuple[Record | None, list[Change]]:
    """The question as it stays, or None, and its changes. `kept`: by id, what stays; the question is added to it."""
    example = entry.example
    found = [_mended_answer(entry, position, place) for position, place in enumerate(places)]
    changes = [change for _, change in found if change is not None]
    now = replace(example, answers=tuple(answer for answer, _ in found if answer is not None))
    out = ""
    if not entry.has_labels:
        out = "it has no field 'answers'"
    elif example.answers and not now.answers:
        out = "no answer is left: " + "; ".join(_out(change) for change in changes)
    elif example.id in kept:
        out = f"it is given before, {'id and all' if kept[example.id] == now else 'with other content'}"
    if out:
        return None, [Change(example.id, "", (QUESTION_OUT,), out, entry.where)]
    kept[example.id] = now
    return given.with_answers(given.question, [answer for answer, _ in found]) if changes else given.question, changes


def _mended_answer(entry: Entry, position: int, place: Place | None) -> tuple[Answer | None, Change | None]:
    """The answer as it stays, None = left out; and what was changed, None = nothing."""
    context, before = entry.example.context, entry.example.answers[position]
    if not is_placed(before, context) and (place is None or not place.certain):
        why = described_place(place) if before.text else "it has no text"
        return None, _change(entry, position, [ANSWER_OUT], why)
    after = _trimmed(before if place is None else place.answer)
    kinds, start = [], before.start
    if before != _trimmed(before):
        kinds, start = [TRIMMED], _trimmed(before).start
    if place is not None and place.text_differs not in ("", AT_ENDS):
        kinds.append(f"text as the context has it ({place.text_differs})")
    if after.start != start:
        kinds.append(MOVED)
    if not kinds:
        return before, None
    return after, _change(entry, position, kinds, "" if place is None else described_place(place), after)


def _certain(place: Place | None) -> Answer | None:
    return _trimmed(place.answer) if place is not None and place.certain else None


def _out(change: Change) -> str:
    text = "" if change.before is None else shortened(change.before.text)
    return f"{text} ({change.why})"


def _trimmed(answer: Answer) -> Answer:
    """The answer without white space at its ends; one that is nothing else stays."""
    text = answer.text.strip()
    return Answer(text, answer.start + answer.text.index(text)) if text else answer


def _change(entry: Entry, position: int, kinds: list[str], why: str, after: Answer | None = None) -> Change:
    example = entry.example
    before = example.answers[position]
    return Change(example.id, f"answers[{position}]", tuple(kinds), why, entry.where, before, after, example.context)
