from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_rules import (
    plain_characters,
    plain_english,
    plain_korean,
    plain_korean_html,
    plain_score,
    plain_score_with_null,
    plain_words,
)
from strategies import texts

from dokhae.errors import DataError
from dokhae.metrics import (
    ENGLISH_WORDS,
    ENGLISH_WORDS_WITH_NULL,
    KOREAN_CHARACTERS,
    KOREAN_CHARACTERS_HTML,
    score_answer,
    score_each,
)
from dokhae.types import Answer, Example

PLAIN_RULES = [
    pytest.param(ENGLISH_WORDS, plain_english, plain_words, id="squad-1.1"),
    pytest.param(KOREAN_CHARACTERS, plain_korean, plain_characters, id="korquad-1.0"),
    pytest.param(KOREAN_CHARACTERS_HTML, plain_korean_html, plain_characters, id="korquad-2"),
]
golds_of_one = st.lists(texts, min_size=1, max_size=3)


def question(id, *golds):
    return Example(id, "?", "", tuple(Answer(gold, 0) for gold in golds))


def test_f1_counts_words_in_english_and_characters_in_korean():
    assert score_answer("big red apple", ["red apple"], ENGLISH_WORDS) == (0.0, 0.8)
    assert score_answer("서울은", ["서울"], KOREAN_CHARACTERS) == (0.0, 0.8)


def test_the_best_gold_counts():
    assert score_answer("The Nile", ["river Nile", "nile"], ENGLISH_WORDS) == (1.0, 1.0)


def test_two_empty_sides_match_exactly_but_have_f1_only_with_null():
    assert score_answer("the", ["a"], ENGLISH_WORDS) == (1.0, 0.0)
    assert score_answer("the", ["a"], ENGLISH_WORDS_WITH_NULL) == (1.0, 1.0)
    assert score_answer("!", ["?"], KOREAN_CHARACTERS) == (1.0, 0.0)
    assert score_answer("<br>", [" "], KOREAN_CHARACTERS_HTML) == (1.0, 0.0)


def test_without_golds_only_the_rule_with_null_can_score():
    assert score_answer("", [], ENGLISH_WORDS_WITH_NULL) == (1.0, 1.0)
    assert score_answer("Seoul", [], ENGLISH_WORDS_WITH_NULL) == (0.0, 0.0)
    with pytest.raises(DataError, match="question q7: no gold answer"):
        score_each([question("q7")], {"q7": "x"}, ENGLISH_WORDS)


def test_golds_that_normalise_to_nothing_do_not_count_with_null():
    assert score_answer("", ["the", "Nile"], ENGLISH_WORDS_WITH_NULL) == (0.0, 0.0)


@pytest.mark.parametrize(("rule", "normalize", "units"), PLAIN_RULES)
@given(prediction=texts, golds=golds_of_one)
def test_scores_equal_the_plain_rule(rule, normalize, units, prediction, golds):
    assert score_answer(prediction, golds, rule) == plain_score(prediction, golds, normalize, units)


@given(prediction=texts, golds=st.lists(texts, max_size=3))
def test_scores_with_null_equal_the_plain_rule(prediction, golds):
    assert score_answer(prediction, golds, ENGLISH_WORDS_WITH_NULL) == plain_score_with_null(prediction, golds)


def test_scores_of_each_question_by_id():
    examples = [question("q1", "서울"), question("q2", "부산"), question("q3", "대구")]
    scores = score_each(examples, {"q1": "서울", "q2": "부산은"}, KOREAN_CHARACTERS)
    assert scores == {"q1": (1.0, 1.0), "q2": (0.0, 0.8), "q3": (0.0, 0.0)}


@pytest.mark.parametrize("value", [None, 3, ["Nile"], {"text": "Nile"}])
def test_a_prediction_that_is_no_text_names_its_question(value):
    with pytest.raises(DataError, match="question q1: the prediction is .* not a text"):
        score_each([question("q1", "Nile")], {"q1": value}, ENGLISH_WORDS)
