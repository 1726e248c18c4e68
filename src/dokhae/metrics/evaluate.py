"""The dictionaries of scores that the official scripts print: the same keys, order and digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dokhae.errors import DataError, SettingsError
from dokhae.metrics.rules import Rule
from dokhae.metrics.scores import Score, has_answer_by_id, score_each, score_in_order
from dokhae.metrics.thresholds import check_null_scores, find_best_threshold
from dokhae.types import Example

Report = dict[str, float | int]


def evaluate(
    examples: Sequence[Example],
    predictions: Mapping[str, str],
    rule: Rule,
    na_probs: Mapping[str, float] | None = None,
    na_prob_thresh: float = 1.0,
) -> Report:
    """The official scores, 0 to 100; na_probs (probabilities of no answer) are for a rule with null only."""
    if not examples:
        raise DataError("no questions to score; is the data file the right one?")
    if rule.has_null:
        return _evaluate_with_null(examples, predictions, rule, na_probs, na_prob_thresh)
    if na_probs is not None:
        raise SettingsError(
            "na_probs are for data with unanswerable questions (SQuAD 2.0); score this data without them"
        )
    return _average(score_in_order(examples, predictions, rule), rule)


def _evaluate_with_null(
    examples: Sequence[Example],
    predictions: Mapping[str, str],
    rule: Rule,
    na_probs: Mapping[str, float] | None,
    na_prob_thresh: float,
) -> Report:
    has_answer = has_answer_by_id(examples)
    scores = score_each(examples, predictions, rule)
    probabilities = dict.fromkeys(scores, 0.0) if na_probs is None else na_probs
    check_null_scores(probabilities, scores, "na_probs")
    thresholded = {
        id: (float(not has_answer[id]),) * 2 if probabilities[id] > na_prob_thresh else score
        for id, score in scores.items()
    }
    report = _average_with_subsets(thresholded, has_answer, rule)
    if na_probs is None:
        return report
    for position, key in enumerate((rule.exact_match_key, rule.f1_key)):
        raw = {id: score[position] for id, score in scores.items()}
        best, threshold = find_best_threshold(predictions, raw, has_answer, na_probs)
        report |= {f"best_{key}": best, f"best_{key}_thresh": threshold}
    return report


def _average_with_subsets(scores: Mapping[str, Score], has_answer: Mapping[str, bool], rule: Rule) -> Report:
    report = _average_with_total(list(scores.values()), rule)
    for prefix, wanted in (("HasAns", True), ("NoAns", False)):
        subset = [score for id, score in scores.items() if has_answer[id] is wanted]
        if subset:
            report |= {f"{prefix}_{key}": value for key, value in _average_with_total(subset, rule).items()}
    return report


def _average_with_total(scores: Sequence[Score], rule: Rule) -> Report:
    return _average(scores, rule) | {"total": len(scores)}


def _average(scores: Sequence[Score], rule: Rule) -> Report:
    exact_matches, f1s = zip(*scores, strict=True)
    return {rule.exact_match_key: rule.average(exact_matches), rule.f1_key: rule.average(f1s)}
