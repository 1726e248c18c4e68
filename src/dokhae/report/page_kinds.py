"""Scores of predictions on pages by the kind of the gold answer: short or long; in prose, in a table, in a list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dokhae.metrics import Rule
from dokhae.metrics.scores import score_in_order
from dokhae.pages.elements import place_of
from dokhae.types import Answer, Example

KINDS = ("short", "long", "prose", "table", "list")
# a whole paragraph, table or list, or several of its parts: 17% of KorQuAD 2.0's gold answers, as its authors count
LONG = re.compile(r"<(?:p|table|tr|ul|ol|dl|blockquote)\b", re.IGNORECASE)


class KindScore(NamedTuple):
    """The questions of one kind; scores 0 to 100."""

    kind: str
    questions: int
    exact_match: float
    f1: float


def kinds_of(answer: Answer, context: str) -> tuple[str, str]:
    """Whether an answer is short or long, and where it stands; by the answer alone where its context is not known."""
    placed = bool(context) and context.startswith(answer.text, answer.start)
    place = place_of(context, answer.start) if placed else place_of(answer.text, 0)
    return "long" if LONG.search(answer.text) else "short", place


def by_kind(examples: Sequence[Example], predictions: Mapping[str, str], rule: Rule) -> list[KindScore]:
    """The scores of each kind that occurs, by the official rule, in the order of KINDS."""
    scores = score_in_order(examples, predictions, rule)
    rows: dict[str, list[tuple[float, float]]] = {}
    for example, score in zip(examples, scores, strict=True):
        for kind in kinds_of(example.answers[0], example.context):
            rows.setdefault(kind, []).append(score)
    return [
        KindScore(kind, len(rows[kind]), *(rule.average(values) for values in zip(*rows[kind], strict=True)))
        for kind in KINDS
        if kind in rows
    ]
