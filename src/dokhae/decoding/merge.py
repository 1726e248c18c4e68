"""Spans of the examples' windows -> their n-best lists -> the answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding.spans import descending
from dokhae.types import Candidate, Example, Prediction

# of spans: texts, starts, ends, start logits, end logits, scores
Columns = tuple[list[str], list[int], list[int], list[float], list[float], list[float]]


@dataclass(frozen=True, slots=True)
class FoundSpans:
    """Spans of some examples from all their windows, in any order; all (spans,)."""

    example: NDArray[np.integer[Any]]  # which of the examples
    start: NDArray[np.integer[Any]]  # first character
    end: NDArray[np.integer[Any]]  # character after the last
    start_logit: NDArray[np.floating[Any]]
    end_logit: NDArray[np.floating[Any]]


def merge(
    examples: Sequence[Example], spans: FoundSpans, null_scores: Sequence[float], n_best: int, with_null: bool
) -> list[Prediction]:
    """The predictions of some examples from the spans of all their windows.

    The same span, or the same text, from two windows is kept once, with its best score. Probabilities are a softmax
    over what is kept, and over the null answer where the benchmark has one (with_null). The answer is the best span;
    `choose` decides about no answer.
    """
    order = _ranking(spans)
    bounds = np.searchsorted(spans.example[order], np.arange(len(examples) + 1)).tolist()
    places = np.stack([spans.start, spans.end])[:, order]
    logits = np.stack([spans.start_logit, spans.end_logit], dtype=np.float64)[:, order]
    scored = np.concatenate([logits, logits[:1] + logits[1:]])
    return [
        _predict(example, places[:, first:last], scored[:, first:last], null_score, n_best, with_null)
        for example, (first, last), null_score in zip(examples, pairwise(bounds), null_scores, strict=True)
    ]


def _ranking(spans: FoundSpans) -> NDArray[np.intp]:
    """The spans by example, best first; ties by the earlier span, and then the same in any order of windows."""
    score = np.add(spans.start_logit, spans.end_logit, dtype=np.float32)  # as the search compares them
    keys = (spans.example.astype(np.int64) << 32) + descending(score)
    order = np.argsort(keys, kind="stable")  # quick, for the spans of a window come sorted
    same = np.flatnonzero(np.diff(keys[order]) == 0)
    tied = np.union1d(same, same + 1)
    ties = order[tied]
    others = (spans.end_logit, spans.start_logit, spans.end, spans.start, keys)
    order[tied] = ties[np.lexsort([values[ties] for values in others])]
    return order


def _predict(
    example: Example,
    places: NDArray[np.integer[Any]],
    logits: NDArray[np.float64],
    null_score: float,
    n_best: int,
    with_null: bool,
) -> Prediction:
    """Of the example's spans, best first; places: start and end, logits: of start and end, and their sum."""
    (starts, ends), (start_logits, end_logits, scores) = places.tolist(), logits.tolist()
    texts = [example.context[start:end] for start, end in zip(starts, ends, strict=True)]
    return ranked(example.id, (texts, starts, ends, start_logits, end_logits, scores), null_score, n_best, with_null)


def ranked(name: str, spans: Columns, null_score: float, n_best: int, with_null: bool) -> Prediction:
    """A prediction from spans, best first; of those with the same text the first is kept."""
    texts = spans[0]
    if len(texts) > n_best or len(set(texts)) < len(texts):
        first = {text: place for place, text in reversed(list(enumerate(texts)))}
        kept = sorted(first.values())[:n_best]
        spans = tuple([values[one] for one in kept] for values in spans)  # type: ignore[assignment]
    texts, starts, ends, start_logits, end_logits, scores = spans
    if not texts:
        return Prediction(name, "", None, None, 1.0 if with_null else 0.0, (), null_score, math.inf)
    probabilities = softmax([*scores, null_score] if with_null else scores)
    candidates = tuple(map(Candidate, texts, starts, ends, start_logits, end_logits, probabilities))
    return Prediction(
        name, texts[0], starts[0], ends[0], probabilities[0], candidates, null_score, null_score - scores[0]
    )


def choose(prediction: Prediction, threshold: float | None) -> Prediction:
    """No answer where the null score difference exceeds the threshold; None = the benchmark always has an answer.

    Source: BERT's and Hugging Face's SQuAD 2.0 decoding.
    """
    if not prediction.n_best or threshold is None or prediction.null_score_difference <= threshold:
        return prediction
    remaining = 1.0 - math.fsum(candidate.probability for candidate in prediction.n_best)
    return replace(prediction, text="", start=None, end=None, probability=max(remaining, 0.0))


def softmax(scores: Sequence[float]) -> list[float]:
    """Probabilities that sum to 1; empty for no scores."""
    highest = max(scores, default=0.0)
    weights = [math.exp(score - highest) for score in scores]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
