"""Answers from pages, widened to whole elements: no tag is cut in two, and what is opened is closed."""

from __future__ import annotations

from dokhae.decoding.merge import ranked
from dokhae.pages.elements import whole
from dokhae.pages.tags import TAG
from dokhae.types import Example, Prediction


def whole_elements(prediction: Prediction, example: Example, with_null: bool) -> Prediction:
    """The same prediction with whole elements in its n-best list; of those that become the same the best is kept.

    What shows nothing, tags alone, is no answer.
    """
    context, columns = example.context, []
    for one in prediction.n_best:
        start, end = whole(context, one.start, one.end)
        text = context[start:end]
        if TAG.sub("", text).strip():
            columns.append((text, start, end, one.start_logit, one.end_logit, one.score))
    spans = tuple(map(list, zip(*columns, strict=True))) if columns else ([], [], [], [], [], [])
    return ranked(prediction.id, spans, prediction.null_score, len(columns), with_null)  # type: ignore[arg-type]
