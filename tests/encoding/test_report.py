from __future__ import annotations

import unicodedata

import pytest
from transformers import BertTokenizerFast

from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.korean import tokenizer_of
from dokhae.encoding.report import hangul_warning, lost_ends, unknown_warning
from dokhae.types import Answer, Example
from tokenizers_on_the_spot import TOKENIZERS, pair_tokenizer

KOREAN = [Example("q1", "수도는?", "똠방각하는 펲시콜라를 샀다.")]
ENGLISH = [Example("q1", "Where?", "In the town.")]


def warning(kind, examples):
    tokenizer = pair_tokenizer(kind)
    return hangul_warning(examples, build_features(examples, tokenizer, WindowConfig()), tokenizer)


def test_lower_casing_without_accents_is_loudly_told_on_korean():
    said = warning("bert-uncased", KOREAN)
    assert said.startswith("WARNING: THIS TOKENIZER LOWER-CASES AND STRIPS ACCENTS")
    assert "% of the context's tokens are unknown to it" in said


def test_it_is_not_told_on_english():
    assert warning("bert-uncased", ENGLISH) is None


@pytest.mark.parametrize("kind", sorted({*TOKENIZERS} - {"bert-uncased", "albert"}))
def test_it_is_not_told_of_other_tokenizers(kind):
    assert warning(kind, KOREAN) is None


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?", "서울은", "서울", "##은", "town", "the"]


@pytest.mark.parametrize(
    ("context", "answers", "split", "said"),
    [
        ("서울 서울은", ["서울", "서울은"], "none", None),
        ("서울은", ["서울"], "none", "100% of the answers end inside of a token, mostly before a particle, so exact "),
        ("서울은 서울", ["서울은", "서울", "서울은"], "none", "33% of the answers end inside of a token"),
        ("서울은", ["서울"], "particles", None),
        ("the town", ["tow"], "none", None),  # no Korean
        ("서울은", [], "none", None),
    ],
)
def test_answers_that_end_inside_of_a_token_are_told(context, answers, split, said):
    fast = BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}, do_lower_case=False)
    examples = [
        Example(str(number), "?", context, (Answer(text, context.index(text)),)) for number, text in enumerate(answers)
    ] or [Example("q", "?", context)]
    features = build_features(examples, tokenizer_of(fast, korean_split=split), WindowConfig())
    found = lost_ends(examples, features)
    assert found is None if said is None else found.startswith(said)


def test_a_text_that_is_mostly_unknown_is_told_and_why():
    fast = BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}, do_lower_case=False)

    def told(context):
        examples = [Example("q", "?", context)]
        tokenizer = tokenizer_of(fast)
        return unknown_warning(examples, build_features(examples, tokenizer, WindowConfig()), tokenizer)

    assert told("서울은 서울 " * 300) is None
    assert told("서울은 부산 서울") is None  # one rare name is no sign
    assert told("서울은 부산 서울 " * 200) == (
        "WARNING: 33% of the context's tokens are unknown to the tokenizer; choose an encoder with a Korean vocabulary"
    )
    assert "100% of the context's tokens are unknown" in told(unicodedata.normalize("NFD", "서울은"))
    assert told(unicodedata.normalize("NFD", "서울은")).endswith("convert the text to NFC")
    assert told("Berlin is a city") is None
