"""Scores without a model: one that knows the answers, and one that says the same of a window in any batch."""

from __future__ import annotations

import numpy as np

from dokhae.encoding import assemble
from dokhae.predict import plan


def oracle(features, layout, batch_size=32):
    """High logits at the labels: the answer's tokens, or the CLS. For one predict() of that batch size."""
    batches = iter(plan(features, layout, batch_size))

    def score(inputs):
        batch = assemble(features, next(batches), layout)
        rows = np.arange(len(batch.windows))
        start, end = (np.zeros(batch.present.shape, dtype=np.float32) for _ in range(2))
        start[rows, batch.start_labels] = 10.0
        end[rows, batch.end_labels] = 10.0
        return start, end

    return score


def arbitrary(inputs):
    """Logits that hang on the tokens and their places alone, with padding that would always win."""
    ids, present = inputs["input_ids"], inputs["attention_mask"].astype(bool)
    place = np.cumsum(present, axis=1)
    start, end = (
        np.where(present, np.sin(ids * rate + place * place), 99.0).astype(np.float32) for rate in (12.9898, 78.233)
    )
    return start, end
