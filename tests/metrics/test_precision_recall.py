from __future__ import annotations

from hypothesis import given
from plain_rules import plain_score_with_null
from strategies import data_sets

from dokhae.metrics import ENGLISH_WORDS_WITH_NULL, Curve, average_precisions, precision_recall
from dokhae.types import Answer, Example


def test_a_curve_has_a_point_wherever_a_threshold_can_stand():
    examples = [
        Example("q1", "?", "", (Answer("Nile", 0),)),
        Example("q2", "?", ""),
        Example("q3", "?", "", (Answer("red Nile", 0),)),
    ]
    predictions = dict.fromkeys(("q1", "q2", "q3"), "Nile")
    curves = precision_recall(examples, predictions, {"q1": 0.1, "q2": 0.6, "q3": 0.6}, ENGLISH_WORDS_WITH_NULL)
    assert curves["pr_exact"] == Curve((0.0, 0.5, 0.5), (1.0, 1.0, 1 / 3), 50.0)
    assert curves["pr_oracle"] == Curve((0.0, 0.5, 1.0), (1.0, 1.0, 2 / 3), 100.0 * (0.5 + 2 / 3 * 0.5))
    assert list(average_precisions(curves)) == ["pr_exact_ap", "pr_f1_ap", "pr_oracle_ap"]


def test_without_answerable_questions_there_is_no_curve():
    assert precision_recall([Example("q1", "?", "")], {"q1": ""}, {"q1": 0.5}, ENGLISH_WORDS_WITH_NULL) == {}


@given(data_sets(golds=0))
def test_average_precisions_equal_the_plain_rule(data):
    examples, predictions, na_probs = data
    has_answer = {example.id: bool(example.answers) for example in examples}
    na_probs = {id: value for id, value in na_probs.items() if id in has_answer}  # the official script fails on others
    raw = {e.id: plain_score_with_null(predictions[e.id], [a.text for a in e.answers]) for e in examples}
    hits = {
        "pr_exact_ap": {id: exact for id, (exact, _) in raw.items()},
        "pr_f1_ap": {id: f1 for id, (_, f1) in raw.items()},
        "pr_oracle_ap": has_answer,
    }
    plain = {key: _plain_average_precision(scores, has_answer, na_probs) for key, scores in hits.items()}
    plain = plain if any(has_answer.values()) else {}
    assert average_precisions(precision_recall(examples, predictions, na_probs, ENGLISH_WORDS_WITH_NULL)) == plain


def _plain_average_precision(scores, has_answer, na_probs):
    ranked = sorted(na_probs, key=lambda id: na_probs[id])
    hits = area = last_recall = 0.0
    for answered, id in enumerate(ranked, start=1):
        hits += scores[id] if has_answer[id] else 0
        if answered < len(ranked) and na_probs[ranked[answered]] == na_probs[id]:
            continue
        recall = hits / max(1, list(has_answer.values()).count(True))
        area += hits / answered * (recall - last_recall)
        last_recall = recall
    return 100.0 * area
