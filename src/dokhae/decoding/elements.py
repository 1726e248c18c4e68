"""Answers from pages, widened to whole elements: no tag is cut in two, and what is opened is closed."""

from __future__ import annotations

import numpy as np

from dokhae.decoding.merge import ranked
from dokhae.pages.elements import whole
from dokhae.types import Example, Prediction


def whole_elements(prediction: Prediction, example: Example, with_null: bool) -> Prediction:
    """The same prediction with whole elements in its n-best list; of those that become the same the best is kept."""
    found = [whole(example.context, one.start, one.end) for one in prediction.n_best]
    if not found:
        return prediction
    starts, ends = map(list, zip(*found, strict=True))
    texts = [example.context[start:end] for start, end in found]
    logits = np.array([(one.start_logit, one.end_logit, one.score) for one in prediction.n_best]).T.tolist()
    return ranked(prediction.id, (texts, starts, ends, *logits), prediction.null_score, len(found), with_null)
