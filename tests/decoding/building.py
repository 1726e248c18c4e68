"""Merging the spans of one example, as tests like to write them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dokhae.decoding import FoundSpans, merge
from dokhae.types import Example, Prediction


def merge_one(
    example: Example, spans: Iterable[tuple[int, int, float, float]], null_score: float, n_best: int, with_null: bool
) -> Prediction:
    """Its prediction; spans: (first character, character after the last, start logit, end logit)."""
    starts, ends, start_logits, end_logits = np.array(list(spans)).reshape(-1, 4).T
    places = starts.astype(np.int64), ends.astype(np.int64)
    found = FoundSpans(np.zeros_like(places[0]), *places, start_logits, end_logits)
    return merge([example], found, [null_score], n_best, with_null)[0]
