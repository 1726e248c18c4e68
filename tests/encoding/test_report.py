from __future__ import annotations

import pytest

from dokhae.encoding import WindowConfig, build_features
from dokhae.encoding.report import hangul_warning
from dokhae.types import Example
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
