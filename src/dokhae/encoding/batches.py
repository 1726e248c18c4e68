"""Windows -> padded arrays for a model, and which windows go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import Features
from dokhae.encoding.layout import Layout
from dokhae.encoding.offsets import Ints

PAD_TO = 8  # columns: a multiple that vector units like


@dataclass(frozen=True, slots=True)
class Batch:
    """Some windows as the model sees them. R rows, C columns."""

    windows: NDArray[np.int64]  # (R,) numbers of the windows
    inputs: dict[str, NDArray[np.int64]]  # what the tokenizer's model_input_names ask for, each (R, C)
    present: NDArray[np.bool_]  # (R, C) real tokens, not padding
    cls: NDArray[np.int64]  # (R,) column of the CLS token
    context_column: NDArray[np.int64]  # (R,) column of the window's first context token
    legal: NDArray[np.bool_]  # (R, C) tokens of the context that stand for characters: an answer may begin or end here
    start_labels: NDArray[np.int64]  # (R,) column of the first token of the answer; the CLS where it is not in here
    end_labels: NDArray[np.int64]  # (R,)


def sequence_lengths(
    features: Features, layout: Layout, windows: NDArray[np.int64] | slice = slice(None)
) -> NDArray[np.int64]:
    """Tokens of some windows (of all, by default), special tokens and question included."""
    example = features.window_example[windows]
    question = features.question_bounds[example + 1] - features.question_bounds[example]
    return features.window_end[windows] - features.window_start[windows] + question + layout.special_count


def assemble(features: Features, windows: NDArray[np.int64], layout: Layout) -> Batch:
    """Lay out some windows, padded to the longest of them (rounded up to a multiple of 8)."""
    lengths = sequence_lengths(features, layout, windows)
    columns = min(-(-int(lengths.max()) // PAD_TO) * PAD_TO, features.max_length)
    shape = (len(windows), columns)
    ids = np.full(shape, layout.pad_id, dtype=np.int64)
    types = np.full(shape, layout.pad_type, dtype=np.int64)
    legal = np.zeros(shape, dtype=np.bool_)
    question, context = _texts(features, windows)
    texts = (question, context) if layout.question_first else (context, question)
    left = columns - lengths if layout.pad_left else np.zeros_like(lengths)
    specials_at, texts_at, at = [], [], left
    for number, (tokens, kinds) in enumerate(zip(layout.specials, layout.special_types, strict=True)):
        specials_at.append(at)
        at = _lay_specials(ids, types, at, tokens, kinds)
        if number < len(texts):
            texts_at.append(at)
            inside, places, at = _find(texts[number], at, columns)
            ids[inside], types[inside] = texts[number].ids[places], layout.text_types[number]
            if texts[number] is context:
                legal[inside] = features.context_ends[places] > features.context_starts[places]
    column = np.arange(columns)
    present = (column >= left[:, None]) & (column < at[:, None])
    made = {"input_ids": ids, "attention_mask": present.astype(np.int64), "token_type_ids": types}
    cls = specials_at[layout.cls[0]] + layout.cls[1]
    context_column = texts_at[1 if layout.question_first else 0]
    start_labels, end_labels = _labels(features, windows, cls, context_column)
    return Batch(
        windows=windows,
        inputs={name: made[name] for name in layout.input_names if name in made},
        present=present,
        cls=cls,
        context_column=context_column,
        legal=legal,
        start_labels=start_labels,
        end_labels=end_labels,
    )


class _Texts(NamedTuple):
    """A text of each row: tokens [begin, end) of flat arrays."""

    ids: Ints
    begin: NDArray[np.int64]  # (R,)
    end: NDArray[np.int64]  # (R,)


def _texts(features: Features, windows: NDArray[np.int64]) -> tuple[_Texts, _Texts]:
    """The questions of some windows, and their slices of the contexts."""
    example = features.window_example[windows]
    first = features.context_bounds[features.example_context[example]]
    return (
        _Texts(features.question_ids, features.question_bounds[example], features.question_bounds[example + 1]),
        _Texts(features.context_ids, first + features.window_start[windows], first + features.window_end[windows]),
    )


def _find(
    texts: _Texts, at: NDArray[np.int64], columns: int
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Where texts stand that begin at column `at` of each row: mask (R, C), places in the flat arrays, next column."""
    column = np.arange(columns)
    after = at + texts.end - texts.begin
    inside = (column >= at[:, None]) & (column < after[:, None])
    return inside, (column + (texts.begin - at)[:, None])[inside], after


def _lay_specials(
    ids: NDArray[np.int64], types: NDArray[np.int64], at: NDArray[np.int64], tokens: Sequence[int], kinds: Sequence[int]
) -> NDArray[np.int64]:
    """Write special tokens from column `at` of each row on; returns the next column."""
    rows = np.arange(len(ids))
    for token, kind in zip(tokens, kinds, strict=True):
        ids[rows, at], types[rows, at] = token, kind
        at = at + 1
    return at


def _labels(
    features: Features, windows: NDArray[np.int64], cls: NDArray[np.int64], context_column: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Columns of the answer's first and last token; both the CLS where the window does not hold the whole answer."""
    example = features.window_example[windows]
    start, end = features.answer_start[example], features.answer_end[example]
    first, last = features.window_start[windows], features.window_end[windows]
    inside = (start >= first) & (end < last) & (start >= 0)
    return (
        np.where(inside, context_column + start - first, cls),
        np.where(inside, context_column + end - first, cls),
    )


def bucket_by_length(lengths: NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Batches of windows of similar length in random order: shuffle, sort inside pools of 50 batches, shuffle batches.

    The same arguments give the same batches; every window appears once an epoch.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    pool = batch_size * 50
    batches: list[NDArray[np.int64]] = []
    for first in range(0, len(order), pool):
        members = order[first : first + pool]
        members = members[np.argsort(lengths[members], kind="stable")]
        batches += [members[start : start + batch_size] for start in range(0, len(members), batch_size)]
    return [batches[index] for index in random.permutation(len(batches))]
