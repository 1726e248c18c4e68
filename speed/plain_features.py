"""Features in the plain Hugging Face way, as its question answering guide describes it: windows by `map`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.types import Example

Batch = Mapping[str, list[Any]]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlainSettings:
    """How contexts are cut and spans are found."""

    max_length: int = 384
    overlap: int = 128
    n_best: int = 20
    max_answer_length: int = 30


def load_tokenizer(folder: Path) -> Any:  # noqa: ANN401 - a transformers tokenizer
    """The tokenizer of a model folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)


def to_dataset(examples: Sequence[Example]) -> Any:  # noqa: ANN401 - a datasets.Dataset
    """Examples in the columns of the hub's squad data set."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "id": [example.id for example in examples],
            "question": [example.question for example in examples],
            "context": [example.context for example in examples],
            "answers": [
                {
                    "text": [answer.text for answer in example.answers],
                    "answer_start": [answer.start for answer in example.answers],
                }
                for example in examples
            ],
        }
    )


def training_features(rows: Any, tokenizer: Any, settings: PlainSettings) -> Any:  # noqa: ANN401 - datasets
    """Padded windows with start and end positions, a row each; nothing is cached."""
    return _mapped(rows, lambda batch: label_windows(batch, tokenizer, settings))


def validation_features(rows: Any, tokenizer: Any, settings: PlainSettings) -> Any:  # noqa: ANN401 - datasets
    """Padded windows with the id of their example and the offsets of their context tokens."""
    return _mapped(rows, lambda batch: locate_windows(batch, tokenizer, settings))


def _mapped(rows: Any, function: Any) -> Any:  # noqa: ANN401
    return rows.map(function, batched=True, remove_columns=rows.column_names, load_from_cache_file=False)


def cut(batch: Batch, tokenizer: Any, settings: PlainSettings) -> Any:  # noqa: ANN401 - a BatchEncoding
    """The windows of some examples, each padded to max_length."""
    return tokenizer(
        [question.lstrip() for question in batch["question"]],
        batch["context"],
        truncation="only_second",
        max_length=settings.max_length,
        stride=settings.overlap,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding="max_length",
    )


def label_windows(batch: Batch, tokenizer: Any, settings: PlainSettings) -> Any:  # noqa: ANN401
    """Windows for training: the positions of the first gold answer, or of the CLS where a window does not hold it."""
    windows = cut(batch, tokenizer, settings)
    owners, offsets = windows.pop("overflow_to_sample_mapping"), windows.pop("offset_mapping")
    starts, ends = [], []
    for window, owner in enumerate(owners):
        cls = windows["input_ids"][window].index(tokenizer.cls_token_id)
        start, end = find_answer(batch["answers"][owner], offsets[window], windows.sequence_ids(window), cls)
        starts.append(start)
        ends.append(end)
    windows["start_positions"], windows["end_positions"] = starts, ends
    return windows


def find_answer(answers: Row, offsets: Sequence[tuple[int, int]], sequences: list[Any], cls: int) -> tuple[int, int]:
    """The first and last token of the first answer, found by walking inwards from the ends of the context."""
    if not answers["answer_start"]:
        return cls, cls
    begin = answers["answer_start"][0]
    stop = begin + len(answers["text"][0])
    first, last = 0, len(sequences) - 1
    while sequences[first] != 1:
        first += 1
    while sequences[last] != 1:
        last -= 1
    if offsets[first][0] > begin or offsets[last][1] < stop:
        return cls, cls
    while first < len(offsets) and offsets[first][0] <= begin:
        first += 1
    while offsets[last][1] >= stop:
        last -= 1
    return first - 1, last + 1


def locate_windows(batch: Batch, tokenizer: Any, settings: PlainSettings) -> Any:  # noqa: ANN401
    """Windows for validation: offsets outside of the context become None, so that no answer can begin there."""
    windows = cut(batch, tokenizer, settings)
    owners = windows.pop("overflow_to_sample_mapping")
    windows["example_id"] = [batch["id"][owner] for owner in owners]
    for window, offsets in enumerate(windows["offset_mapping"]):
        sequences = windows.sequence_ids(window)
        windows["offset_mapping"][window] = [
            offset if sequences[position] == 1 else None for position, offset in enumerate(offsets)
        ]
    return windows
