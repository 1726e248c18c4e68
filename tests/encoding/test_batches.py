from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokhae.data import read_examples, sample_path
from dokhae.encoding import (
    PairTokenizer,
    WindowConfig,
    assemble,
    bucket_by_length,
    bucket_by_tokens,
    build_features,
    sequence_lengths,
)
from dokhae.types import Answer, Example
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer, train_tokenizer

kinds = pytest.mark.parametrize("kind", TOKENIZERS)
CONTEXT = "1671년에 진수된 서온호는 두오해가 맡았다. In 1704 the Early Otter was launched at Korustead."
EXAMPLES = [
    Example("q1", "서온호는 누가?", CONTEXT, (Answer("두오해", CONTEXT.index("두오해")),)),
    Example("q2", "Where was it launched?", CONTEXT, (Answer("Korustead", CONTEXT.index("Korustead")),)),
    Example("q3", "?", "the town of 서울", ()),
    Example("q4", "What is [CLS] <s> <cls>?", "", ()),
]


def batch_of(kind, examples, config=None, windows=None):
    tokenizer = pair_tokenizer(kind)
    features = build_features(examples, tokenizer, config or WindowConfig())
    windows = np.arange(features.window_count) if windows is None else np.array(windows)
    return features, assemble(features, windows, tokenizer.layout)


def window_of(batch, values, row):
    return values[batch.starts[row] : batch.starts[row] + batch.lengths[row]]


@kinds
def test_a_window_is_the_pair_as_the_tokenizer_itself_lays_it_out(kind):
    fast = train_tokenizer(kind)
    _, batch = batch_of(kind, EXAMPLES)
    for row, example in enumerate(EXAMPLES):
        texts = (example.question, example.context)
        pair = fast(*([text] for text in (reversed(texts) if fast.padding_side == "left" else texts)), truncation=False)
        found = {"input_ids": batch.ids, "token_type_ids": batch.types}
        assert set(batch.padded()) == set(pair)
        for name in set(pair) & set(found):
            assert window_of(batch, found[name], row).tolist() == pair[name][0], name


@kinds
def test_padding_is_that_of_the_tokenizer_up_to_a_multiple_of_8(kind):
    fast = train_tokenizer(kind)
    _, batch = batch_of(kind, EXAMPLES)
    firsts, seconds = [one.question for one in EXAMPLES], [one.context for one in EXAMPLES]
    texts = (seconds, firsts) if fast.padding_side == "left" else (firsts, seconds)
    padded = fast(*texts, padding=True, pad_to_multiple_of=8)
    for name, values in padded.items():
        assert batch.padded()[name].tolist() == values, name
    assert batch.present().tolist() == [[bool(one) for one in row] for row in padded["attention_mask"]]


def test_batches_are_padded_to_the_longest_of_their_windows():
    examples = [Example(f"q{length}", "a", " ".join(["a"] * length)) for length in (1, 4, 5, 12)]
    features, batch = batch_of("bert", examples)
    assert sequence_lengths(features, pair_tokenizer("bert").layout).tolist() == [5, 8, 9, 16]
    pairs = [batch_of("bert", examples, None, [0, number])[1] for number in range(4)]
    assert [pair.present().shape[1] for pair in pairs] == [8, 8, 16, 16]
    assert batch.lengths.tolist() == batch.present().sum(axis=1).tolist() == [5, 8, 9, 16]


@kinds
def test_the_cls_place_holds_the_cls_token(kind):
    fast = train_tokenizer(kind)
    _, batch = batch_of(kind, EXAMPLES)
    assert set(batch.ids[batch.cls].tolist()) == {fast.cls_token_id}
    assert not batch.legal[batch.cls].any()
    last = batch.starts + batch.lengths - 1
    wanted = last if kind == "xlnet" else batch.starts  # xlnet: context sep question sep cls
    assert batch.cls.tolist() == wanted.tolist()


