"""THE path: examples -> windows -> score(inputs) -> predictions. PyTorch, ONNX Runtime and others are such scores.

Validation during training, `dokhae predict`, the reader and whatever serves it walk these functions and no others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dokhae.decoding import DecodingConfig, FoundSpans, WindowSpans, best_spans, choose, concatenate, merge, trimmed
from dokhae.encoding import Batch, Features, Layout, assemble, in_rows, sequence_lengths
from dokhae.encoding.ahead import ahead
from dokhae.errors import NotFinite
from dokhae.korean.trimming import Trimmer
from dokhae.types import Example, Prediction

# a batch of T tokens -> start and end logits, float32 (T,)
Logits = tuple[NDArray[np.float32], NDArray[np.float32]]
Score = Callable[[Batch], Logits]
Item = TypeVar("Item")
QUESTIONS = 512  # of a portion, at most; the next one is being prepared meanwhile
CHARACTERS = 1 << 20  # of its contexts, at most, unless it is one question


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


@dataclass(frozen=True, slots=True)
class Way:
    """How questions are answered, whichever they are."""

    layout: Layout
    score: Score
    decoding: DecodingConfig
    null_threshold: float | None = None  # None for data where every question has an answer
    batch_size: int = 32  # windows
    world: World = ALONE
    trimmer: Trimmer | None = None  # cuts particles off the answers


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
    """One prediction for each example, in their order, from features that are already built; else as predict_each.

    Nothing is trimmed; `trim` does it.
    """

    def part_of(portion: range) -> Features:
        return features.part(portion.start, portion.stop)

    way = Way(layout, score, decoding, null_threshold, batch_size, world)
    return list(predict_each(examples, part_of, way, progress))


def predict_each(
    examples: Sequence[Example],
    features_of: Callable[[range], Features],
    way: Way,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Prediction]:
    """One prediction for each example, in their order; the same in every process of the way's world.

    Nothing but a portion of them is in memory at once. features_of: builds the features of the examples with these
    numbers; it may be called in another thread. progress is called with the questions done.
    """
    numbers = list(portions(examples))
    walk = ahead if len(numbers) > 1 else map
    for features, portion in zip(walk(features_of, numbers), numbers, strict=True):
        yield from _answers(examples, portion, features, way, progress)


def portions(examples: Sequence[Example]) -> Iterator[range]:
    """The numbers of examples that are worked on together: enough to find windows of one length, few for the memory.

    They hang on the examples alone: what is predicted is the same however many processes there are.
    """
    first = characters = 0
    for number, example in enumerate(examples):
        characters += len(example.context)
        if number - first == QUESTIONS or (characters > CHARACTERS and number > first):
            yield range(first, number)
            first, characters = number, len(example.context)
    if first < len(examples):
        yield range(first, len(examples))


def _answers(
    examples: Sequence[Example], portion: range, features: Features, way: Way, progress: Callable[[int], None]
) -> list[Prediction]:
    """The predictions of a portion. While the model works on a batch, threads lay out the next and reduce the last."""

    def reduced(scored: tuple[Batch, Logits]) -> WindowSpans:
        batch, (start, end) = scored
        return reduce(batch, start, end, way.decoding)

    batches = deal(plan(features, way.layout, way.batch_size), way.world)
    walk = ahead if len(batches) > 1 else map
    assembled = walk(lambda windows: assemble(features, windows, way.layout), batches)
    parts: list[WindowSpans] = []
    done = 0
    for part in walk(reduced, ((batch, way.score(batch)) for batch in assembled)):
        parts.append(part)
        done += len(part.windows) * way.world.size  # the others are as far
        if done < features.window_count:
            progress(portion.start + len(portion) * done // features.window_count)
    gathered = [part for own in way.world.gather(parts) for part in own]
    progress(portion.stop)
    asked = examples[portion.start : portion.stop]
    found = finish(asked, features, gathered, way.decoding, way.null_threshold)
    return found if way.trimmer is None else trim(asked, features, found, way.trimmer, way.null_threshold, way.world)


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


def trim(
    examples: Sequence[Example],
    features: Features,
    predictions: Sequence[Prediction],
    trimmer: Trimmer,
    null_threshold: float | None,
    world: World = ALONE,
) -> list[Prediction]:
    """The predictions without the particles at their ends, where the tokens of their contexts did not end before them.

    The processes of the world share the analysis.
    """
    contexts = list(dict.fromkeys(example.context for example in examples))
    shares = world.gather(trimmer.particles(deal(contexts, world)))
    found = {context: shares[place % world.size][place // world.size] for place, context in enumerate(contexts)}
    with_null = null_threshold is not None
    return [
        choose(
            trimmed(prediction, example, found[example.context],
                    features.context_ends[features.context_slice(number)], with_null),
            null_threshold,
        )
        for number, (example, prediction) in enumerate(zip(examples, predictions, strict=True))
    ]  # fmt: skip
