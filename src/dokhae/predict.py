"""THE path: examples -> windows -> score(inputs) -> predictions. PyTorch, ONNX Runtime and others are such scores.

Validation during training, `dokhae predict`, the reader and whatever serves it walk these functions and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding import DecodingConfig, FoundSpans, WindowSpans, best_spans, choose, concatenate, merge
from dokhae.encoding import Batch, Features, Layout, assemble, in_rows, sequence_lengths
from dokhae.errors import NotFinite
from dokhae.types import Example, Prediction

# a batch of T tokens -> start and end logits, float32 (T,)
Score = Callable[[Batch], tuple[NDArray[np.float32], NDArray[np.float32]]]
Item = TypeVar("Item")


class World(Protocol):
    """The processes that share the work."""

    @property
    def rank(self) -> int:
        """The number of this one, from 0."""

    @property
    def size(self) -> int:
        """How many there are."""

    def gather(self, part: Any) -> list[Any]:  # noqa: ANN401 - whatever each of them has
        """The parts of all processes in the order of their ranks; the same in each of them."""


class Alone:
    """The world of one process."""

    rank, size = 0, 1

    def gather(self, part: Any) -> list[Any]:  # noqa: ANN401
        """The only part."""
        return [part]


ALONE = Alone()


def predict(
    examples: Sequence[Example],
    features: Features,
    layout: Layout,
    score: Score,
    decoding: DecodingConfig,
    null_threshold: float | None = None,
    batch_size: int = 32,
    progress: Callable[[int], None] = lambda done: None,
    world: World = ALONE,
) -> list[Prediction]:
    """One prediction for each example, in their order; the same in every process of `world`.

    null_threshold: None for data where every question has an answer. progress is called with the windows done.
    """
    parts = []
    done = 0
    for windows in deal(plan(features, layout, batch_size), world):
        batch = assemble(features, windows, layout)
        parts.append(reduce(batch, *score(batch), decoding))
        done += len(windows) * world.size
        progress(min(done, features.window_count))
    gathered = [part for own in world.gather(parts) for part in own]
    return finish(examples, features, gathered, decoding, null_threshold)


def deal(batches: Sequence[Item], world: World) -> Sequence[Item]:
    """One process's share of batches. They are composed before they are dealt, so no window has other neighbours."""
    return batches[world.rank :: world.size]


def plan(features: Features, layout: Layout, batch_size: int) -> list[NDArray[np.int64]]:
    """Batches of windows, longest first, so that padding is little and a lack of memory shows at once."""
    order = np.argsort(-sequence_lengths(features, layout), kind="stable")
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


def reduce(batch: Batch, start: NDArray[np.float32], end: NDArray[np.float32], decoding: DecodingConfig) -> WindowSpans:
    """The best spans and the null score of each window of a batch, its places turned into tokens of the context.

    start, end: logits, (T,).
    """
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise NotFinite("the model's logits are not finite (NaN or infinity): its weights are broken, "
                        "or the precision is too small for it; try --precision fp32")  # fmt: skip
    present = np.arange(batch.lengths.max(initial=0)) < batch.lengths[:, None]  # -inf beyond: nothing is chosen there
    start, end = in_rows(start, present, -np.inf), in_rows(end, present, -np.inf)
    legal, first = in_rows(batch.legal, present, False), batch.starts
    spans = best_spans(batch.windows, start, end, legal, batch.cls - first, decoding)
    column = (batch.context_at - first)[:, None]
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
