from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from strategies import data_sets

from dokhae.errors import DataError
from dokhae.metrics import ENGLISH_WORDS_WITH_NULL, Thresholds, evaluate, find_best_threshold, fit_thresholds
from dokhae.types import Answer, Example

HAS_ANSWER = {"q1": True, "q2": False, "q3": True, "q4": False}
EXAMPLES = [Example(id, "?", "", (Answer("Nile", 0),) if answerable else ()) for id, answerable in HAS_ANSWER.items()]
EMPTY = ("", "a", "the")
SPANS = dict.fromkeys(HAS_ANSWER, "Nile")
SCORES = {"q1": 1.0, "q2": 0.0, "q3": 1.0, "q4": 0.0}


def test_the_sweep_answers_the_surest_questions_first():
    na_probs = {"q1": 0.1, "q2": 0.8, "q3": 0.2, "q4": 0.9}
    assert find_best_threshold(SPANS, SCORES, HAS_ANSWER, na_probs) == (100.0, 0.2)


def test_answering_nothing_is_the_start():
    na_probs = {"q1": 0.9, "q2": 0.1, "q3": 0.9, "q4": 0.2}
    assert find_best_threshold(SPANS, SCORES, HAS_ANSWER, na_probs) == (50.0, 0.0)
    assert find_best_threshold(SPANS, SCORES, HAS_ANSWER, na_probs, start=-3.5) == (50.0, -3.5)


def test_only_the_official_sweep_stops_between_ties():
    na_probs = {"q1": 0.5, "q3": 0.5, "q2": 0.5, "q4": 0.5}
    assert find_best_threshold(SPANS, SCORES, HAS_ANSWER, na_probs) == (100.0, 0.5)
    assert find_best_threshold(SPANS, SCORES, HAS_ANSWER, na_probs, between_ties=False) == (50.0, 0.0)


def test_fitting_reaches_negative_differences():
    differences = {"q1": -9.0, "q2": 1.5, "q3": -4.0, "q4": math.inf}
    assert fit_thresholds(EXAMPLES, SPANS, differences, ENGLISH_WORDS_WITH_NULL) == Thresholds(-4.0, 100.0, -4.0, 100.0)


def test_fitting_can_answer_nothing():
    differences = {"q1": 2.0, "q2": -7.0, "q3": 3.0, "q4": -7.5}
    fitted = fit_thresholds(EXAMPLES, SPANS, differences, ENGLISH_WORDS_WITH_NULL)
    assert fitted.f1 == 50.0
    assert fitted.f1_threshold < -7.5


@given(data_sets(golds=0))
def test_a_fitted_threshold_reaches_its_score_and_no_other_reaches_more(data):
    examples, spans, differences = data
    # The sweep, as the official one, takes a text such as "the" for an answer although it normalises to none.
    examples = [replace(one, answers=tuple(a for a in one.answers if a.text not in EMPTY)) for one in examples]
    spans = {id: "" if text in EMPTY else text for id, text in spans.items()}
    fitted = fit_thresholds(examples, spans, differences, ENGLISH_WORDS_WITH_NULL)
    for key, score, threshold in (
        ("exact", fitted.exact_match, fitted.exact_match_threshold),
        ("f1", fitted.f1, fitted.f1_threshold),
    ):
        reached = {
            one: evaluate(examples, _answers(spans, differences, one), ENGLISH_WORDS_WITH_NULL)[key]
            for one in (threshold, -1.0, *differences.values())
        }
        assert reached[threshold] == pytest.approx(score, abs=1e-9)
        assert max(reached.values()) == pytest.approx(score, abs=1e-9)


def _answers(spans, differences, threshold):
    return {id: "" if differences[id] > threshold else text for id, text in spans.items()}


def test_fitting_needs_a_difference_for_every_question():
    with pytest.raises(DataError, match=r"null score differences: 3 of 4 questions have none \(the first is q2\)"):
        fit_thresholds(EXAMPLES, SPANS, {"q1": 0.0}, ENGLISH_WORDS_WITH_NULL)
    with pytest.raises(DataError, match="no questions"):
        fit_thresholds([], {}, {}, ENGLISH_WORDS_WITH_NULL)
