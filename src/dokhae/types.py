"""Frozen records that travel between rooms; they do no work. The words are those of docs/design.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer: its text, and where it starts."""

    text: str
    start: int  # character offset into Example.context

    @property
    def end(self) -> int:
        """Character offset after the last character of the answer."""
        return self.start + len(self.text)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its context and gold answers; no answers = unanswerable, or unlabelled data."""

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text or a pair of texts, and its class or its number."""

    id: str
    first: str
    second: str | None  # None = a single text
    label: str | float | None  # its class as text, or its number; None = not labelled


class Candidate(NamedTuple):
    """A legal span of an example's context: `context[start:end] == text`, never empty.

    A tuple, because twenty are made for each question and a frozen dataclass takes several times as long to make.
    """

    text: str
    start: int  # characters, half-open, into Example.context
    end: int
    start_logit: float
    end_logit: float
    probability: float  # softmax over the example's n-best (and the null answer where the benchmark has one)

    @property
    def score(self) -> float:
        """Start logit + end logit."""
        return self.start_logit + self.end_logit


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the reader says to one example."""

    id: str
    text: str  # "" = no answer
    start: int | None  # characters of Example.context; None = no answer
    end: int | None
    probability: float  # of what is answered: the span's, or the null answer's
    n_best: tuple[Candidate, ...]  # best first; empty when no window has a legal span
    null_score: (
        float  # start + end logit at the CLS, the minimum over the windows; 0 where scores count from it (pages)
    )
    null_score_difference: float  # null score - best span score; inf when there is no span
