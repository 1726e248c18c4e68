"""The best score that a tokenizer, its windows and a maximum answer length allow, before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding import particles_of, trimmed_ends
from dokhae.encoding import Features
from dokhae.encoding.offsets import tokens_of
from dokhae.korean.trimming import Particles, Trimmer
from dokhae.metrics import Rule, score_answer
from dokhae.types import Answer, Example

NO_PARTICLES = Particles(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32))
WITHIN = (30, 128, 384, 512, 1024, 4096)  # tokens: lengths that windows and longest answers usually have
AT_ONCE = 256  # examples
NEIGHBOURS = 3  # tokens tried on each side of the annotated start and end

REASONS = {
    "start": "no token begins where the answer begins",
    "end": "no token ends where the answer ends",
    "length": "the answer has more tokens than max_answer_length",
    "window": "no window holds the whole answer",
    "token": "no token covers the answer",
    "trim": "the trim cuts off what belongs to the answer",
    "rule": "the rule refuses the annotated span itself",
}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a perfect model could score, 0 to 100, and why it could not score more."""

    exact_match: float
    f1: float
    questions: int
    tokens_per_character: float
    start_representable: float  # % of answers that begin where a token begins
    end_representable: float  # % of answers that end where a token ends
    answers_within: dict[int, float]  # number of tokens -> % of answers that have no more
    lost: dict[str, int]  # reason -> questions whose exact match is lost by it (the first reason that applies)
    lost_examples: dict[str, str]  # reason -> id of one of them
    exact_match_of_golds: float | None = None  # of the gold answers themselves once they are trimmed; None: no trim


def ceiling(
    examples: Sequence[Example],
    features: Features,
    max_answer_length: int,
    rule: Rule,
    trimmer: Trimmer | None = None,
    html: bool = False,
) -> Ceiling:
    """Score the best legal span around each annotated answer with the official rule.

    trimmer: cuts particles off the spans. html: contexts are pages. Examples without an answer count as fully right: a
    perfect model says so.
    """
    particles = [NO_PARTICLES] * len(examples)
    if trimmer is not None:  # of some contexts at a time: pages are not kept as text
        parts = (examples[first : first + AT_ONCE] for first in range(0, len(examples), AT_ONCE))
        particles = [one for part in parts for one in particles_of([each.context for each in part], trimmer, html)]
    found = [
        _best(number, example, features, max_answer_length, rule, particles[number])
        for number, example in enumerate(examples)
    ]
    total = max(len(examples), 1)
    lost = [(reason, example.id) for (_, _, reason), example in zip(found, examples, strict=True) if reason]
    spans = [_answer_span(number, example, features) for number, example in enumerate(examples) if example.answers]
    answered = max(len(spans), 1)
    _, firsts = np.unique(features.example_context, return_index=True)
    characters = sum(len(examples[first].context) for first in firsts.tolist())
    return Ceiling(
        exact_match=100.0 * sum(exact for exact, _, _ in found) / total,
        f1=100.0 * sum(f1 for _, f1, _ in found) / total,
        questions=len(examples),
        tokens_per_character=len(features.context_ids) / max(characters, 1),
        start_representable=100.0 * sum(span.start_ok for span in spans) / answered,
        end_representable=100.0 * sum(span.end_ok for span in spans) / answered,
        answers_within={most: 100.0 * sum(span.tokens <= most for span in spans) / answered for most in WITHIN},
        lost=dict(Counter(reason for reason, _ in lost).most_common()),
        lost_examples={reason: name for reason, name in reversed(lost)},
        exact_match_of_golds=None if trimmer is None else _of_golds(examples, features, rule, particles),
    )


def _of_golds(examples: Sequence[Example], features: Features, rule: Rule, particles: Sequence[Particles]) -> float:
    """Exact match, 0 to 100, of what the trim leaves of each first gold answer: what it costs a perfect model."""
    exact = 0.0
    for number, example in enumerate(examples):
        golds = [answer.text for answer in example.answers]
        if not golds:
            exact += 1.0
            continue
        gold = example.answers[0]
        token_ends = features.context_ends[features.context_slice(number)]
        end = _trimmed_end(gold, particles[number], token_ends)
        exact += score_answer(example.context[gold.start : end], golds, rule)[0]
    return 100.0 * exact / max(len(examples), 1)


def _trimmed_end(answer: Answer, particles: Particles, token_ends: NDArray[np.int32]) -> int:
    """Where an answer ends once it is trimmed."""
    return int(trimmed_ends(np.array([answer.start]), np.array([answer.end]), particles, token_ends)[0])


