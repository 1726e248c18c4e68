"""Whether answers stand at their offsets: training needs it, the official scores never look."""

from __future__ import annotations

from collections.abc import Iterable

from dokhae.data.fields import shortened
from dokhae.errors import DataError
from dokhae.types import Answer, Example

ADVICE = "`dokhae data audit FILE --repair OUT` mends what is certain, or train with --misplaced_answers repair"


def check_answers(examples: Iterable[Example], where: str) -> None:
    """DataError at the first answer that is not at its offset; `where` (the file) begins the message."""
    for example in examples:
        for answer in example.answers:
            if not is_placed(answer, example.context):
                fault = described_fault(answer, example.context)
                file = getattr(example, "file", "") or where  # of a folder of files
                raise DataError(f"{file}: question {example.id}: {fault}; {ADVICE}")


def drop_misplaced(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """The examples whose answers are all at their offsets, and how many were left out."""
    examples = list(examples)
    kept = [example for example in examples if all(is_placed(answer, example.context) for answer in example.answers)]
    return kept, len(examples) - len(kept)


def is_placed(answer: Answer, context: str) -> bool:
    """Whether the answer has a text, and stands at its offset."""
    return bool(answer.text) and context.startswith(answer.text, answer.start)


def nearest_start(text: str, context: str, start: int) -> int | None:
    """Where in the context the text stands, nearest to `start`; None where it does not."""
    before = context.rfind(text, 0, start + len(text))
    after = context.find(text, start)
    places = [place for place in (before, after) if place >= 0]
    return min(places, key=lambda place: abs(place - start), default=None)


def described_fault(answer: Answer, context: str) -> str:
    """What is wrong with an answer that is not placed."""
    if not answer.text:
        return f"the answer at offset {answer.start} is empty (a question without an answer has no answers at all)"
    place = nearest_start(answer.text, context, answer.start)
    instead = "it is nowhere in the context" if place is None else f"it is at offset {place}"
    if answer.end > len(context):
        return (
            f"the answer {shortened(answer.text)} at offset {answer.start} lies outside its context "
            f"of {len(context)} characters; {instead}"
        )
    found = shortened(context[answer.start : answer.end])
    return f"the answer {shortened(answer.text)} is not at offset {answer.start}, where {found} stands; {instead}"
