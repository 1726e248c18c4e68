"""Spans of an example's windows -> its n-best list -> the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from dokhae.types import Candidate, Example, Prediction


def merge(
    example: Example, spans: Iterable[tuple[int, int, float, float]], null_score: float, n_best: int, with_null: bool
) -> Prediction:
    """One example's prediction from the spans of all its windows.

    spans: (first character, character after the last, start logit, end logit). The same span, or the same text, from
    two windows is kept once, with its best score. Probabilities are a softmax over what is kept, and over the null
    answer where the benchmark has one (with_null). The answer is the best span; `choose` decides about no answer.
    """
    ranked = sorted(spans, key=lambda span: (-np.float32(span[2] + span[3]), *span))  # the same in any order of windows
    kept: dict[str, tuple[int, int, float, float]] = {}
    for span in ranked:
        text = example.context[span[0] : span[1]]
        kept.setdefault(text, span)
        if len(kept) == n_best:
            break
    scores = [start_logit + end_logit for _, _, start_logit, end_logit in kept.values()]
    probabilities = softmax([*scores, null_score] if with_null else scores)
    candidates = tuple(
        Candidate(text, *span, probability)
        for (text, span), probability in zip(kept.items(), probabilities, strict=False)
    )
    difference = null_score - scores[0] if scores else math.inf
    answer = Prediction(example.id, "", None, None, probabilities[-1] if with_null else 0.0, candidates, null_score,
                        difference)  # fmt: skip
    return _answered(answer) if candidates else answer


def choose(prediction: Prediction, threshold: float | None) -> Prediction:
    """No answer where the null score difference exceeds the threshold; None = the benchmark always has an answer.

    Source: BERT's and Hugging Face's SQuAD 2.0 decoding.
    """
    if not prediction.n_best or threshold is None or prediction.null_score_difference <= threshold:
        return prediction
    remaining = 1.0 - math.fsum(candidate.probability for candidate in prediction.n_best)
    return replace(prediction, text="", start=None, end=None, probability=max(remaining, 0.0))


def _answered(prediction: Prediction) -> Prediction:
    best = prediction.n_best[0]
    return replace(prediction, text=best.text, start=best.start, end=best.end, probability=best.probability)


def softmax(scores: Sequence[float]) -> list[float]:
    """Probabilities that sum to 1; empty for no scores."""
    highest = max(scores, default=0.0)
    weights = [math.exp(score - highest) for score in scores]
    total = math.fsum(weights)
    return [weight / total for weight in weights]
