"""The precision-recall analysis of the official SQuAD 2.0 script; report/plots.py draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dokhae.metrics.rules import Rule
from dokhae.metrics.scores import has_answer_by_id, score_each
from dokhae.metrics.thresholds import check_null_scores, ends_tie, rank_by_null_score
from dokhae.types import Example


@dataclass(frozen=True, slots=True)
class Curve:
    """Precision over recall (0 to 1) as ever more questions are answered, the surest first."""

    recalls: tuple[float, ...]
    precisions: tuple[float, ...]
    average_precision: float  # 0 to 100


def precision_recall(
    examples: Sequence[Example], predictions: Mapping[str, str], na_probs: Mapping[str, float], rule: Rule
) -> dict[str, Curve]:
    """The curves pr_exact, pr_f1 and pr_oracle; none where no question has an answer."""
    has_answer = has_answer_by_id(examples)
    scores = score_each(examples, predictions, rule)
    check_null_scores(na_probs, scores, "na_probs")
    if not any(has_answer.values()):
        return {}
    hits = {
        "pr_exact": {id: score[0] for id, score in scores.items() if has_answer[id]},
        "pr_f1": {id: score[1] for id, score in scores.items() if has_answer[id]},
        "pr_oracle": {id: 1.0 for id in scores if has_answer[id]},
    }
    ranked = rank_by_null_score(na_probs, scores)
    return {name: _curve(ranked, hits_of_one, na_probs) for name, hits_of_one in hits.items()}


def average_precisions(curves: Mapping[str, Curve]) -> dict[str, float]:
    """The keys that the official script adds to its scores: pr_exact_ap, pr_f1_ap and pr_oracle_ap."""
    return {f"{name}_ap": curve.average_precision for name, curve in curves.items()}


def _curve(ranked: Sequence[str], hits: Mapping[str, float], na_probs: Mapping[str, float]) -> Curve:
    """`hits` holds the score of every question that has an answer."""
    recalls, precisions = [0.0], [1.0]
    true_positives = average_precision = 0.0
    for position, id in enumerate(ranked):
        true_positives += hits.get(id, 0.0)
        if ends_tie(ranked, position, na_probs):
            precision, recall = true_positives / (position + 1), true_positives / len(hits)
            average_precision += precision * (recall - recalls[-1])
            precisions.append(precision)
            recalls.append(recall)
    return Curve(tuple(recalls), tuple(precisions), 100.0 * average_precision)
