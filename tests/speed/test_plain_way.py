"""The plain way gives what dokhae gives, on the packaged sample; and the comparisons of speed/ notice where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dokhae.data import read_examples, sample_path
from dokhae.decoding import DecodingConfig
from dokhae.encoding import PairTokenizer, WindowConfig, assemble, build_features
from dokhae.predict import finish, reduce
from dokhae.sharing import plan
from dokhae.types import Answer, Example
from speed import answers, checks, features, legacy, plain_decoding
from speed import plain_features as plain
from tokenizers_on_the_spot import pair_tokenizer, train_tokenizer

SAMPLE = read_examples(sample_path("dev"))[:40]
SETTINGS = plain.PlainSettings(max_length=72, overlap=16, n_best=8, max_answer_length=9)
WINDOWS = WindowConfig(SETTINGS.max_length, overlap=SETTINGS.overlap, max_question_length=SETTINGS.max_length)
ROWS = plain.to_dataset(SAMPLE)


@pytest.fixture(scope="module")
def fast():
    return train_tokenizer("bert")


@pytest.fixture
def ours():
    return features.laid_out(SAMPLE, pair_tokenizer("bert"), WINDOWS)


def test_training_windows_are_the_same(fast, ours):
    theirs = plain.training_features(ROWS, fast, SETTINGS)
    assert len(theirs) > len(SAMPLE)
    said = checks.same_training(theirs, ours, SAMPLE)
    assert said == f"ids, masks, types and labels of {len(theirs)} windows identical"


@pytest.mark.parametrize("name", ["start_labels", "end_labels"])
def test_another_label_is_noticed(fast, ours, name):
    getattr(ours[1][0], name)[3] += 1
    with pytest.raises(AssertionError, match="window 3 has other labels"):
        checks.same_training(plain.training_features(ROWS, fast, SETTINGS), ours, SAMPLE)


def test_of_an_answer_that_ends_in_white_space_the_plain_way_labels_one_token_more(fast):
    examples = [Example("q", "a", "a b c d", (Answer("b ", 2),))]
    theirs = plain.training_features(plain.to_dataset(examples), fast, SETTINGS)
    found = features.laid_out(examples, pair_tokenizer("bert"), WINDOWS)
    assert checks.same_training(theirs, found, examples).endswith("but for 1 of answers that end in white space")


@pytest.mark.parametrize("name", ["input_ids", "attention_mask", "token_type_ids"])
def test_another_input_is_noticed(fast, ours, name):
    rows = plain.validation_features(ROWS, fast, SETTINGS)
    values = rows[name][:]
    values[0][1] += 1
    other = rows.remove_columns(name).add_column(name, values)
    with pytest.raises(AssertionError, match=name):
        checks.same_validation(other, ours)


def test_validation_windows_are_the_same(fast, ours):
    theirs = plain.validation_features(ROWS, fast, SETTINGS)
    said = checks.same_validation(theirs, ours)
    assert said == f"ids, masks, types of {len(theirs)} windows identical, characters of tokens"


def test_other_characters_are_noticed(fast, ours):
    moved = replace(ours[0], context_starts=ours[0].context_starts + 1)
    with pytest.raises(AssertionError, match="the characters of"):
        checks.same_validation(plain.validation_features(ROWS, fast, SETTINGS), (moved, ours[1]))


@pytest.mark.parametrize("given", [lambda rows: rows, list], ids=["data set", "list"])
def test_n_best_lists_are_the_same_under_the_pruned_rule(fast, given):
    tokenizer = pair_tokenizer("bert")
    found = build_features(SAMPLE, tokenizer, WINDOWS)
    start, end = answers.peaked_logits(found, tokenizer, SETTINGS.max_length)
    config = DecodingConfig(SETTINGS.n_best, SETTINGS.max_answer_length, "pruned")
    parts = []
    for windows in plan(found, tokenizer.layout, 8):
        batch = assemble(found, windows, tokenizer.layout)
        logits = (answers.end_to_end(start, batch), answers.end_to_end(end, batch))
        parts.append(reduce(batch, logits, config))
    pruned = finish(SAMPLE, found, parts, tokenizer.layout, config, None)
    rows = plain.validation_features(ROWS, fast, SETTINGS)
    texts, n_best = plain_decoding.decode(given(ROWS), given(rows), start, end, SETTINGS)
    assert texts == {one.id: one.text for one in pruned}
    assert answers.same_answers(n_best, pruned, pruned).endswith(f"answers 0 of {len(SAMPLE)} otherwise")
    n_best[SAMPLE[5].id][0]["start_logit"] += 1.0
    with pytest.raises(AssertionError, match=f"question {SAMPLE[5].id}"):
        answers.same_answers(n_best, pruned, pruned)


def test_the_old_converter_cuts_the_same_windows():
    english = [one for one in SAMPLE if one.context.isascii()]
    fast = train_tokenizer("bert-uncased")
    config = WindowConfig(max_length=72, step=20)
    theirs = legacy.convert(english, legacy.WordPieces(fast.get_vocab()), config.max_length, 20)
    found = features.laid_out(english, PairTokenizer.of(fast), config)
    assert len(theirs) > len(english) > 10
    assert checks.same_as_legacy(theirs, found).startswith(f"ids, masks, types of {len(theirs)} windows identical")
    theirs[2].input_ids[1] += 1
    with pytest.raises(AssertionError, match="input_ids"):
        checks.same_as_legacy(theirs, found)


def test_features_that_differ_are_noticed(ours):
    assert checks.same_features(ours[0], ours[0]) == "all arrays identical"
    with pytest.raises(AssertionError, match="context_ids differs"):
        checks.same_features(ours[0], replace(ours[0], context_ids=np.zeros_like(ours[0].context_ids)))
