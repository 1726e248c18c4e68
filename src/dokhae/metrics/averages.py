"""Averages in per cent, each summed as the scripts sum that use it: another order gives another last digit."""

from __future__ import annotations

from collections.abc import Sequence


def left_to_right(scores: Sequence[float]) -> float:
    """The average of scores from 0 to 1, in per cent, as the scripts of SQuAD and KorQuAD take it."""
    total = 0.0
    for score in scores:  # a loop: from Python 3.12 on, sum() compensates and gives another last digit
        total += score
    return 100.0 * total / len(scores)


def pairwise(scores: Sequence[float]) -> float:
    """The average of scores from 0 to 1, in per cent, as KLUE's script takes it: numpy adds parts of parts."""
    import numpy as np  # the other scripts need none

    return float(np.mean(scores)) * 100.0
