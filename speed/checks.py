"""Are features the same? Each says what it compared, and is an AssertionError where something differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding import Batch, Features
from dokhae.types import Example
from speed import legacy


def same_training(rows: Any, ours: tuple[Features, list[Batch]], examples: Sequence[Example]) -> str:  # noqa: ANN401
    """Every id, mask, type and label; only of an answer with white space at its end the plain way labels one more."""
    features, batches = ours
    compare_inputs(rows, batches)
    labels = label_columns(batches)
    wanted = [np.array(rows[name][:]) for name in ("start_positions", "end_positions")]
    other = np.flatnonzero((labels[0] != wanted[0]) | (labels[1] != wanted[1]))
    for window in other.tolist():
        example = examples[features.window_example[window]]
        assert example.answers[0].text[-1].isspace(), f"question {example.id}: window {window} has other labels"
    but = f" but for {len(other)} of answers that end in white space" if len(other) else ""
    return f"ids, masks, types and labels of {len(rows)} windows identical{but}"


def same_validation(rows: Any, ours: tuple[Features, list[Batch]]) -> str:  # noqa: ANN401
    """Every id, mask, type, and the characters of every token of the context."""
    features, batches = ours
    compare_inputs(rows, batches)
    window = differing = tokens = 0
    offsets = rows["offset_mapping"][:]
    for batch in batches:
        for number in batch.windows.tolist():
            first = features.context_slice(int(features.window_example[number])).start
            here = slice(first + int(features.window_start[number]), first + int(features.window_end[number]))
            found = np.stack([features.context_starts[here], features.context_ends[here]], axis=1)
            wanted = np.array([offset for offset in offsets[window] if offset is not None]).reshape(-1, 2)
            assert wanted.shape == found.shape, f"window {window} has another number of context tokens"
            differing += int((wanted != found).any(axis=1).sum())
            tokens += len(found)
            window += 1
    assert differing <= tokens // 1000, f"the characters of {differing} of {tokens} tokens differ"
    mended = f" but for {differing} of {tokens} that dokhae mends" if differing else ""
    return f"ids, masks, types of {len(rows)} windows identical, characters of tokens{mended}"


def compare_inputs(rows: Any, batches: Sequence[Batch]) -> None:  # noqa: ANN401
    """AssertionError unless every window has the same inputs, but for how far it is padded."""
    window = 0
    columns = {name: rows[name][:] for name in batches[0].padded()}
    for batch in batches:
        width = batch.present().shape[1]
        for name, found in batch.padded().items():
            wanted = np.array(columns[name][window : window + len(found)])
            assert (wanted[:, :width] == found).all(), f"{name} differs after window {window}"
        wanted = np.array(columns["attention_mask"][window : window + len(batch.windows)])
        assert not wanted[:, width:].any(), f"windows after {window} are longer"
        window += len(batch.windows)
    count = len(rows["input_ids"])
    assert window == count, f"{window} windows instead of {count}"


def label_columns(batches: Sequence[Batch]) -> list[NDArray[np.int64]]:
    """Where the answers start and end, counted from the beginning of each window."""
    names = ("start_labels", "end_labels")
    return [np.concatenate([getattr(batch, name) - batch.starts for batch in batches]) for name in names]


def same_as_legacy(theirs: Sequence[legacy.Window], ours: tuple[Features, list[Batch]]) -> str:
    """Every id; the labels of the old converter are words where an answer ends inside of one."""
    rows = {
        "input_ids": [window.input_ids for window in theirs],
        "attention_mask": [window.input_mask for window in theirs],
        "token_type_ids": [window.segment_ids for window in theirs],
    }
    compare_inputs(rows, ours[1])
    labels = np.stack(label_columns(ours[1]), axis=1)
    wanted = np.array([(window.start_position, window.end_position) for window in theirs])
    other = int((labels != wanted).any(axis=1).sum())
    return f"ids, masks, types of {len(theirs)} windows identical; {other} have other labels"


def same_features(first: Features, second: Features) -> str:
    """Every array."""
    for field in fields(Features):
        assert np.array_equal(getattr(first, field.name), getattr(second, field.name)), f"{field.name} differs"
    return "all arrays identical"
