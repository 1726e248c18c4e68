"""The documented decoder of the plain Hugging Face way: pairs of the best starts and ends, in Python loops."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speed.plain_features import PlainSettings, Row


def decode(
    examples: Iterable[Row],
    features: Sequence[Row],
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    settings: PlainSettings,
) -> tuple[dict[str, str], dict[str, list[dict[str, Any]]]]:
    """The answer and the n-best list of every example, as the guide's script computes and writes them.

    examples, features: to_dataset and validation_features, as data sets or as lists of their rows. starts, ends:
    logits, (window, column).
    """
    windows_of: dict[str, list[int]] = collections.defaultdict(list)
    for window, feature in enumerate(features):
        windows_of[feature["example_id"]].append(window)
    answers, n_best = {}, {}
    for example in examples:
        found: list[dict[str, Any]] = []
        null_score = math.inf
        for window in windows_of[example["id"]]:
            null_score = min(null_score, starts[window][0] + ends[window][0])
            offsets, widest = features[window]["offset_mapping"], features[window].get("token_is_max_context")
            found += window_spans(starts[window], ends[window], offsets, widest, settings)
        found = sorted(found, key=lambda span: span["score"], reverse=True)[: settings.n_best]
        context = example["context"]
        for span in found:
            begin, stop = span.pop("offsets")
            span["text"] = context[begin:stop]
        if not found:
            found = [{"text": "", "start_logit": 0.0, "end_logit": 0.0, "score": 0.0}]
        scores = np.array([span.pop("score") for span in found])
        weights = np.exp(scores - np.max(scores))
        for span, probability in zip(found, weights / weights.sum(), strict=True):
            span["probability"] = probability
        answers[example["id"]] = found[0]["text"]
        n_best[example["id"]] = [
            {key: float(value) if isinstance(value, np.floating) else value for key, value in span.items()}
            for span in found
        ]
    return answers, n_best


def window_spans(
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    offsets: Sequence[Any],
    widest: Mapping[str, bool] | None,
    settings: PlainSettings,
) -> list[dict[str, Any]]:
    """Every legal pair of one of the n-best starts with one of the n-best ends of a window.

    widest: whether a token has more context here than in other windows, where the features say so.
    """
    found = []
    best_starts = np.argsort(starts)[-1 : -settings.n_best - 1 : -1].tolist()
    best_ends = np.argsort(ends)[-1 : -settings.n_best - 1 : -1].tolist()
    for start in best_starts:
        for end in best_ends:
            if (
                start >= len(offsets)
                or end >= len(offsets)
                or offsets[start] is None
                or len(offsets[start]) < 2
                or offsets[end] is None
                or len(offsets[end]) < 2
            ):
                continue
            if end < start or end - start + 1 > settings.max_answer_length:
                continue
            if widest is not None and not widest.get(str(start), False):
                continue
            found.append(
                {
                    "offsets": (offsets[start][0], offsets[end][1]),
                    "score": starts[start] + ends[end],
                    "start_logit": starts[start],
                    "end_logit": ends[end],
                }
            )
    return found
