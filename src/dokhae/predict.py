"""THE path: examples -> windows -> score(inputs) -> predictions. PyTorch, ONNX Runtime and others are such scores.

Validation during training, `dokhae predict`, the reader and whatever serves it walk these functions and no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from dokhae.budget import WHOLE, Budget, Meter
from dokhae.decoding import (
    DecodingConfig,
    FoundSpans,
    WindowSpans,
    beside,
    best_spans,
    choose,
    concatenate,
    merge,
    particles_of,
    trimmed,
    whole_elements,
)
from dokhae.encoding import Batch, Features, Layout, assemble, in_rows, sequence_lengths
from dokhae.encoding.ahead import ahead
from dokhae.encoding.ranking import best_first, best_windows
from dokhae.errors import NotFinite
from dokhae.korean.trimming import Trimmer
from dokhae.sharing import ALONE, World, deal, most_tokens, plan, portions, refuse_sharing
from dokhae.types import Example, Prediction

# a batch of T tokens -> start and end logits, float32 (T,), then those of blocks where the model has a head for them
Logits = tuple[NDArray[np.float32], ...]
Score = Callable[[Batch], Logits]
AT_ONCE = 8  # windows between two looks at the clock, at most


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
    budget: Budget = WHOLE  # what one question may take
    meter: Meter = field(default_factory=Meter)  # counts what was read; where there is a latency, knows the speed


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
    numbers; it may be called in another thread. progress is called with the questions done. With a latency in its
    budget each question is read alone, as predict_alone does.
    """
    if way.budget.latency_ms is not None:
        yield from (prediction for prediction, _ in predict_alone(examples, features_of, way, progress))
        return
    numbers = list(portions(examples))
    walk = ahead if len(numbers) > 1 else map
    for features, portion in zip(walk(features_of, numbers), numbers, strict=True):
        yield from _answers(examples, portion, features, way, progress)


