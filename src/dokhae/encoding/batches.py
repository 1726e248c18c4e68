"""Windows -> padded arrays for a model, and which windows go together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import Features
from dokhae.encoding.layout import Layout

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
    present = np.zeros(shape, dtype=np.bool_)
    legal = np.zeros(shape, dtype=np.bool_)
    cls = np.zeros(len(windows), dtype=np.int64)
    context_column = np.zeros(len(windows), dtype=np.int64)
    for row, window in enumerate(windows.tolist()):
        left = columns - int(lengths[row]) if layout.pad_left else 0
        here = slice(left, left + int(lengths[row]))
        tokens = _context_tokens(features, window)
        question = _question_ids(features, int(features.window_example[window]))
        cls_at, context_at = _lay(layout, question, features.context_ids[tokens], ids[row, here], types[row, here])
        cls[row], context_column[row] = left + cls_at, left + context_at
        present[row, here] = True
        inside = slice(left + context_at, left + context_at + tokens.stop - tokens.start)
        legal[row, inside] = features.context_ends[tokens] > features.context_starts[tokens]
    made = {"input_ids": ids, "attention_mask": present.astype(np.int64), "token_type_ids": types}
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


def _context_tokens(features: Features, window: int) -> slice:
    """Where a window's context tokens lie in the flat arrays."""
    first = features.context_slice(int(features.window_example[window])).start
    return slice(first + int(features.window_start[window]), first + int(features.window_end[window]))


def _question_ids(features: Features, example: int) -> NDArray[np.int32]:
    return features.question_ids[features.question_bounds[example] : features.question_bounds[example + 1]]


def _lay(
    layout: Layout,
    question: NDArray[np.int32],
    context: NDArray[np.int32],
    ids: NDArray[np.int64],
    types: NDArray[np.int64],
) -> tuple[int, int]:
    """Fill one row in place; returns the columns of the CLS and of the first context token."""
    first, second = (question, context) if layout.question_first else (context, question)
    before, between, after = layout.specials
    parts: tuple[Any, ...] = (before, first, between, second, after)
    kinds = layout.special_types
    marks: tuple[Any, ...] = (kinds[0], layout.text_types[0], kinds[1], layout.text_types[1], kinds[2])
    columns = []
    column = 0
    for part, mark in zip(parts, marks, strict=True):
        columns.append(column)
        ids[column : column + len(part)] = part
        types[column : column + len(part)] = mark
        column += len(part)
    group, index = layout.cls
    return columns[2 * group] + index, columns[3 if layout.question_first else 1]


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