@kinds
def test_only_visible_tokens_of_the_context_are_legal(kind):
    features, batch = batch_of(kind, EXAMPLES)
    for row, example in enumerate(EXAMPLES):
        tokens = features.context_slice(row)
        places = np.arange(tokens.stop - tokens.start) + batch.context_at[row]
        texts = [
            example.context[start:end]
            for start, end in zip(features.context_starts[tokens], features.context_ends[tokens], strict=True)
        ]
        assert batch.ids[places].tolist() == features.context_ids[tokens].tolist()
        assert batch.legal[places].tolist() == [text != "" for text in texts]
        assert window_of(batch, batch.legal, row).sum() == sum(text != "" for text in texts)


@kinds
@pytest.mark.parametrize(
    "config",
    [
        WindowConfig(),
        WindowConfig(max_length=72, overlap=9, max_question_length=40),
        WindowConfig(max_length=64, step=5, max_question_length=40),
    ],
)
def test_labels_are_the_answer_or_the_cls(kind, config):
    examples = [one for one in read_examples(sample_path("dev"))[:30]]
    features, batch = batch_of(kind, examples, config)
    held = set()
    for row, window in enumerate(batch.windows.tolist()):
        number = int(features.window_example[window])
        example, tokens = examples[number], features.context_slice(number)
        starts, ends = features.context_starts[tokens], features.context_ends[tokens]
        if batch.start_labels[row] == batch.cls[row]:
            assert batch.end_labels[row] == batch.cls[row]
            first, last = features.answer_start[number], features.answer_end[number]
            assert first < features.window_start[window] or last >= features.window_end[window]
            continue
        first, last = (
            int(label - batch.context_at[row] + features.window_start[window])
            for label in (batch.start_labels[row], batch.end_labels[row])
        )
        assert batch.legal[[batch.start_labels[row], batch.end_labels[row]]].all()
        answer = example.answers[0]
        assert starts[first] <= answer.start < ends[first] and starts[last] < answer.end <= ends[last]
        held.add(number)
    if config == WindowConfig():
        assert held == {number for number, one in enumerate(examples) if one.answers}


def test_windows_without_the_answer_point_at_the_cls():
    examples = [Example("q", "a", "b c d e f g", (Answer("d e", 4),))]
    features, batch = batch_of("bert", examples, WindowConfig(max_length=8, step=1))
    assert list(zip(features.window_start.tolist(), features.window_end.tolist(), strict=True)) == [
        (0, 4),
        (1, 5),
        (2, 6),
    ]
    assert batch.start_labels.tolist() == [5, 8 + 4, 16 + 3]  # [CLS] a [SEP] b c d e [SEP], end to end
    assert batch.end_labels.tolist() == [6, 8 + 5, 16 + 4]
    _, batch = batch_of("bert", examples, WindowConfig(max_length=8, step=3))
    assert (batch.start_labels.tolist(), batch.end_labels.tolist()) == ([5, 8], [6, 8])  # the second holds "e f g"


def test_an_answer_cut_by_every_window_points_at_the_cls():
    _, batch = batch_of(
        "bert", [Example("q", "a", "b c d e f", (Answer("b c d e f", 0),))], WindowConfig(max_length=8, step=1)
    )
    assert (batch.start_labels == batch.cls).all() and (batch.end_labels == batch.cls).all()


def test_the_model_is_given_only_the_inputs_it_takes():
    fast = train_tokenizer("bert")
    tokenizer = PairTokenizer.of(fast, ["input_ids", "attention_mask"])
    features = build_features(EXAMPLES, tokenizer, WindowConfig())
    assert set(assemble(features, np.array([0]), tokenizer.layout).padded()) == {"input_ids", "attention_mask"}


def test_windows_do_not_depend_on_the_rest_of_the_batch():
    _, all_of_them = batch_of("xlnet", EXAMPLES)
    for window in range(len(EXAMPLES)):
        _, alone = batch_of("xlnet", EXAMPLES, None, [window])
        for name in ("ids", "types", "legal"):
            same = window_of(all_of_them, getattr(all_of_them, name), window)
            assert getattr(alone, name).tolist() == same.tolist()
        for name in ("cls", "context_at", "start_labels", "end_labels"):
            assert getattr(alone, name)[0] + all_of_them.starts[window] == getattr(all_of_them, name)[window]


