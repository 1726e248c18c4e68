"""THE path: examples -> windows -> score(inputs) -> predictions. PyTorch, ONNX Runtime and others are such scores.

Validation during training, `dokhae predict`, the reader and whatever serves it walk these functions and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding import DecodingConfig, FoundSpans, WindowSpans, best_spans, choose, concatenate, merge
from dokhae.encoding import Batch, Features, Layout, assemble, sequence_lengths
from dokhae.errors import NotFinite
from dokhae.types import Example, Prediction

# inputs (R, C) by the model's names -> start and end logits, float32 (R, C)
Score = Callable[[Mapping[str, NDArray[np.int64]]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def predict(
    examples: Sequence[Example],
    features: Features,
    layout: Layout,
    score: Score,
    decoding: DecodingConfig,
    null_threshold: float | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Prediction]:
    """One prediction for each example, in their order.

    null_threshold: None for data where every question has an answer. progress is called with the windows done.
    """
    parts = []
    done = 0
    for windows in plan(features, layout, batch_size):
        batch = assemble(features, windows, layout)
        parts.append(reduce(batch, *score(batch.inputs), decoding))
        done += len(windows)
        progress(done)
    return finish(examples, features, parts, decoding, null_threshold)


def plan(features: Features, layout: Layout, batch_size: int) -> list[NDArray[np.int64]]:
    """Batches of windows, longest first, so that padding is little and a lack of memory shows at once."""
    order = np.argsort(-sequence_lengths(features, layout), kind="stable")
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


def reduce(batch: Batch, start: NDArray[np.float32], end: NDArray[np.float32], decoding: DecodingConfig) -> WindowSpans:
    """The best spans and the null score of each window of a batch, their columns turned into context tokens."""
    # the pruned search looks at every column, but how much padding there is depends on the batch
    start, end = np.where(batch.present, start, -np.inf), np.where(batch.present, end, -np.inf)
    if not all(np.array_equal(np.isfinite(side), batch.present) for side in (start, end)):
        raise NotFinite("the model's logits are not finite (NaN or infinity): its weights are broken, "
                        "or the precision is too small for it; try --precision fp32")  # fmt: skip
    spans = best_spans(batch.windows, start, end, batch.legal, batch.cls, decoding)
    column = batch.context_column[:, None]
    return WindowSpans(
        windows=spans.windows,
        start=spans.start - column,
        end=spans.end - column,
        start_logit=spans.start_logit,
        end_logit=spans.end_logit,
        score=spans.score,
        null_score=spans.null_score,
    )


def finish(
    examples: Sequence[Example],
    features: Features,
    parts: Sequence[WindowSpans],
    decoding: DecodingConfig,
    null_threshold: float | None,
) -> list[Prediction]:
    """Merge the windows of each example, whatever order and batches they came in."""
    if not parts:
        return []
    spans = concatenate(parts)
    owner = features.window_example[spans.windows]
    null_scores = np.full(len(examples), np.inf)
    np.minimum.at(null_scores, owner, spans.null_score)
    window, place = np.nonzero(spans.score > -np.inf)
    first_token = features.context_bounds[features.example_context[owner]] + features.window_start[spans.windows]
    found = FoundSpans(
        example=owner[window],
        start=features.context_starts[first_token[window] + spans.start[window, place]],
        end=features.context_ends[first_token[window] + spans.end[window, place]],
        start_logit=spans.start_logit[window, place],
        end_logit=spans.end_logit[window, place],
    )
    predictions = merge(examples, found, null_scores.tolist(), decoding.n_best, with_null=null_threshold is not None)
    return [choose(prediction, null_threshold) for prediction in predictions]
