"""The official scoring rules, equal to their scripts to the last digit; nothing here reads or writes a file."""

from dokhae.metrics.evaluate import evaluate
from dokhae.metrics.precision_recall import Curve, average_precisions, precision_recall
from dokhae.metrics.predictions import check_predictions
from dokhae.metrics.rules import (
    ENGLISH_WORDS,
    ENGLISH_WORDS_WITH_NULL,
    KOREAN_CHARACTERS,
    KOREAN_CHARACTERS_HTML,
    KOREAN_RUNS_WITH_NULL,
    Rule,
)
from dokhae.metrics.scores import has_answer_by_id, score_answer, score_each
from dokhae.metrics.thresholds import Thresholds, check_null_scores, find_best_threshold, fit_thresholds

__all__ = [
    "ENGLISH_WORDS",
    "ENGLISH_WORDS_WITH_NULL",
    "KOREAN_CHARACTERS",
    "KOREAN_CHARACTERS_HTML",
    "KOREAN_RUNS_WITH_NULL",
    "Curve",
    "Rule",
    "Thresholds",
    "average_precisions",
    "check_null_scores",
    "check_predictions",
    "evaluate",
    "find_best_threshold",
    "fit_thresholds",
    "has_answer_by_id",
    "precision_recall",
    "score_answer",
    "score_each",
]
