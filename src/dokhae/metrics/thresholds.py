"""From which null score on to answer nothing: the official sweep, and fitting a threshold with it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dokhae.errors import DataError
from dokhae.metrics.rules import Rule
from dokhae.metrics.scores import has_answer_by_id, score_each, shortened
from dokhae.types import Example


@dataclass(frozen=True, slots=True)
class Thresholds:
    """An example is answered "" when its null score difference exceeds the threshold of the score one cares for."""

    exact_match_threshold: float
    exact_match: float  # at that threshold, 0 to 100
    f1_threshold: float
    f1: float


def find_best_threshold(
    texts: Mapping[str, str],
    scores: Mapping[str, float],
    has_answer: Mapping[str, bool],
    null_scores: Mapping[str, float],
    start: float = 0.0,
    between_ties: bool = True,
) -> tuple[float, float]:
    """The best score (0 to 100) over the thresholds of the null scores, and the first threshold that reaches it.

    `texts` and `scores` are those of always answering. `start` is the threshold of answering nothing. The official
    script stops `between_ties`, after each of several equal null scores, where no threshold can stand.
    """
    ranked = rank_by_null_score(null_scores, scores)
    current = best = float(sum(not has_answer[id] for id in scores))
    threshold = start
    for position, id in enumerate(ranked):
        current += scores[id] if has_answer[id] else -float(bool(texts[id]))
        if current > best and (between_ties or ends_tie(ranked, position, null_scores)):
            best, threshold = current, null_scores[id]
    return 100.0 * best / len(scores), threshold


def fit_thresholds(
    examples: Sequence[Example],
    best_span_texts: Mapping[str, str],
    null_score_differences: Mapping[str, float],
    rule: Rule,
) -> Thresholds:
    """The null score difference thresholds with the best exact match and the best F1 on these examples."""
    if not examples:
        raise DataError("no questions to fit a threshold on; is the data file the right one?")
    scores = score_each(examples, best_span_texts, rule)
    check_null_scores(null_score_differences, scores, "null score differences")
    has_answer = has_answer_by_id(examples)
    below_all = math.nextafter(min(null_score_differences[id] for id in scores), -math.inf)
    best_exact_match, best_f1 = (
        find_best_threshold(
            best_span_texts,
            {id: score[position] for id, score in scores.items()},
            has_answer,
            null_score_differences,
            start=below_all,
            between_ties=False,
        )
        for position in (0, 1)
    )
    return Thresholds(best_exact_match[1], best_exact_match[0], best_f1[1], best_f1[0])


def rank_by_null_score(null_scores: Mapping[str, float], ids: Collection[str]) -> list[str]:
    """The ids from the surest answer to the surest null; equals stay in the order of `null_scores`."""
    return sorted((id for id in null_scores if id in ids), key=null_scores.__getitem__)


def ends_tie(ranked: Sequence[str], position: int, null_scores: Mapping[str, float]) -> bool:
    """Whether a threshold can stand after this position: the next null score is another one."""
    return position + 1 == len(ranked) or null_scores[ranked[position]] != null_scores[ranked[position + 1]]


def check_null_scores(null_scores: Mapping[str, float], ids: Iterable[str], what: str) -> None:
    """DataError unless every question has a null score that is a number."""
    ids = list(ids)
    missing = [id for id in ids if id not in null_scores]
    if missing:
        raise DataError(f"{what}: {len(missing)} of {len(ids)} questions have none (the first is {missing[0]})")
    for id in ids:
        value = null_scores[id]
        if not isinstance(value, (int, float)) or math.isnan(value):
            raise DataError(f"{what}: question {id} has {shortened(value)}, not a number")
