from __future__ import annotations

import numpy as np
import pytest

import dokhae.sharing
from dokhae.encoding import assemble, build_features
from dokhae.sharing import plan, portions
from dokhae.types import Example
from test_predict import KINDS, SAMPLE, SMALL
from tokenizers_on_the_spot import pair_tokenizer


def test_a_portion_has_so_many_questions_or_characters_or_is_one_long_question(monkeypatch):
    monkeypatch.setattr(dokhae.sharing, "QUESTIONS", 3)
    monkeypatch.setattr(dokhae.sharing, "CHARACTERS", 10)
    examples = [Example("", "?", "x" * size) for size in (1, 1, 1, 1, 9, 1, 10, 11, 25, 0, 0, 5)]
    found = list(portions(examples))
    assert [(one.start, one.stop) for one in found] == [(0, 3), (3, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 12)]
    assert list(portions([])) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_windows_come_first(kind):
    tokenizer = pair_tokenizer(kind)
    features = build_features(SAMPLE, tokenizer, SMALL)
    sizes = [assemble(features, windows, tokenizer.layout).lengths for windows in plan(features, tokenizer.layout, 7)]
    sizes = np.concatenate(sizes).tolist()
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == features.window_count