def _best(
    number: int, example: Example, features: Features, max_answer_length: int, rule: Rule, particles: Particles
) -> tuple[float, float, str | None]:
    """Best EM and F1 (0 to 1) of one example over legal spans, and the reason where EM is lost."""
    if not example.answers:
        return 1.0, 1.0, None
    tokens = features.context_slice(number)
    starts, ends = features.context_starts[tokens], features.context_ends[tokens]
    windows = _windows_of(features, number)
    golds = [answer.text for answer in example.answers]
    exact = f1 = 0.0
    for reach in (0, NEIGHBOURS):  # the annotated tokens nearly always do, their neighbours rarely help
        spans = [
            span for answer in example.answers
            for span in _legal_spans(answer, starts, ends, windows, max_answer_length, reach)
        ]  # fmt: skip
        firsts, lasts = np.array(spans, dtype=np.int64).reshape(-1, 2).T
        places = zip(starts[firsts], trimmed_ends(starts[firsts], ends[lasts], particles, ends), strict=True)
        texts = {example.context[start:end] for start, end in places}
        scores = [score_answer(text, golds, rule) for text in texts if text]
        exact = max((score[0] for score in scores), default=0.0)
        f1 = max((score[1] for score in scores), default=0.0)
        if exact == f1 == 1.0:
            return exact, f1, None
    reason = _reason(example.answers[0], starts, ends, windows, max_answer_length, particles)
    return exact, f1, None if exact == 1.0 else reason


def _windows_of(features: Features, number: int) -> NDArray[np.int32]:
    """Token ranges of an example's windows, (window, 2)."""
    first, last = np.searchsorted(features.window_example, [number, number + 1])
    return np.stack([features.window_start[first:last], features.window_end[first:last]], axis=1)


def _legal_spans(
    answer: Answer,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    windows: NDArray[np.int32],
    max_answer_length: int,
    reach: int,
) -> list[tuple[int, int]]:
    """Spans (first, last token) a decoder may choose whose ends lie within `reach` tokens of the annotated ones.

    Where the annotated span itself is too long or in no window, its longest legal part of each window is among them.
    """
    tokens = tokens_of(starts, ends, answer.start, answer.end)
    if tokens is None:
        return []
    firsts = range(max(tokens[0] - reach, 0), min(tokens[0] + reach + 1, len(starts)))
    lasts = range(max(tokens[1] - reach, 0), min(tokens[1] + reach + 1, len(starts)))
    spans = [
        (first, last)
        for first in firsts
        for last in lasts
        if 0 <= last - first < max_answer_length and _held(first, last, windows)
    ]
    return spans if tokens in spans else spans + _longest_parts(*tokens, starts, ends, windows, max_answer_length)


def _longest_parts(
    first: int,
    last: int,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    windows: NDArray[np.int32],
    max_answer_length: int,
) -> list[tuple[int, int]]:
    """For each window the legal part of a span that has the most characters."""
    parts = []
    for begin, end in windows.tolist():
        low, high = max(first, begin), min(last, end - 1)
        size = min(high - low + 1, max_answer_length)
        if size > 0:
            firsts = np.arange(low, high - size + 2)
            best = int(firsts[np.argmax(ends[firsts + size - 1] - starts[firsts])])
            parts.append((best, best + size - 1))
    return parts


def _held(first: int, last: int, windows: NDArray[np.int32]) -> bool:
    """Whether one window holds the whole span."""
    return bool(((windows[:, 0] <= first) & (last < windows[:, 1])).any())


def _reason(
    answer: Answer,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    windows: NDArray[np.int32],
    max_answer_length: int,
    particles: Particles,
) -> str:
    tokens = tokens_of(starts, ends, answer.start, answer.end)
    if tokens is None:
        return "token"
    first, last = tokens
    checks = {
        "start": starts[first] < answer.start,
        "end": ends[last] > answer.end,
        "length": last - first >= max_answer_length,
        "window": not _held(first, last, windows),
        "trim": _trimmed_end(answer, particles, ends) != answer.end,
    }
    return next((reason for reason, applies in checks.items() if applies), "rule")


class _AnswerSpan(NamedTuple):
    """The tokens of an example's first gold answer."""

    tokens: int
    start_ok: bool  # whether it begins where a token does; tags of a page may stand before that
    end_ok: bool


def _answer_span(number: int, example: Example, features: Features) -> _AnswerSpan:
    tokens, answer = features.context_slice(number), example.answers[0]
    starts, ends = features.context_starts[tokens], features.context_ends[tokens]
    found = tokens_of(starts, ends, answer.start, answer.end)
    if found is None:
        return _AnswerSpan(0, False, False)
    first, last = found
    return _AnswerSpan(last - first + 1, starts[first] >= answer.start, ends[last] <= answer.end)
