"""Windows -> arrays for a model, and which windows go together.

A batch holds its windows end to end, without padding. Models that need rows of one width are given `Batch.padded()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.blocks import Blocks
from dokhae.encoding.features import Features
from dokhae.encoding.layout import Layout
from dokhae.encoding.offsets import Ints

PAD_TO = 8  # columns: a multiple that vector units like
POOL, STEPS = 50, 10  # batches, and optimizer steps, of at least as many windows as are sorted by length together


@dataclass(frozen=True, slots=True)
class Batch:
    """Some windows as the model sees them: R windows of T tokens in all, end to end. Places count from the first."""

    windows: NDArray[np.int64]  # (R,) numbers of the windows
    lengths: NDArray[np.int64]  # (R,) tokens of each
    ids: NDArray[np.int64]  # (T,)
    types: NDArray[np.int64]  # (T,) token types
    cls: NDArray[np.int64]  # (R,) place of the CLS token
    context_at: NDArray[np.int64]  # (R,) place of the window's first context token
    legal: NDArray[np.bool_]  # (T,) tokens of the context that stand for characters: an answer may begin or end here
    start_labels: NDArray[np.int64]  # (R,) place of the first token of the answer; the CLS where it is not in here
    end_labels: NDArray[np.int64]  # (R,)
    blocks: Blocks | None  # of pages; None: contexts are plain text
    layout: Layout
    longest: int  # tokens: no row is padded further (the model may have no more positions)

    @property
    def starts(self) -> NDArray[np.int64]:
        """(R,) place of the first token of each window."""
        return np.cumsum(self.lengths) - self.lengths

    def present(self) -> NDArray[np.bool_]:
        """(R, C) the tokens in rows of one width: the longest window's, rounded up to a multiple of 8."""
        columns = min(-(-int(self.lengths.max(initial=0)) // PAD_TO) * PAD_TO, self.longest)
        place = np.arange(columns)
        return place >= columns - self.lengths[:, None] if self.layout.pad_left else place < self.lengths[:, None]

    def labels(self, heads: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Start and end labels, (R,) each, of the span head, and of two heads also those of the block head.

        To each of them, what the other one answers has no answer.
        """
        if heads == 1 or self.blocks is None:
            return [(self.start_labels, self.end_labels)]
        return [
            (np.where(mine, self.start_labels, self.cls), np.where(mine, self.end_labels, self.cls))
            for mine in (~self.blocks.answered, self.blocks.answered)
        ]

    def padded(self) -> dict[str, NDArray[np.int64]]:
        """What the tokenizer's model_input_names ask for, each (R, C), padded as `present` says."""
        present = self.present()
        made = {
            "input_ids": in_rows(self.ids, present, self.layout.pad_id),
            "token_type_ids": in_rows(self.types, present, self.layout.pad_type),
            "attention_mask": present.astype(np.int64),
        }
        return {name: made[name] for name in self.layout.input_names if name in made}


def in_rows(values: NDArray[Any], present: NDArray[np.bool_], filler: float) -> NDArray[Any]:
    """Values of tokens (T,) laid out in rows (R, C), with a filler where no token is."""
    rows = np.full(present.shape, filler, dtype=values.dtype)
    rows[present] = values
    return rows


def sequence_lengths(
    features: Features, layout: Layout, windows: NDArray[np.int64] | slice = slice(None)
) -> NDArray[np.int64]:
    """Tokens of some windows (of all, by default), special tokens and question included."""
    example = features.window_example[windows]
    question = features.question_bounds[example + 1] - features.question_bounds[example]
    lead = features.window_lead[windows]
    tokens = features.window_end[windows] - features.window_start[windows]
    before = features.lead_bounds[lead + 1] - features.lead_bounds[lead]
    return np.asarray(tokens + question + before + layout.special_count)


def assemble(features: Features, windows: NDArray[np.int64], layout: Layout) -> Batch:
    """Lay out some windows, end to end in the order given."""
    lengths = sequence_lengths(features, layout, windows)
    ids, types = np.empty(lengths.sum(), dtype=np.int64), np.empty(lengths.sum(), dtype=np.int64)
    legal = np.zeros(len(ids), dtype=np.bool_)
    question, lead, context = _texts(features, windows)
    texts = (question, context) if layout.question_first else (context, question)
    specials_at, texts_at, at = [], [], np.cumsum(lengths) - lengths
    for number, (tokens, kinds) in enumerate(zip(layout.specials, layout.special_types, strict=True)):
        specials_at.append(at)
        at = _lay_specials(ids, types, at, tokens, kinds)
        if number < len(texts):
            if texts[number] is context:
                into, places, at = _find(lead, at)
                ids[into], types[into] = lead.ids[places], layout.text_types[number]
            texts_at.append(at)
            into, places, at = _find(texts[number], at)
            ids[into], types[into] = texts[number].ids[places], layout.text_types[number]
            if texts[number] is context:
                legal[into] = features.context_ends[places] > features.context_starts[places]
    if "token_type_ids" not in layout.input_names:  # the model was not pretrained with what the tokenizer would say
        types[:] = 0
    cls = specials_at[layout.cls[0]] + layout.cls[1]
    context_at = texts_at[1 if layout.question_first else 0]
    start_labels, end_labels = _labels(features, windows, cls, context_at)
    return Batch(
        windows=windows,
        lengths=lengths,
        ids=ids,
        types=types,
        cls=cls,
        context_at=context_at,
        legal=legal,
        start_labels=start_labels,
        end_labels=end_labels,
        blocks=_blocks(ids, legal, start_labels, end_labels, context_at, layout) if layout.markers else None,
        layout=layout,
        longest=features.max_length,
    )


class _Texts(NamedTuple):
    """A text of each window: tokens [begin, end) of flat arrays."""

    ids: Ints
    begin: NDArray[np.int64]  # (R,)
    end: NDArray[np.int64]  # (R,)


def _texts(features: Features, windows: NDArray[np.int64]) -> tuple[_Texts, _Texts, _Texts]:
    """The questions of some windows, their leads, and their slices of the contexts."""
    example = features.window_example[windows]
    first = features.context_bounds[features.example_context[example]]
    lead = features.window_lead[windows]
    return (
        _Texts(features.question_ids, features.question_bounds[example], features.question_bounds[example + 1]),
        _Texts(features.lead_ids, features.lead_bounds[lead], features.lead_bounds[lead + 1]),
        _Texts(features.context_ids, first + features.window_start[windows], first + features.window_end[windows]),
    )


def _find(texts: _Texts, at: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of texts that begin at place `at` of each window: their places, those in the flat arrays, the next place."""
    sizes = texts.end - texts.begin
    inside = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(at, sizes) + inside, np.repeat(texts.begin, sizes) + inside, at + sizes


def _lay_specials(
    ids: NDArray[np.int64], types: NDArray[np.int64], at: NDArray[np.int64], tokens: Sequence[int], kinds: Sequence[int]
) -> NDArray[np.int64]:
    """Write special tokens from place `at` of each window on; returns the next place."""
    for token, kind in zip(tokens, kinds, strict=True):
        ids[at], types[at] = token, kind
        at = at + 1
    return at


def _labels(
    features: Features, windows: NDArray[np.int64], cls: NDArray[np.int64], context_at: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the answer's first and last token; both the CLS where the window does not hold the whole answer."""
    example, first, held = features.window_example[windows], features.window_start[windows], features.held(windows)
    places = (context_at + ends[example] - first for ends in (features.answer_start, features.answer_end))
    start, end = (np.where(held, place, cls) for place in places)
    return start, end


def _blocks(
    ids: NDArray[np.int64],
    legal: NDArray[np.bool_],
    start_labels: NDArray[np.int64],
    end_labels: NDArray[np.int64],
    context_at: NDArray[np.int64],
    layout: Layout,
) -> Blocks:
    """Where blocks begin and end: with the last token before a marker, or of the window, that stands for something."""
    markers, closing = legal & np.isin(ids, layout.markers), legal & np.isin(ids, layout.closings)
    at = np.flatnonzero(legal)
    window = np.searchsorted(context_at, at, side="right")
    is_last = np.append(markers[at[1:]] | (window[1:] != window[:-1]), True)[: len(at)]
    ends = closing.copy()
    ends[at[is_last]] = True
    starts = markers & ~closing
    return Blocks(starts, ends, starts[start_labels] & ends[end_labels])


def bucket_by_length(
    lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int, together: int = 1
) -> list[NDArray[np.int64]]:
    """Batches of windows of similar length in random order, every `together` of them equally long, one optimizer step.

    The windows are shuffled, sorted inside pools of 50 batches (of 10 steps, if that is more) and cut into steps, whose
    windows are dealt out to their batches: processes that take one each are done at one time. The steps are shuffled;
    what is left over is the last. The same arguments give the same batches; every window appears once an epoch.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    windows = batch_size * together
    pool = windows * max(-(-POOL // together), STEPS)
    left = len(order) % windows if together > 1 else 0  # fewer batches, after which the steps would be out of turn
    order, rest = order[: len(order) - left], order[len(order) - left :]
    steps: list[NDArray[np.int64]] = []
    for first in range(0, len(order), pool):
        members = _by_length(order[first : first + pool], lengths)
        steps += [members[start : start + windows] for start in range(0, len(members), windows)]
    steps = [steps[index] for index in random.permutation(len(steps))]
    return [
        step[number :: -(-len(step) // batch_size)]
        for step in (*steps, _by_length(rest, lengths))
        for number in range(-(-len(step) // batch_size))
    ]


def _by_length(windows: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return windows[np.argsort(lengths[windows], kind="stable")]


def bucket_by_tokens(lengths: NDArray[np.int64], budget: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Batches of windows of similar length in random order, as full as `budget` tokens allow (padding not counted).

    The same arguments give the same batches; every window appears once an epoch; a window longer than the budget is a
    batch of its own. Windows of equal length are drawn anew each epoch, so each epoch has as many batches.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    order = order[np.argsort(lengths[order], kind="stable")]
    ends = np.cumsum(lengths[order])
    batches: list[NDArray[np.int64]] = []
    first = before = 0
    while first < len(order):
        last = max(int(np.searchsorted(ends, before + budget, side="right")), first + 1)
        batches.append(order[first:last])
        first, before = last, int(ends[last - 1])
    return [batches[index] for index in random.permutation(len(batches))]
