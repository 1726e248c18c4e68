from __future__ import annotations

import pytest
from hypothesis import given
from plain_rules import (
    plain_characters,
    plain_english,
    plain_evaluate,
    plain_evaluate_with_null,
    plain_korean,
    plain_words,
)
from strategies import data_sets

from dokhae.errors import DataError, SettingsError
from dokhae.metrics import ENGLISH_WORDS, ENGLISH_WORDS_WITH_NULL, KOREAN_CHARACTERS, evaluate
from dokhae.types import Answer, Example


def question(id, *golds):
    return Example(id, "?", "", tuple(Answer(gold, 0) for gold in golds))


@given(data_sets(golds=1))
def test_english_data_sets_equal_the_plain_rule(data):
    examples, predictions, _ = data
    assert evaluate(examples, predictions, ENGLISH_WORDS) == plain_evaluate(
        examples, predictions, plain_english, plain_words
    )


@given(data_sets(golds=1))
def test_korean_data_sets_equal_the_plain_rule(data):
    examples, predictions, _ = data
    del predictions[examples[0].id]
    assert evaluate(examples, predictions, KOREAN_CHARACTERS) == plain_evaluate(
        examples, predictions, plain_korean, plain_characters
    )


@given(data_sets(golds=0))
def test_data_sets_with_null_equal_the_plain_rule(data):
    examples, predictions, na_probs = data
    scores = evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, na_probs, na_prob_thresh=0.3)
    plain = plain_evaluate_with_null(examples, predictions, na_probs, na_prob_thresh=0.3)
    assert list(scores.items()) == list(plain.items())


def test_a_missing_prediction_scores_0_in_squad_1_and_korquad():
    examples = [question("q1", "Nile"), question("q2", "Rhine")]
    for rule in (ENGLISH_WORDS, KOREAN_CHARACTERS):
        assert evaluate(examples, {"q1": "Nile"}, rule) == {"exact_match": 50.0, "f1": 50.0}


def test_a_missing_prediction_is_an_error_in_squad_2():
    with pytest.raises(DataError, match="question q2 has no prediction"):
        evaluate([question("q1", "Nile"), question("q2")], {"q1": "Nile"}, ENGLISH_WORDS_WITH_NULL)


def test_questions_are_counted_in_squad_1_and_ids_in_squad_2():
    examples = [question("q1", "Nile"), question("q1", "Nile"), question("q2", "Rhine")]
    predictions = {"q1": "Nile", "q2": "Po"}
    assert evaluate(examples, predictions, ENGLISH_WORDS)["exact_match"] == 100.0 * 2 / 3
    with_null = evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL)
    assert (with_null["exact"], with_null["total"]) == (50.0, 2)


def test_subsets_are_reported_only_where_they_have_questions():
    scores = evaluate([question("q1")], {"q1": ""}, ENGLISH_WORDS_WITH_NULL)
    assert list(scores) == ["exact", "f1", "total", "NoAns_exact", "NoAns_f1", "NoAns_total"]


def test_above_the_threshold_the_answer_is_nothing():
    examples = [question("q1", "Nile"), question("q2")]
    predictions, na_probs = {"q1": "Nile", "q2": "Rhine"}, {"q1": 0.2, "q2": 0.7}
    assert evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, na_probs, 0.7)["exact"] == 50.0
    assert evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, na_probs, 0.5)["exact"] == 100.0


def test_na_probs_must_cover_every_question_with_numbers():
    examples, predictions = [question("q1", "Nile"), question("q2")], {"q1": "Nile", "q2": ""}
    with pytest.raises(DataError, match=r"na_probs: 1 of 2 questions have none \(the first is q2\)"):
        evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, {"q1": 0.1})
    with pytest.raises(DataError, match="na_probs: question q2 has 'high', not a number"):
        evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, {"q1": 0.1, "q2": "high"})
    with pytest.raises(DataError, match="question q2 has nan"):
        evaluate(examples, predictions, ENGLISH_WORDS_WITH_NULL, {"q1": 0.1, "q2": float("nan")})


def test_na_probs_without_null_are_refused():
    with pytest.raises(SettingsError, match="na_probs"):
        evaluate([question("q1", "Nile")], {"q1": "Nile"}, ENGLISH_WORDS, {"q1": 0.1})


def test_no_questions_have_no_score():
    for rule in (ENGLISH_WORDS, ENGLISH_WORDS_WITH_NULL):
        with pytest.raises(DataError, match="no questions"):
            evaluate([], {}, rule)
