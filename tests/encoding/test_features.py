from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from dokhae.data import read_examples, sample_path
from dokhae.encoding import WindowConfig, assemble, build_features
from dokhae.errors import SettingsError
from dokhae.types import Answer, Example
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

CONTEXT = "In 1704 the Early Otter was launched at Korustead. The ship carried lamp oil."


def example(id="q1", question="the town?", context=CONTEXT, *golds):
    return Example(id, question, context, tuple(Answer(gold, context.index(gold)) for gold in golds))


def windows_of(features, number):
    rows = features.window_example == number
    return list(zip(features.window_start[rows].tolist(), features.window_end[rows].tolist(), strict=True))


def test_each_context_is_tokenized_once_however_many_questions_it_has():
    tokenizer, seen = pair_tokenizer("bert"), []

    class Counting(type(tokenizer)):
        def tokenize(self, texts):
            seen.extend(texts)
            return tokenizer.tokenize(texts)

    other = "The River Rilova flows through it."
    examples = [example("q1"), example("q2", context=other), example("q3", "who?"), example("q4", "", other)]
    features = build_features(examples, Counting(tokenizer._tokenizer, tokenizer.layout), WindowConfig())
    assert seen == [CONTEXT, other]
    assert features.example_context.tolist() == [0, 1, 0, 1]
    assert features.context_slice(0) == features.context_slice(2) == slice(0, features.context_bounds[1])
    assert len(features.context_ids) == features.context_bounds[-1] == len(features.context_starts)


@pytest.mark.parametrize(("first", "last"), [(0, 60), (0, 1), (7, 41), (59, 60), (60, 60), (20, 20)])
def test_a_part_is_what_would_be_built_of_its_examples(first, last):
    tokenizer, config = pair_tokenizer("bert"), WindowConfig(max_length=48, overlap=10, max_question_length=9)
    examples = read_examples(sample_path("dev"))[:60]
    part = build_features(examples, tokenizer, config).part(first, last)
    alone = build_features(examples[first:last], tokenizer, config)
    assert part.truncated_questions.tolist() == alone.truncated_questions.tolist()
    assert part.window_example.tolist() == alone.window_example.tolist()
    for window in range(alone.window_count):
        ours, theirs = (assemble(one, np.array([window]), tokenizer.layout) for one in (part, alone))
        for name in ("ids", "types", "cls", "context_at", "legal", "start_labels", "end_labels"):
            assert getattr(ours, name).tolist() == getattr(theirs, name).tolist()


def test_progress_counts_contexts():
    done = []
    build_features([example("q1"), example("q2")], pair_tokenizer("bert"), WindowConfig(), done.append)
    assert done == [1]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize(("max_length", "overlap"), [(20, 0), (20, 1), (24, 4), (40, 20), (64, 20)])
def test_windows_are_those_of_transformers_for_the_same_overlap(kind, max_length, overlap):
    fast = train_tokenizer(kind)
    examples = read_examples(sample_path("dev"))
    config = WindowConfig(max_length=max_length, overlap=overlap, max_question_length=max_length)
    examples = [one for one in examples if len(fast(one.question)["input_ids"]) + 2 + overlap < max_length][:20]
    features = build_features(examples, pair_tokenizer(kind), config)
    assert len(examples) == 20
    for number, one in enumerate(examples):
        theirs = fast(
            one.question,
            one.context,
            truncation="only_second",
            max_length=max_length,
            stride=overlap,
            return_overflowing_tokens=True,
        )
        ours = [
            features.context_ids[features.context_slice(number)][slice(*span)] for span in windows_of(features, number)
        ]
        assert [ids.tolist() for ids in ours] == [
            [token for token, part in zip(theirs["input_ids"][row], theirs.sequence_ids(row), strict=True) if part == 1]
            for row in range(len(theirs["input_ids"]))
        ]


def test_a_long_question_is_cut_and_reported():
    examples = [example("q1", "a b c d e f"), example("q2", "a b"), example("q3", "a b c d")]
    features = build_features(examples, pair_tokenizer("bert"), WindowConfig(max_question_length=3))
    assert np.diff(features.question_bounds).tolist() == [3, 2, 3]
    assert features.truncated_questions.tolist() == [0, 2]


def test_a_longer_question_leaves_less_room():
    examples = [example("q1", "a"), example("q2", "a b c")]
    features = build_features(examples, pair_tokenizer("bert"), WindowConfig(max_length=12, overlap=2))
    assert windows_of(features, 0)[:2] == [(0, 8), (6, 14)]
    assert windows_of(features, 1)[:2] == [(0, 6), (4, 10)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (WindowConfig(max_length=8, overlap=0), "question q2: the question and the special tokens leave no room"),
        (WindowConfig(max_length=12, overlap=4), "question q2: an overlap of 4 tokens does not fit"),
        (WindowConfig(max_length=12, step=5), "question q2: a step of 5 tokens would skip text"),
    ],
)
def test_windows_too_small_name_the_question(config, message):
    with pytest.raises(SettingsError, match=message):
        build_features([example("q1", "a"), example("q2", "a b c d e")], pair_tokenizer("bert"), config)


def test_a_context_that_fits_asks_nothing_of_the_step():
    features = build_features([example("q1", "a", "the town")], pair_tokenizer("bert"), WindowConfig(max_length=8))
    assert windows_of(features, 0) == [(0, 2)]


@pytest.mark.parametrize("context", ["", " \n", "\x07"])
def test_a_context_without_tokens_has_one_empty_window(context):
    features = build_features([example("q1", "a", context), example("q2")], pair_tokenizer("bert"), WindowConfig())
    assert windows_of(features, 0) == [(0, 0)]
    assert features.window_example.tolist() == [0, 1]


def test_no_examples_have_no_windows():
    features = build_features([], pair_tokenizer("bert"), WindowConfig())
    assert features.window_count == 0
    assert all(np.size(getattr(features, field.name)) <= 2 for field in dataclasses.fields(features))


def test_answers_become_tokens():
    examples = [
        example("q1", "?", CONTEXT, "Early Otter", "In"),  # the first gold is the label
        example("q2", "?", CONTEXT, "Korustea"),  # ends inside a token
        example("q3", "?", CONTEXT),
        example("q4", "?", CONTEXT, " "),
    ]
    features = build_features(examples, pair_tokenizer("bert"), WindowConfig())
    assert (features.answer_start[2:] == -1).all() and (features.answer_end[2:] == -1).all()
    starts, ends = features.context_starts, features.context_ends
    texts = [
        CONTEXT[starts[first] : ends[last]]
        for first, last in zip(features.answer_start[:2], features.answer_end[:2], strict=True)
    ]
    assert texts == ["Early Otter", "Korustead"]


def test_the_arrays_have_the_types_they_say():
    features = build_features(
        [example("q1"), example("q2")], pair_tokenizer("bert"), WindowConfig(max_length=16, step=4)
    )
    for field in dataclasses.fields(features):
        value = getattr(features, field.name)
        if isinstance(value, np.ndarray):
            assert value.dtype == (np.int64 if field.name.endswith("bounds") else np.int32), field.name
