from __future__ import annotations

import pytest
from transformers import BertTokenizerFast

from dokhae.ceiling import REASONS, ceiling
from dokhae.data import read_examples, sample_path
from dokhae.decoding import DecodingConfig
from dokhae.encoding import PairTokenizer, WindowConfig, build_features
from dokhae.metrics import ENGLISH_WORDS, ENGLISH_WORDS_WITH_NULL, KOREAN_CHARACTERS, evaluate
from dokhae.predict import predict
from dokhae.types import Answer, Example
from oracle import oracle
from tokenizers_on_the_spot import pair_tokenizer

WIDE = WindowConfig(max_length=100_000, overlap=0, max_question_length=100_000)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", "서울은", "대한민국", "##의", "수도", "##이다", *"abcdefgh"]
CONTEXT = "서울은 대한민국의 수도이다"


@pytest.fixture(scope="module")
def words():
    """A tokenizer that cuts the context into 서울은, 대한민국, 의, 수도 and 이다, and letters into letters."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    return PairTokenizer.of(BertTokenizerFast(vocab=vocabulary, do_lower_case=False))


def ask(*golds, context=CONTEXT, id="q"):
    return Example(id, "?", context, tuple(Answer(gold, context.index(gold)) for gold in golds))


def ceiling_of(words, examples, config=WIDE, max_answer_length=30, rule=KOREAN_CHARACTERS):
    return ceiling(examples, build_features(examples, words, config), max_answer_length, rule)


def test_an_answer_on_the_tokens_boundaries_can_be_given(words):
    found = ceiling_of(words, [ask("대한민국"), ask("대한민국의 수도")])
    assert (found.exact_match, found.f1, found.questions, found.lost) == (100.0, 100.0, 2, {})
    assert (found.start_representable, found.end_representable) == (100.0, 100.0)
    assert found.tokens_per_character == 5 / 14


def test_a_particle_in_the_token_costs_the_exact_match(words):
    found = ceiling_of(words, [ask("서울", id="q1"), ask("수도", id="q2")])
    assert found.exact_match == 50.0
    assert found.f1 == pytest.approx(50.0 + 50.0 * 0.8)  # 서울은 for 서울
    assert (found.lost, found.lost_examples) == ({"end": 1}, {"end": "q1"})
    assert (found.start_representable, found.end_representable) == (100.0, 50.0)


@pytest.mark.parametrize(
    ("example", "settings", "reason"),
    [
        (ask("울은"), {}, "start"),
        (ask("울"), {}, "start"),  # the first reason that applies
        (ask("서울"), {}, "end"),
        (ask("대한민국의"), {"max_answer_length": 1}, "length"),
        (ask("a b c d e", context="a b c d e f g h"), {"config": WindowConfig(8, step=1)}, "window"),
        (ask("\x07", context="a \x07 b"), {}, "token"),
    ],
)
def test_the_reason_is_counted(words, example, settings, reason):
    found = ceiling_of(words, [example, ask("수도")], **settings)
    assert (found.exact_match, found.lost) == (50.0, {reason: 1})
    assert reason in REASONS


def test_a_neighbour_may_do_where_the_annotated_tokens_do_not(words):
    example = ask("(a", context="(a b")  # the parenthesis is a token of its own, and the rule drops it
    assert ceiling_of(words, [example], max_answer_length=1).exact_match == 100.0


def test_the_best_gold_counts(words):
    assert ceiling_of(words, [ask("서울", "수도")]).exact_match == 100.0


def test_no_answer_can_always_be_said(words):
    found = ceiling_of(words, [ask(), ask("서울")], rule=ENGLISH_WORDS_WITH_NULL)
    assert (found.exact_match, found.lost, found.start_representable) == (50.0, {"end": 1}, 100.0)


def test_of_an_answer_that_is_too_long_its_longest_part_is_left(words):
    answer = "b c d e f g h b c d e f g h"  # 14 words
    examples = [ask(answer, context=f"a {answer}")]
    found = ceiling_of(words, examples, max_answer_length=2, rule=ENGLISH_WORDS)
    assert found.f1 == pytest.approx(100 * 2 * 2 / (2 + 14))
    assert found.lost == {"length": 1}
    cut = ceiling_of(words, examples, WindowConfig(8, step=4), rule=ENGLISH_WORDS)  # 4 words a window
    assert cut.f1 == pytest.approx(100 * 2 * 4 / (4 + 14))
    assert cut.lost == {"window": 1}


@pytest.mark.parametrize("kind", ["bert", "bert-uncased", "roberta", "xlm-roberta", "albert", "xlnet"])
@pytest.mark.parametrize("max_answer_length", [2, 4, 30])
@pytest.mark.parametrize("config", [WindowConfig(), WindowConfig(max_length=72, overlap=4)])
def test_an_oracle_never_scores_more(kind, max_answer_length, config):
    examples = [one for one in read_examples(sample_path("dev")) if one.answers][:100]
    tokenizer = pair_tokenizer(kind)
    features = build_features(examples, tokenizer, config)
    decoding = DecodingConfig(max_answer_length=max_answer_length)
    predictions = predict(examples, features, tokenizer.layout, oracle(features, tokenizer.layout), decoding)
    scores = evaluate(examples, {one.id: one.text for one in predictions}, ENGLISH_WORDS)
    allowed = ceiling(examples, features, max_answer_length, ENGLISH_WORDS)
    assert scores["exact_match"] <= allowed.exact_match + 1e-9
    assert scores["f1"] <= allowed.f1 + 1e-9
    if max_answer_length == 30:
        assert scores["exact_match"] > allowed.exact_match - 5


def test_no_questions_have_a_ceiling_of_nothing(words):
    found = ceiling_of(words, [])
    assert (found.questions, found.exact_match, found.tokens_per_character) == (0, 0.0, 0.0)