def predict_alone(
    examples: Sequence[Example],
    features_of: Callable[[range], Features],
    way: Way,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[tuple[Prediction, float]]:
    """Each prediction with the seconds it took, from its texts to its answer; no question shares anything with others.

    The first one is answered once before, untimed, where the way's meter is cold. SettingsError in several processes.
    """
    refuse_sharing(way.world.size)
    for number in range(len(examples)):
        if not way.meter.warm:
            _alone(examples, number, features_of, replace(way, meter=Meter()))
            way.meter.warm = True
        begun = time.perf_counter()
        prediction = _alone(examples, number, features_of, way)
        seconds = time.perf_counter() - begun
        progress(number + 1)
        yield prediction, seconds


def _answers(
    examples: Sequence[Example],
    portion: range,
    features: Features,
    way: Way,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Prediction]:
    """The predictions of a portion. While the model works on a batch, threads lay out the next and reduce the last."""

    def reduced(scored: tuple[Batch, Logits]) -> WindowSpans:
        return reduce(*scored, way.decoding)

    chosen = best_windows(features, way.layout, way.budget.max_windows)
    way.meter.count(len(chosen), features.window_count)
    batches = deal(plan(features, way.layout, way.batch_size, chosen, most_tokens(way.score)), way.world)
    walk = ahead if len(batches) > 1 else map
    assembled = walk(lambda windows: assemble(features, windows, way.layout), batches)
    parts: list[WindowSpans] = []
    done = 0
    with way.world.together():  # one of them may have the window that is too much for the memory
        for part in walk(reduced, ((batch, way.score(batch)) for batch in assembled)):
            parts.append(part)
            done += len(part.windows) * way.world.size  # the others are as far
            if done < len(chosen):
                progress(portion.start + len(portion) * done // len(chosen))
    gathered = [part for own in way.world.gather(parts) for part in own]
    progress(portion.stop)
    return _finished(examples[portion.start : portion.stop], features, gathered, way)


def _alone(examples: Sequence[Example], number: int, features_of: Callable[[range], Features], way: Way) -> Prediction:
    """The prediction of one example, from the windows that its latency leaves time for."""
    begun, portion = time.perf_counter(), range(number, number + 1)
    features = features_of(portion)
    if way.budget.latency_ms is None:
        return _answers(examples, portion, features, way)[0]
    parts = _read_in_time(features, way, begun + way.budget.latency_ms / 1000)
    read = time.perf_counter()
    prediction = _finished(examples[number : number + 1], features, parts, way)[0]
    way.meter.ended(time.perf_counter() - read)
    return prediction


def _read_in_time(features: Features, way: Way, deadline: float) -> list[WindowSpans]:
    """The best spans of one example's windows, the best windows first, while the next are likely to be done in time."""
    order = best_first(features, 0, way.layout)[: way.budget.max_windows]
    lengths = sequence_lengths(features, way.layout, order)
    parts: list[WindowSpans] = []
    done = 0
    while done < len(order):
        tokens = way.meter.tokens_in(deadline - time.perf_counter())
        fitting = int(np.searchsorted(np.cumsum(lengths[done:]), tokens, side="right"))
        if done and not fitting:
            break
        last = done + min(max(fitting, 1), AT_ONCE, way.batch_size)
        begun = time.perf_counter()
        batch = assemble(features, order[done:last], way.layout)
        parts.append(reduce(batch, way.score(batch), way.decoding))
        way.meter.scored(time.perf_counter() - begun, len(batch.ids))
        done = last
    way.meter.count(done, features.window_count)
    return parts


def _finished(asked: Sequence[Example], features: Features, parts: Sequence[WindowSpans], way: Way) -> list[Prediction]:
    """The predictions of these examples from the spans of all windows that were read."""
    found = finish(asked, features, parts, way.layout, way.decoding, way.null_threshold)
    if way.trimmer is None:
        return found
    return trim(asked, features, found, way.layout, way.trimmer, way.null_threshold, way.world)


def reduce(batch: Batch, logits: Logits, decoding: DecodingConfig) -> WindowSpans:
    """The best spans and the null score of each window of a batch, its places turned into tokens of the context.

    logits: (T,) each. Where there are some of blocks, both kinds of answer are compared by how much better they are
    than no answer, each in the eyes of its own head; the null score is 0 then.
    """
    if not all(np.isfinite(one).all() for one in logits):
        raise NotFinite("the model's logits are not finite (NaN or infinity): its weights are broken, "
                        "or the precision is too small for it; try --precision fp32")  # fmt: skip
    present = np.arange(batch.lengths.max(initial=0)) < batch.lengths[:, None]  # -inf beyond: nothing is chosen there
    rows = [in_rows(one, present, -np.inf) for one in logits]
    legal, first = in_rows(batch.legal, present, False), batch.starts
    cls = batch.cls - first
    blocks = batch.blocks if len(rows) > 2 else None
    if blocks is not None:
        rows = [row - row[np.arange(len(cls)), cls, None] for row in rows]
    spans = best_spans(batch.windows, rows[0], rows[1], (legal, legal), cls, decoding)
    if blocks is not None:
        whole = replace(decoding, max_answer_length=rows[0].shape[1], search="exact")
        ranges = (in_rows(blocks.starts, present, False), in_rows(blocks.ends, present, False))
        spans = beside(spans, best_spans(batch.windows, rows[2], rows[3], ranges, cls, whole))
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
    layout: Layout,
    decoding: DecodingConfig,
    null_threshold: float | None,
) -> list[Prediction]:
    """Merge the windows of each example, whatever order and batches they came in; pages answer with whole elements."""
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
    with_null = null_threshold is not None
    predictions = merge(examples, found, null_scores.tolist(), decoding.n_best, with_null)
    if layout.markers:
        predictions = [whole_elements(*pair, with_null) for pair in zip(predictions, examples, strict=True)]
    return [choose(prediction, null_threshold) for prediction in predictions]


def trim(
    examples: Sequence[Example],
    features: Features,
    predictions: Sequence[Prediction],
    layout: Layout,
    trimmer: Trimmer,
    null_threshold: float | None,
    world: World = ALONE,
) -> list[Prediction]:
    """The predictions without the particles at their ends, where the tokens of their contexts did not end before them.

    The processes of the world share the analysis.
    """
    contexts = list(dict.fromkeys(example.context for example in examples))
    with world.together():
        own = particles_of(deal(contexts, world), trimmer, html=bool(layout.markers))
    shares = world.gather(own)
    found = {context: shares[place % world.size][place // world.size] for place, context in enumerate(contexts)}
    with_null = null_threshold is not None
    cut = []
    for number, (example, prediction) in enumerate(zip(examples, predictions, strict=True)):
        token_ends = features.context_ends[features.context_slice(number)]
        one = trimmed(prediction, example, found[example.context], token_ends, with_null)
        cut.append(whole_elements(one, example, with_null) if layout.markers else one)
    return [choose(one, null_threshold) for one in cut]
