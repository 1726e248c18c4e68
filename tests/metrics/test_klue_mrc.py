"""KLUE-MRC: equal to KLUE's own functions to the last digit, in numbers that they printed and by the plain rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_rules import plain_evaluate_klue, plain_longest_run, plain_score_klue
from strategies import data_sets, long_texts, texts

from dokhae.errors import DataError
from dokhae.metrics import KOREAN_RUNS_WITH_NULL, Thresholds, check_predictions, evaluate, fit_thresholds, score_answer
from dokhae.metrics.overlap import longest_shared_run
from dokhae.types import Answer, Example

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "klue_mrc.json").read_text(encoding="utf-8"))


def question(id, *golds):
    return Example(id, "?", "", tuple(Answer(gold, 0) for gold in golds))


def score(prediction, *golds):
    return score_answer(prediction, golds, KOREAN_RUNS_WITH_NULL)


@pytest.mark.parametrize("row", GOLDEN["questions"], ids=lambda row: row["id"])
def test_a_question_scores_what_klue_printed(row):
    assert score(row["prediction"], *row["golds"]) == (row["exact_match"], row["rouge_w"])


def test_a_data_set_scores_what_klue_printed():
    examples = [question(row["id"], *row["golds"]) for row in GOLDEN["questions"]]
    scores = evaluate(examples, {row["id"]: row["prediction"] for row in GOLDEN["questions"]}, KOREAN_RUNS_WITH_NULL)
    for prefix, part in (("", "all"), ("HasAns_", "with golds"), ("NoAns_", "without golds")):
        official = GOLDEN["evaluate_for_klue_mrc"][part]  # 0 to 1
        assert scores[f"{prefix}exact_match"] == official["exact_match"] * 100.0
        assert scores[f"{prefix}rouge_w"] == official["rouge"] * 100.0
    assert scores["exact_match"] == GOLDEN["klue_mrc_em"]
    assert scores["rouge_w"] == pytest.approx(GOLDEN["klue_mrc_rouge_w"], rel=1e-15)  # sums the types one by one


def test_rouge_w_takes_the_longest_run_and_nothing_else_that_is_shared():
    assert score("3월 14일 2019년", "2019년 3월 14일") == (0.0, 0.5)  # 6 of 12 characters
    assert score("서울은", "서울") == (0.0, 0.8)
    assert score("울서", "서울") == (0.0, 0.5)


def test_spaces_between_words_count_as_characters():
    assert score("가 나", "가나") == (0.0, 2 * (1 / 3 * 1 / 2) / (1 / 3 + 1 / 2))


def test_without_golds_the_right_answer_is_nothing():
    assert score("") == score("?!") == (1.0, 1.0)
    assert score("서울") == (0.0, 0.0)


def test_a_gold_of_punctuation_only_is_a_gold_and_matches_nothing_said():
    assert score("", "!", "바다") == (1.0, 1.0)
    assert score("강", "!", "바다") == (0.0, 0.0)


def test_in_long_golds_a_frequent_character_begins_no_run():
    assert longest_shared_run("나가", "가나" * 99 + "다") == 2
    assert longest_shared_run("나가", "가나" * 100 + "다") == 0
    assert longest_shared_run("가나다", "가나" * 100 + "다") == 3  # but prolongs one


@given(prediction=texts, golds=st.lists(texts, max_size=3))
def test_scores_equal_the_plain_rule(prediction, golds):
    assert score(prediction, *golds) == plain_score_klue(prediction, golds)


@settings(deadline=None)  # the plain rule is slow, which is its virtue
@given(text=long_texts, cut=st.integers(0, 220), other=texts, order=st.sampled_from(["cut", "changed", "turned"]))
@example(text="가" * 200, cut=0, other="", order="cut")
@example(text="가나" * 100, cut=1, other="나", order="changed")
def test_runs_of_long_texts_equal_the_plain_rule(text, cut, other, order):
    pairs = {"cut": (text[cut : cut + 40], text), "changed": (text[:cut] + other, text), "turned": (text, other)}
    assert longest_shared_run(*pairs[order]) == plain_longest_run(*pairs[order])


@given(text=long_texts)
def test_a_long_text_shares_all_of_itself(text):
    assert longest_shared_run(text, text) == len(text)


@given(data_sets(golds=0))
def test_data_sets_equal_the_plain_rule(data):
    examples, predictions, _ = data
    assert list(evaluate(examples, predictions, KOREAN_RUNS_WITH_NULL).items()) == list(
        plain_evaluate_klue(examples, predictions).items()
    )


def test_a_missing_prediction_is_an_error():
    examples = [question("q1", "서울"), question("q2")]
    with pytest.raises(DataError, match="question q2 has no prediction"):
        evaluate(examples, {"q1": "서울"}, KOREAN_RUNS_WITH_NULL)
    with pytest.raises(DataError, match=r"p.json: 1 of 2 questions have no prediction \(the first is q2\)"):
        check_predictions(examples, {"q1": "서울"}, KOREAN_RUNS_WITH_NULL, "p.json")


def test_the_null_threshold_is_fitted_for_exact_match_and_for_rouge_w():
    examples = [question("q1", "서울"), question("q2", "부산항"), question("q3")]
    spans, differences = {"q1": "서울", "q2": "부산", "q3": "대구"}, {"q1": -3.0, "q2": 1.0, "q3": 2.0}
    assert fit_thresholds(examples, spans, differences, KOREAN_RUNS_WITH_NULL) == Thresholds(
        -3.0, 100.0 * 2 / 3, 1.0, 100.0 * (1.0 + 1.0 + 0.8) / 3
    )


def test_na_probs_report_the_best_thresholds_under_the_names_of_the_rule():
    examples = [question("q1", "서울"), question("q2")]
    scores = evaluate(examples, {"q1": "서울은", "q2": "부산"}, KOREAN_RUNS_WITH_NULL, {"q1": 0.1, "q2": 0.9}, 0.5)
    assert (scores["exact_match"], scores["rouge_w"]) == (50.0, 90.0)
    assert (scores["best_rouge_w"], scores["best_rouge_w_thresh"]) == (90.0, 0.1)
