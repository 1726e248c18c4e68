"""The figures of the shared KOREAN.md on what is here of KorQuAD 1.0: 5,196 of its 5,774 dev questions."""

from __future__ import annotations

import functools

import pytest
from transformers import BertTokenizerFast

from dokhae import benchmarks
from dokhae.ceiling import ceiling
from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.korean.trimming import trimmer

ROW = benchmarks.find("korquad-1.0")
WITHIN = 0.5
MBERT, V1, V2, KR_BERT = "bert-base-multilingual-cased", "koelectra-v1", "koelectra-v2-enliple", "kr-bert-char"
find_trimmer = functools.cache(trimmer)  # analysed once for all vocabularies


@pytest.fixture(scope="module")
def examples(shared):
    return [one for part in ("train", "dev") for one in ROW.read(shared(f"korquad-1.0/{part}.json"), True)]


@pytest.fixture(scope="module")
def dev(shared):
    """A fifth of them: what the fixes reach hangs less on the questions, and analysers take their time."""
    return ROW.read(shared("korquad-1.0/dev.json"), True)


def found(shared, examples, vocabulary, split="none", trim="none"):
    fast = BertTokenizerFast(vocab=str(shared(f"vocab/{vocabulary}.txt")), do_lower_case=False)
    features = build_features(examples, tokenizer_of(fast, korean_split=split), WindowConfig(512, overlap=128))
    return ceiling(examples, features, 30, ROW.rule, find_trimmer(trim))


@pytest.mark.parametrize(
    ("vocabulary", "exact_match", "f1", "tokens"),
    [
        (MBERT, 84.29, 98.26, 0.608),
        (V1, 71.44, 96.64, 0.429),
        (V2, 96.78, 99.61, 0.520),
        (KR_BERT, 87.03, 98.52, 0.516),
    ],
)
def test_whole_words(shared, examples, vocabulary, exact_match, f1, tokens):
    now = found(shared, examples, vocabulary)
    assert now.questions == 5196
    assert (now.exact_match, now.f1) == pytest.approx((exact_match, f1), abs=WITHIN)
    assert now.tokens_per_character == pytest.approx(tokens, abs=0.01)


@pytest.mark.parametrize(
    ("vocabulary", "split", "exact_match", "more_tokens"),
    [
        (MBERT, "particles", 99.86, 9), (V1, "particles", 99.46, 21),
        pytest.param(MBERT, "kiwi", 99.88, 14, marks=pytest.mark.slow),
        pytest.param(V1, "kiwi", 99.83, 32, marks=pytest.mark.slow),
        (V2, "particles", None, 4), pytest.param(KR_BERT, "particles", None, 10, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_words_that_are_cut(shared, dev, vocabulary, split, exact_match, more_tokens):
    whole, now = found(shared, dev, vocabulary), found(shared, dev, vocabulary, split)
    assert now.exact_match == pytest.approx(exact_match or 99.75, abs=WITHIN)
    assert 100 * (now.tokens_per_character / whole.tokens_per_character - 1) == pytest.approx(more_tokens, abs=1.5)


@pytest.mark.parametrize(
    ("vocabulary", "exact_match", "of_golds"),
    [(MBERT, 99.03, 99.90), (V1, 97.87, 99.93), (V2, 98.5, 99.9), (KR_BERT, 98.5, 99.9)],
)
def test_the_guarded_trim(shared, dev, vocabulary, exact_match, of_golds):
    """It reaches more than KOREAN.md says, which cuts off postpositions alone: here the copula goes too."""
    now = found(shared, dev, vocabulary, trim="kiwi")
    assert exact_match - WITHIN <= now.exact_match <= 100.0
    assert now.exact_match_of_golds == pytest.approx(of_golds, abs=0.1)
