"""Pairs and single texts that are read whole: as transformers lays them out, cut as BERT cuts them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokhae.encoding import PairConfig, PairTokenizer, WindowConfig, assemble, build_pairs, cached_features, stored
from dokhae.encoding import sequence_lengths as lengths_of
from dokhae.encoding.cache import cache_key
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.pairs import fitted
from dokhae.errors import ModelError, SettingsError
from dokhae.types import Example
from tokenizers_on_the_spot import TOKENIZERS, train_tokenizer

PAIRS = [
    ("서울은 대한민국의 수도이다.", "수도는 어디인가?"),
    ("In 1704 the Early Otter was launched.", "It was launched at Korustead, in 1704 or so."),
    ("a", ""),
    ("", "the town of 서울"),
    ("", ""),
]
EXAMPLES = [Example(str(number), *pair) for number, pair in enumerate(PAIRS)]
kinds = pytest.mark.parametrize("kind", TOKENIZERS)


def laid_out(examples, tokenizer, max_length=128):
    features = build_pairs(examples, tokenizer, PairConfig(max_length))
    return features, assemble(features, np.arange(features.window_count), tokenizer.layout)


@kinds
def test_a_pair_is_laid_out_and_padded_as_by_the_tokenizer_itself(kind):
    fast = train_tokenizer(kind)
    _, batch = laid_out(EXAMPLES, PairTokenizer.of(fast, texts="pair"))
    padded = fast(*map(list, zip(*PAIRS, strict=True)), padding=True, pad_to_multiple_of=8)
    assert {name: values.tolist() for name, values in batch.padded().items()} == dict(padded)


@kinds
def test_a_text_is_laid_out_and_padded_as_by_the_tokenizer_itself(kind):
    fast = train_tokenizer(kind)
    features, batch = laid_out(EXAMPLES, PairTokenizer.of(fast, texts="single"))
    padded = fast([second for _, second in PAIRS], padding=True, pad_to_multiple_of=8)
    assert {name: values.tolist() for name, values in batch.padded().items()} == dict(padded)
    assert len(features.question_ids) == 0 and not batch.legal.any()
    assert set(batch.ids[batch.cls].tolist()) == {fast.cls_token_id}


@pytest.mark.parametrize("kind", ["bert", "roberta", "modernbert"])
def test_long_pairs_are_cut_as_transformers_cuts_the_longer_text_first(kind):
    fast = train_tokenizer(kind)
    pairs = [("a b c " * first, "x y " * second) for first in range(8) for second in range(8)]
    tokenizer = PairTokenizer.of(fast, texts="pair")
    features, batch = laid_out([Example("", *pair) for pair in pairs], tokenizer, 16)
    cut = fast(*map(list, zip(*pairs, strict=True)), truncation="longest_first", max_length=16)
    sizes = [[sum(part == number for part in cut.sequence_ids(row)) for number in (0, 1)] for row in range(len(pairs))]
    found = np.stack([np.diff(features.question_bounds), features.window_end], axis=1).tolist()
    # where both are equally long, BERT's script takes from the second text, and transformers may from the first
    assert all(abs(one[0] - other[0]) <= 1 for one, other in zip(found, sizes, strict=True))
    assert [sum(one) for one in found] == [sum(one) for one in sizes]
    whole = np.array([len(ids) for ids in fast(*map(list, zip(*pairs, strict=True)))["input_ids"]])
    assert features.truncated_questions.tolist() == np.flatnonzero(whole > 16).tolist()
    assert lengths_of(features, tokenizer.layout).tolist() == np.minimum(whole, 16).tolist() == batch.lengths.tolist()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1), st.integers(2, 50))
def test_the_lengths_are_those_of_berts_loop(pairs, room):
    first, second = fitted(*np.array(pairs).T, room)
    for number, (one, other) in enumerate(pairs):
        while one + other > room:
            one, other = (one - 1, other) if one > other else (one, other - 1)
        assert (first[number], second[number]) == (one, other)


def test_the_ends_are_cut_off_and_the_examples_are_told():
    examples = [Example("", "a b c d e f g h", "x y"), Example("", "a b", "x y"), Example("", "a b c", "u v w x y z")]
    fast = train_tokenizer("bert")
    features, batch = laid_out(examples, PairTokenizer.of(fast, texts="pair"), 9)
    assert fast.batch_decode(np.split(batch.ids, batch.starts[1:])) == [
        "[CLS] a b c d [SEP] x y [SEP]",
        "[CLS] a b [SEP] x y [SEP]",
        "[CLS] a b c [SEP] u v w [SEP]",
    ]
    assert features.truncated_questions.tolist() == [0, 2]


def test_a_text_alone_is_cut_at_its_end():
    fast = train_tokenizer("roberta")
    features, batch = laid_out([Example("", "", "a b c d e f g h")], PairTokenizer.of(fast, texts="single"), 8)
    assert fast.decode(batch.ids) == "<s>a b c d e f</s>"
    assert features.truncated_questions.tolist() == [0]


def test_every_text_is_tokenized_once(monkeypatch):
    seen = []
    tokenizer = PairTokenizer.of(train_tokenizer("bert"), texts="pair")
    tokenize = tokenizer.tokenize_ids
    monkeypatch.setattr(tokenizer, "tokenize_ids", lambda texts: seen.extend(texts) or tokenize(texts))
    done = []
    examples = [Example("", f"premise {number % 2}", f"context {number % 3}") for number in range(12)]
    features = build_pairs(examples, tokenizer, PairConfig(), done.append)
    assert sorted(seen) == ["context 0", "context 1", "context 2", "premise 0", "premise 1"]
    assert (features.window_count, len(features.context_bounds) - 1, done) == (12, 3, [3])
    assert features.example_context.tolist() == [0, 1, 2] * 4


def test_any_part_of_them_is_laid_out_as_in_the_whole():
    tokenizer = PairTokenizer.of(train_tokenizer("bert"), texts="pair")
    features, batch = laid_out(EXAMPLES, tokenizer, 12)
    for number in range(len(EXAMPLES)):
        part = assemble(features.part(number, number + 1), np.array([0]), tokenizer.layout)
        begin = batch.starts[number]
        assert part.ids.tolist() == batch.ids[begin : begin + batch.lengths[number]].tolist()


def test_no_examples_are_no_windows():
    for texts in ("pair", "single"):
        features = build_pairs([], PairTokenizer.of(train_tokenizer("bert"), texts=texts), PairConfig())
        assert (features.window_count, len(features.context_bounds)) == (0, 1)


def test_words_of_both_texts_are_cut_where_the_settings_say_so():
    fast = train_tokenizer("bert")
    pair = Example("", "서울은 크다", "수도는 서울이다")
    cut, whole = (
        laid_out([pair], tokenizer_of(fast, korean_split=split, texts="pair"))[1].ids.tolist()
        for split in ("particles", "none")
    )
    assert cut != whole and fast.decode(cut).replace(" ", "") == fast.decode(whole).replace(" ", "")


def test_they_are_kept_in_the_cache_each_kind_by_itself(tmp_path):
    fast = train_tokenizer("bert")
    pair, single = (PairTokenizer.of(fast, texts=texts) for texts in ("pair", "single"))
    found = [cached_features(EXAMPLES, one, PairConfig(9), tmp_path, build=build_pairs) for one in (pair, single)]
    assert len(list(tmp_path.iterdir())) == 2
    assert found[0].truncated_questions.tolist() != found[1].truncated_questions.tolist()
    again = cached_features(EXAMPLES, pair, PairConfig(9), tmp_path, build=None)  # read, not built
    built = build_pairs(EXAMPLES, pair, PairConfig(9))
    assert all(np.array_equal(getattr(again, name), getattr(built, name)) for name in stored.ARRAYS)
    keys = {
        cache_key(EXAMPLES, one, config)
        for one in (pair, single, PairTokenizer.of(fast))
        for config in (PairConfig(), PairConfig(64), WindowConfig())
    }
    assert len(keys) == 9


def test_what_holds_no_pair_is_refused():
    with pytest.raises(SettingsError, match="max_length is 7 tokens; at least 8 are needed"):
        PairConfig(7)
    fast = train_tokenizer("roberta")
    fast.pad_token = None
    with pytest.raises(ModelError, match="has no PAD token, so it cannot feed an encoder; choose"):
        PairTokenizer.of(fast, texts="single")
