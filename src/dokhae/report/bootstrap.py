"""Whether one set of answers is better than another on the same questions, or only luckier: the paired bootstrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokhae.errors import SettingsError

AT_ONCE = 1 << 22  # numbers drawn at once


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher a mean score is, and how sure that is."""

    mean: float  # of the scores' unit
    low: float  # between these two it lies in 95 of 100 samples
    high: float
    worse: float  # share of the samples in which it is not above 0

    def in_words(self) -> str:
        """For a table."""
        return f"{self.mean:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def paired_bootstrap(
    scores: Sequence[float],
    before: Sequence[float],
    groups: Sequence[str],
    samples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """The mean of `scores` less that of `before`, with samples of whole groups drawn with replacement.

    scores, before: of the same questions in the same order, any unit. groups: what each question belongs to: questions
    of one article are right or wrong together, so single ones would look surer than they are. Source: Efron 1979;
    for comparing systems Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation.
    """
    if not len(scores) == len(before) == len(groups) > 0 or samples < 1:
        raise SettingsError(f"{len(scores)} scores cannot be paired with {len(before)}, {len(groups)} groups and "
                            f"{samples} samples; there have to be as many of each, and at least one")  # fmt: skip
    gains = np.asarray(scores, dtype=np.float64) - np.asarray(before, dtype=np.float64)
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group).astype(np.float64)
    totals = np.bincount(group, weights=gains).astype(np.float64)
    generator = np.random.default_rng(seed)
    means = np.concatenate([
        _means(totals, sizes, generator, count) for count in _portions(samples, max(AT_ONCE // len(sizes), 1))
    ])  # fmt: skip
    low, high = np.quantile(means, (0.025, 0.975))
    return Difference(float(gains.mean()), float(low), float(high), float((means <= 0).mean()))


def _means(
    totals: NDArray[np.float64], sizes: NDArray[np.float64], generator: np.random.Generator, count: int
) -> NDArray[np.float64]:
    drawn = generator.integers(len(sizes), size=(count, len(sizes)))  # (sample, group)
    return np.asarray(totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


def _portions(total: int, size: int) -> list[int]:
    return [min(size, total - done) for done in range(0, total, size)]
