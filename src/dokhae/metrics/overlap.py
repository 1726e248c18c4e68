"""What a prediction and a gold answer have in common: the measures that the second score is taken of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher


def count_shared(predicted: Sequence[str], gold: Sequence[str]) -> int:
    """How many units two texts share, each as often as both have it."""
    predicted_once, gold_once = set(predicted), set(gold)
    if len(predicted_once) == len(predicted) or len(gold_once) == len(gold):
        return len(
            predicted_once & gold_once
        )  # nothing repeats on one side, so counting, which is slow, changes nothing
    return sum((Counter(predicted) & Counter(gold)).values())


def longest_shared_run(predicted: Sequence[str], gold: Sequence[str]) -> int:
    """How many units the longest run has that both texts hold in one piece, as KLUE's script finds it.

    It asks difflib, which in golds of 200 units and more looks for runs without the units that make up over 1 % of the
    gold, and takes those in only where they go on with the run it has found: there, less may come out.
    """
    return SequenceMatcher(None, predicted, gold).find_longest_match().size
