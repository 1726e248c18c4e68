"""Where answers stand that are not at their offsets, and what explains it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dokhae.data.audit.differences import DIFFERENCES, SAME, UNITS, Difference, Unit
from dokhae.data.placement import is_placed
from dokhae.types import Answer, Example

MOST_PLACES = 100  # of one text in its context, the nearest; each is tried with every unit
SHIFTED = "is shifted like others of its context"

Span = tuple[int, int]  # characters of the context, half-open
Key = tuple[int, int]  # number of the example, number of the answer in it
Reasons = dict[Span, list[str]]  # what the offset may have done, for each place of the text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a misplaced answer stands."""

    answer: Answer  # as its context has it
    text_differs: str  # in what the given text differs from that; "" = it is the same
    certain: bool  # whether it is the same answer without doubt
    offset: str  # what the given offset does, such as "counts UTF-8 bytes"; "" = nothing is known
    others: int  # how often the text stands elsewhere in the context


def locate_misplaced(examples: Sequence[Example]) -> dict[Key, Place | None]:
    """Every answer that has a text but is not at its offset, and where it is instead; None = nowhere.

    Of several places, that one counts whose explanation fits most answers of the file; without one, the nearest.
    """
    found = {
        (number, position): _spans(answer, example.context)
        for number, example in enumerate(examples)
        for position, answer in enumerate(example.answers)
        if answer.text and not is_placed(answer, example.context)
    }
    starts = {key: _start(_answer(examples, key), difference) for key, (difference, _) in found.items()}
    shifts = _shared_shifts(examples, {key: (starts[key], spans) for key, (_, spans) in found.items()})
    reasons: dict[Key, Reasons] = {}
    for key, (_, spans) in found.items():
        context = examples[key[0]].context
        reasons[key] = {span: _reasons(context, span[0], starts[key], shifts.get(context)) for span in spans}
        if spans and spans[0][0] == starts[key]:  # the text differs, the offset is right
            reasons[key] = {span: [] for span in spans}
    votes = Counter(name for each in reasons.values() for name in set().union(*each.values()))
    return {
        key: _chosen(examples[key[0]].context, difference, reasons[key], votes)
        for key, (difference, _) in found.items()
    }


def _chosen(context: str, difference: Difference, reasons: Reasons, votes: Mapping[str, int]) -> Place | None:
    if not reasons:
        return None
    nearest = next(iter(reasons))
    explained = [(span, name) for span, names in reasons.items() for name in names]
    # A shift says less than a unit. Of equals, max takes the first, which is the nearest.
    (start, end), name = max(explained, key=lambda one: (votes[one[1]], one[1] != SHIFTED), default=(nearest, ""))
    answer = Answer(context[start:end], start)
    return Place(answer, difference.name, difference.certain, name, others=len(reasons) - 1)


def _spans(answer: Answer, context: str) -> tuple[Difference, list[Span]]:
    """The least difference under which the answer is in the context, and where, the nearest first."""
    for difference in DIFFERENCES:
        wanted = difference.fold(answer.text.strip() if difference.strip else answer.text)
        start = _start(answer, difference)
        spans = list(_folded_spans(wanted, context, difference.fold, start)) if wanted else []
        if spans:
            return difference, sorted(spans, key=lambda span: abs(span[0] - start))
    return SAME, []


def _start(answer: Answer, difference: Difference) -> int:
    """The given offset of the text that is looked for."""
    return answer.start + (len(answer.text) - len(answer.text.lstrip()) if difference.strip else 0)


def _folded_spans(wanted: str, context: str, fold: Callable[[str], str], near: int) -> Iterator[Span]:
    folded = _folded(context, fold)
    for start in sorted(_starts(wanted, folded), key=lambda start: abs(start - near))[:MOST_PLACES]:
        if folded is context:
            yield start, start + len(wanted)
        else:
            yield from _unfolded(wanted, start, context, fold)


def _starts(wanted: str, text: str) -> Iterator[int]:
    start = text.find(wanted)
    while start >= 0:
        yield start
        start = text.find(wanted, start + 1)


def _unfolded(wanted: str, start: int, context: str, fold: Callable[[str], str]) -> Iterator[Span]:
    """The characters of the context that become `wanted`, which stands at `start` in the folded context."""
    prefixes = range(len(context) + 1)
    end = start + len(wanted)

    def folded_length(prefix: int) -> int:
        return len(fold(context[:prefix]))

    first = bisect_right(prefixes, start, key=folded_length) - 1
    # The shortest prefix may end in the middle of a letter and its marks, the longest takes white space along.
    for last in (bisect_left(prefixes, end, key=folded_length), bisect_right(prefixes, end, key=folded_length) - 1):
        if first < last and fold(context[first:last]) == wanted:
            yield first, last
            return


def _reasons(context: str, place: int, start: int, shift: int | None) -> list[str]:
    """What the offset `start` does where the answer stands at `place`."""
    before = context[:place]
    names = [unit.name for unit in _units(context) if unit.count(before) == start]
    return [*names, SHIFTED] if start - place == shift else names


def _shared_shifts(examples: Sequence[Example], found: Mapping[Key, tuple[int, list[Span]]]) -> dict[str, int]:
    """Contexts of which several answers are misplaced by the same number of characters, and that number."""
    shifts: dict[str, dict[Answer, set[int]]] = defaultdict(dict)
    for key, (given, spans) in found.items():
        if spans and spans[0][0] != given:
            shifts[examples[key[0]].context][_answer(examples, key)] = {given - start for start, _ in spans}
    shared = {context: set.intersection(*each.values()) for context, each in shifts.items() if len(each) > 1}
    return {context: min(each, key=lambda shift: (abs(shift), shift)) for context, each in shared.items() if each}


def _answer(examples: Sequence[Example], key: Key) -> Answer:
    number, position = key
    return examples[number].answers[position]


@lru_cache(maxsize=256)
def _units(context: str) -> tuple[Unit, ...]:
    """The units that count this context otherwise than characters do."""
    return tuple(unit for unit in UNITS if unit.count(context) != len(context))


@lru_cache(maxsize=256)
def _folded(context: str, fold: Callable[[str], str]) -> str:
    folded = fold(context)
    return context if folded == context else folded