lengths = st.lists(st.integers(1, 400), min_size=0, max_size=300).map(lambda values: np.array(values, dtype=np.int64))


@given(
    lengths=lengths,
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 99),
    epoch=st.integers(0, 9),
    together=st.integers(1, 12),
)
def test_buckets_hold_every_window_once_and_are_the_same_again(lengths, batch_size, seed, epoch, together):
    batches = bucket_by_length(lengths, batch_size, seed, epoch, together)
    assert sorted(window for batch in batches for window in batch.tolist()) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    again = bucket_by_length(lengths, batch_size, seed, epoch, together)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert len(batches) == -(-len(lengths) // batch_size)  # as many as without, so as many steps
    if together > 1:  # a step that has fewer comes last, or the steps after it would be others' halves
        whole = len(lengths) // (batch_size * together) * together
        assert all(len(batch) == batch_size for batch in batches[:whole])
    for first in range(0, len(batches), together):
        step = batches[first : first + together]
        assert max(map(len, step)) - min(map(len, step)) <= 1
        assert all(lengths[batch].tolist() == sorted(lengths[batch]) for batch in step)


def test_buckets_change_with_epoch_and_seed_and_their_members_are_of_similar_length():
    lengths = np.random.default_rng(0).integers(10, 400, size=1000)
    orders = [
        np.concatenate(bucket_by_length(lengths, 8, seed, epoch)).tolist() for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    spread = np.mean([np.ptp(lengths[batch]) for batch in bucket_by_length(lengths, 8, 0, 0)])
    shuffled = np.mean([np.ptp(lengths[first : first + 8]) for first in range(0, 1000, 8)])
    assert spread < shuffled / 10


@pytest.mark.parametrize("together", [2, 3, 8])
def test_the_batches_of_a_step_are_equally_long(together):
    """Two processes that waited for one another had 0.68 of twice the speed, while steps were dealt as shuffled."""
    lengths = np.random.default_rng(0).integers(40, 384, size=4000)
    tokens = [int(lengths[batch].sum()) for batch in bucket_by_length(lengths, 16, 0, 0, together)]
    steps = [tokens[first : first + together] for first in range(0, 4000 // 16 // together * together, together)]
    assert max(max(step) / min(step) for step in steps) < 1.1
    assert np.ptp([sum(step) for step in steps]) > 2000 * together  # while the steps are as different as ever


@given(lengths=lengths, budget=st.integers(1, 600), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_batches_of_so_many_tokens_hold_every_window_once_and_are_as_full_as_they_may_be(lengths, budget, seed, epoch):
    batches = bucket_by_tokens(lengths, budget, seed, epoch)
    assert sorted(window for batch in batches for window in batch.tolist()) == list(range(len(lengths)))
    assert all(lengths[batch].sum() <= budget or len(batch) == 1 for batch in batches)
    in_order = sorted(batches, key=lambda batch: (lengths[batch].min(), lengths[batch].max(), -len(batch)))
    assert all(lengths[one].max() <= lengths[other].min() for one, other in itertools.pairwise(in_order))
    assert all(lengths[one].sum() + lengths[other].min() > budget for one, other in itertools.pairwise(in_order))
    again = bucket_by_tokens(lengths, budget, seed, epoch)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]
    assert len(bucket_by_tokens(lengths, budget, seed, epoch + 1)) == len(batches)


def test_batches_of_so_many_tokens_change_with_epoch_and_seed():
    lengths = np.random.default_rng(0).integers(10, 40, size=1000)
    first, epoch, seed = (
        {tuple(sorted(batch.tolist())) for batch in bucket_by_tokens(lengths, 500, *drawn)}
        for drawn in ((0, 0), (0, 1), (1, 0))
    )
    assert max(len(first & epoch), len(first & seed), len(epoch & seed)) < len(first) / 10
