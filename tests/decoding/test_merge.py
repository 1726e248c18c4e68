from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoding.building import merge_one
from dokhae.decoding import choose
from dokhae.decoding.merge import softmax
from dokhae.types import Candidate, Example

CONTEXT = "서울은 대한민국의 수도이다. 서울에는 한강이 흐른다."
EXAMPLE = Example("q1", "수도는?", CONTEXT)
SEOUL, AGAIN, NATION = (0, 2), (16, 18), (4, 8)

logit = st.integers(-40, 40).map(lambda value: float(np.float32(value / 7)))
span = st.tuples(st.integers(0, len(CONTEXT) - 1), st.integers(1, 6), logit, logit).map(
    lambda drawn: (drawn[0], min(drawn[0] + drawn[1], len(CONTEXT)), drawn[2], drawn[3])
)
span_sets = st.lists(span, max_size=30)


def test_the_best_span_is_the_answer_with_its_offsets():
    prediction = merge_one(EXAMPLE, [(*NATION, 1.0, 2.0), (*SEOUL, 4.0, 3.0)], -1.0, n_best=20, with_null=False)
    assert (prediction.id, prediction.text, prediction.start, prediction.end) == ("q1", "서울", 0, 2)
    assert [candidate.text for candidate in prediction.n_best] == ["서울", "대한민국"]
    assert prediction.n_best[0].score == 7.0
    assert (prediction.null_score, prediction.null_score_difference) == (-1.0, -8.0)


def test_the_same_text_is_kept_once_with_its_best_score():
    spans = [(*SEOUL, 1.0, 1.0), (*AGAIN, 2.0, 1.0), (*AGAIN, 0.0, 1.0), (*NATION, 0.0, 0.0)]
    prediction = merge_one(EXAMPLE, spans, 0.0, n_best=20, with_null=False)
    assert [(one.text, one.start, one.score) for one in prediction.n_best] == [("서울", 16, 3.0), ("대한민국", 4, 0.0)]


def test_only_n_best_texts_are_kept():
    spans = [(start, start + 1, float(start), 0.0) for start in range(9, 14)]
    prediction = merge_one(EXAMPLE, spans, 0.0, n_best=2, with_null=False)
    assert [candidate.start for candidate in prediction.n_best] == [13, 12]


def test_equal_scores_fall_to_the_earlier_span():
    spans = [(*NATION, 1.0, 2.0), (*SEOUL, 2.0, 1.0)]
    assert merge_one(EXAMPLE, spans, 0.0, n_best=1, with_null=False).start == 0


def test_the_same_span_with_the_same_score_from_two_windows_is_kept_the_same_in_any_order():
    spans = [(*SEOUL, 1.0, 2.0), (*SEOUL, 2.0, 1.0)]
    found = [merge_one(EXAMPLE, order, 0.0, n_best=20, with_null=False) for order in (spans, spans[::-1])]
    assert found[0] == found[1]


@given(spans=span_sets, null_score=logit, n_best=st.integers(1, 8), with_null=st.booleans(), data=st.data())
def test_the_order_of_windows_means_nothing(spans, null_score, n_best, with_null, data):
    mixed = data.draw(st.permutations(spans))
    found = [merge_one(EXAMPLE, order, null_score, n_best, with_null) for order in (spans, mixed)]
    assert found[0] == found[1]


@given(spans=span_sets, null_score=logit, n_best=st.integers(1, 8))
def test_an_n_best_list_is_sorted_and_says_nothing_twice(spans, null_score, n_best):
    prediction = merge_one(EXAMPLE, spans, null_score, n_best, with_null=True)
    candidates = prediction.n_best
    scores = [np.float32(one.score) for one in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len(candidates) == min(n_best, len({CONTEXT[first:last] for first, last, *_ in spans}))
    assert len({one.text for one in candidates}) == len(candidates)
    assert all(one.text and CONTEXT[one.start : one.end] == one.text for one in candidates)
    if spans:
        assert scores[0] == max(np.float32(start + end) for *_, start, end in spans)
        assert prediction.null_score_difference == null_score - candidates[0].score


@given(spans=span_sets, null_score=logit, with_null=st.booleans())
def test_probabilities_are_a_softmax_over_what_is_kept(spans, null_score, with_null):
    prediction = merge_one(EXAMPLE, spans, null_score, 5, with_null)
    scores = [one.score for one in prediction.n_best] + [null_score] * with_null
    total = math.fsum(math.exp(score) for score in scores)
    assert [one.probability for one in prediction.n_best] == pytest.approx(
        [math.exp(one.score) / total for one in prediction.n_best]
    )
    shares = math.fsum(one.probability for one in prediction.n_best)
    null_share = choose(prediction, -math.inf).probability if prediction.n_best else prediction.probability
    assert (shares + null_share * with_null if scores else 1.0) == pytest.approx(1.0)


def test_a_question_without_a_span_is_answered_with_nothing():
    prediction = merge_one(EXAMPLE, [], 3.0, n_best=20, with_null=True)
    assert (prediction.text, prediction.start, prediction.end, prediction.n_best) == ("", None, None, ())
    assert (prediction.probability, prediction.null_score_difference) == (1.0, math.inf)
    assert choose(prediction, None) == choose(prediction, 0.0) == prediction
    assert merge_one(EXAMPLE, [], 3.0, n_best=20, with_null=False).probability == 0.0


def test_nothing_is_answered_only_above_the_threshold():
    prediction = merge_one(EXAMPLE, [(*SEOUL, 1.0, 1.0)], 2.5, n_best=20, with_null=True)
    assert prediction.null_score_difference == 0.5
    assert choose(prediction, 0.5) == prediction
    refused = choose(prediction, math.nextafter(0.5, 0.0))
    assert (refused.text, refused.start, refused.end) == ("", None, None)
    assert refused.n_best == prediction.n_best
    assert refused.probability == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert prediction.probability + refused.probability == pytest.approx(1.0)


def test_without_a_threshold_there_is_always_an_answer():
    prediction = merge_one(EXAMPLE, [(*SEOUL, -50.0, 0.0)], 50.0, n_best=20, with_null=False)
    assert choose(prediction, None).text == "서울"
    assert prediction.probability == 1.0


def test_softmax_does_not_overflow():
    assert softmax([1e4, 1e4, -1e4]) == [0.5, 0.5, 0.0]
    assert softmax([]) == []


def test_a_candidate_knows_its_score():
    assert Candidate("서울", 0, 2, 1.5, 2.0, 0.7).score == 3.5
