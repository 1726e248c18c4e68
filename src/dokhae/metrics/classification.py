"""Scores of classes and of numbers, as GLUE reports them: pure functions of two arrays, gold and predicted.

Classes may be any values that can be compared. 0 to 100; Matthews, Pearson and Spearman -100 to 100. Nothing depends on
the order of the rows: counts are whole numbers, and sums of floats are exact until they are rounded once (math.fsum).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.errors import DataError

Classes = NDArray[Any]  # (row,)
Numbers = NDArray[np.floating[Any]]  # (row,)


def accuracy(gold: Classes, predicted: Classes) -> float:
    """The share of rows whose class is predicted, 0 to 100."""
    _refuse_unlike(gold, predicted)
    return 100.0 * int((gold == predicted).sum()) / len(gold)


def f1(gold: Classes, predicted: Classes, positive: object = 1) -> float:
    """F1 of one class, 0 to 100; 0.0 where it is neither gold nor predicted anywhere."""
    _refuse_unlike(gold, predicted)
    is_gold, is_predicted = gold == positive, predicted == positive
    both = int((is_gold & is_predicted).sum())
    either = int(is_gold.sum()) + int(is_predicted.sum())
    return 100.0 * 2 * both / either if either else 0.0


def macro_f1(gold: Classes, predicted: Classes) -> float:
    """The mean F1 of the classes that are gold or predicted, 0 to 100, as scikit-learn has it by default."""
    scores = [f1(gold, predicted, each) for each in np.union1d(gold, predicted)]
    return math.fsum(scores) / len(scores)


def matthews(gold: Classes, predicted: Classes) -> float:
    """Matthews' correlation, of any number of classes (Gorodkin 2004), -100 to 100; 0.0 where a side has one class."""
    _refuse_unlike(gold, predicted)
    classes = np.union1d(gold, predicted)
    golds = [int((gold == each).sum()) for each in classes]
    predictions = [int((predicted == each).sum()) for each in classes]
    total, right = len(gold), int((gold == predicted).sum())
    shared = right * total - _dot(golds, predictions)
    spread_of_gold = total * total - _dot(golds, golds)
    spread_of_predicted = total * total - _dot(predictions, predictions)
    if spread_of_gold == 0 or spread_of_predicted == 0:
        return 0.0
    return _percent(shared / math.sqrt(spread_of_gold * spread_of_predicted))


def pearson(gold: Numbers, predicted: Numbers) -> float:
    """Pearson's correlation, -100 to 100; 0.0 where either side is constant, of which scipy says nan."""
    _refuse_unlike(gold, predicted)
    return _correlation(_finite(gold, "gold"), _finite(predicted, "predicted"))


def spearman(gold: Numbers, predicted: Numbers) -> float:
    """Spearman's rank correlation, -100 to 100; ties have their mean rank. 0.0 where either side is constant."""
    _refuse_unlike(gold, predicted)
    return _correlation(_mean_ranks(_finite(gold, "gold")), _mean_ranks(_finite(predicted, "predicted")))


def _correlation(gold: Numbers, predicted: Numbers) -> float:
    if gold.min() == gold.max() or predicted.min() == predicted.max():
        return 0.0
    first, second = _centred(gold), _centred(predicted)
    spread = math.sqrt(math.fsum(first * first) * math.fsum(second * second))
    return _percent(math.fsum(first * second) / spread)


def _centred(numbers: Numbers) -> Numbers:
    """The distances from the mean, the largest being 1, so that no square is too large or too small for a float."""
    numbers = numbers / np.abs(numbers).max()
    distances: Numbers = numbers - math.fsum(numbers) / len(numbers)
    return np.asarray(distances / np.abs(distances).max())


def _mean_ranks(numbers: Numbers) -> Numbers:
    """Ranks from 1; equal numbers share the mean of theirs."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(last - (counts - 1) / 2)[places]


def _percent(correlation: float) -> float:
    return 100.0 * min(1.0, max(-1.0, correlation))  # rounding may step over by a last digit


def _dot(first: list[int], second: list[int]) -> int:
    return sum(one * other for one, other in zip(first, second, strict=True))


def _finite(numbers: Numbers, side: str) -> Numbers:
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise DataError(f"row {wrong[0]}: the {side} number is {numbers[wrong[0]]}, which cannot be scored")
    return np.asarray(numbers, dtype=np.float64)


def _refuse_unlike(gold: NDArray[Any], predicted: NDArray[Any]) -> None:
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} rows are labelled but {len(predicted)} are predicted; predict the same rows")
    if len(gold) == 0:
        raise DataError("there is nothing to score; is the data file the right one?")
