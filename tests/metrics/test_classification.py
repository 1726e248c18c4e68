"""Goldens: scikit-learn 1.9.1 and scipy 1.17.1, numpy 2.4.6, times 100."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dokhae.errors import DataError
from dokhae.metrics.classification import accuracy, f1, macro_f1, matthews, pearson, spearman

BINARY = np.array([0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1]), np.array([0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1])
THREE = np.array([0, 1, 2, 2, 1, 0, 0, 2, 1, 1, 2, 0, 2]), np.array([0, 2, 2, 2, 1, 0, 1, 2, 0, 1, 1, 0, 2])
NUMBERS = (
    np.array([5.0, 4.75, 2.4, 2.75, 2.615, 0.0, 3.6, 1.0, 0.5, 4.75]),
    np.array([4.61, 4.2, 3.125, 1.5, 2.75, 0.25, 2.75, 1.9, -0.1, 4.9]),
)


def close(number):
    return pytest.approx(number, rel=1e-13, abs=1e-13)


def test_two_classes_equal_scikit_learn():
    assert accuracy(*BINARY) == close(66.66666666666666)
    assert f1(*BINARY) == close(71.42857142857143)
    assert f1(*BINARY, positive=0) == close(60.0)
    assert macro_f1(*BINARY) == close(65.71428571428571)
    assert matthews(*BINARY) == close(31.42857142857143)


def test_three_classes_equal_scikit_learn():
    assert accuracy(*THREE) == close(69.23076923076923)
    assert macro_f1(*THREE) == close(68.33333333333332)
    assert matthews(*THREE) == close(53.57142857142857)


def test_numbers_equal_scipy():
    assert pearson(*NUMBERS) == close(92.45410624928849)
    assert spearman(*NUMBERS) == close(83.53658536585367)


def test_what_is_undefined_is_0():
    flat = np.full(10, 0.1 + 0.2)
    assert [pearson(NUMBERS[0], flat), spearman(NUMBERS[0], flat), pearson(flat, NUMBERS[0])] == [0.0, 0.0, 0.0]
    assert matthews(np.array([0, 1, 1]), np.array([1, 1, 1])) == 0.0
    assert f1(np.array([0, 0]), np.array([0, 0])) == 0.0


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_a_scale_changes_no_correlation_however_large(scale):
    assert pearson(NUMBERS[0] * scale, NUMBERS[1]) == close(92.45410624928849)


def test_classes_may_be_text():
    gold, predicted = np.array(["ham", "spam", "ham", "spam"]), np.array(["ham", "spam", "spam", "spam"])
    assert (accuracy(gold, predicted), f1(gold, predicted, "spam")) == (75.0, 80.0)
    assert matthews(gold, predicted) == close(100 / math.sqrt(3))


@pytest.mark.parametrize("metric", [accuracy, f1, matthews, pearson, spearman])
def test_what_cannot_be_scored_is_refused(metric):
    with pytest.raises(DataError, match="3 rows are labelled but 2 are predicted"):
        metric(np.zeros(3), np.zeros(2))
    with pytest.raises(DataError, match="nothing to score"):
        metric(np.zeros(0), np.zeros(0))


def test_a_prediction_that_is_no_number_is_refused():
    with pytest.raises(DataError, match="row 1: the predicted number is nan"):
        pearson(np.array([1.0, 2.0]), np.array([1.0, np.nan]))


small = st.integers(0, 3)
classes = st.lists(st.tuples(small, small), min_size=1, max_size=30)
halves = st.integers(-8, 8).map(lambda number: number / 2)  # ties are frequent
numbers = st.lists(st.tuples(halves, halves), min_size=1, max_size=20)


@given(classes)
def test_classes_equal_the_plain_definitions(rows):
    gold, predicted = map(np.array, zip(*rows, strict=True))
    of_each = [plain_f1(rows, each) for each in range(4)]
    assert accuracy(gold, predicted) == close(100 * sum(one == other for one, other in rows) / len(rows))
    assert [f1(gold, predicted, each) for each in range(4)] == close(of_each)
    there = sorted({*gold.tolist(), *predicted.tolist()})
    assert macro_f1(gold, predicted) == close(sum(of_each[each] for each in there) / len(there))
    assert matthews(gold, predicted) == pytest.approx(plain_matthews(rows), abs=1e-10)


def plain_f1(rows, positive):
    right = sum(one == other == positive for one, other in rows)
    if not right:
        return 0.0
    precision = right / sum(predicted == positive for _, predicted in rows)
    recall = right / sum(gold == positive for gold, _ in rows)
    return 100 * 2 * precision * recall / (precision + recall)


def plain_matthews(rows):
    """The correlation of the two tables of zeros and ones, row by class (Gorodkin 2004)."""
    gold, predicted = (np.eye(4)[list(side)] for side in zip(*rows, strict=True))
    gold, predicted = gold - gold.mean(0), predicted - predicted.mean(0)
    spread = math.sqrt((gold**2).sum() * (predicted**2).sum())
    return 100 * (gold * predicted).sum() / spread if spread > 1e-9 else 0.0


@given(numbers)
def test_numbers_equal_the_plain_definitions(rows):
    gold, predicted = map(np.array, zip(*rows, strict=True))
    assert pearson(gold, predicted) == pytest.approx(plain_pearson(gold, predicted), abs=1e-9)
    assert spearman(gold, predicted) == pytest.approx(
        plain_pearson(plain_ranks(gold), plain_ranks(predicted)), abs=1e-9
    )


def plain_pearson(gold, predicted):
    gold, predicted = gold - gold.mean(), predicted - predicted.mean()
    spread = math.sqrt((gold**2).sum() * (predicted**2).sum())
    return 100 * (gold * predicted).sum() / spread if spread > 1e-9 else 0.0


def plain_ranks(values):
    return np.array([(values < each).sum() + ((values == each).sum() + 1) / 2 for each in values])


@given(numbers.flatmap(st.permutations), st.randoms())
def test_neither_the_order_of_rows_nor_of_sides_counts_to_the_last_digit(rows, random):
    shuffled = random.sample(rows, len(rows))
    gold, predicted = map(np.array, zip(*rows, strict=True))
    for metric in (accuracy, matthews, pearson, spearman):
        assert metric(gold, predicted) == metric(*map(np.array, zip(*shuffled, strict=True)))
        assert metric(gold, predicted) == metric(predicted, gold)
        assert -100 <= metric(gold, predicted) <= 100


@given(numbers)
def test_a_perfect_prediction_scores_100_and_its_opposite_the_least(rows):
    gold = np.array([one for one, _ in rows])
    assume(len(set(gold)) > 1)
    assert [accuracy(gold, gold), f1(gold, gold, gold[0]), matthews(gold, gold)] == [100.0] * 3
    assert [pearson(gold, gold), spearman(gold, gold)] == [100.0] * 2
    assert [pearson(gold, -gold), spearman(gold, -gold)] == [close(-100.0)] * 2
