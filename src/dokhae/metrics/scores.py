"""Exact match and the second score, F1 or what the rule has in its place, of single questions, 0 to 1."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from dokhae.errors import DataError
from dokhae.metrics.rules import Rule
from dokhae.types import Example

Score = tuple[float, float]  # exact match, F1 as the rule takes it


def score_answer(prediction: str, golds: Collection[str], rule: Rule) -> Score:
    """Exact match and F1 of one prediction, each the best over the golds; DataError where none is left."""
    predicted = rule.normalize(prediction)
    normalized = set(map(rule.normalize, golds))
    if rule.drops_empty_golds:
        normalized.discard("")
    if rule.has_null and not normalized:
        normalized = {""}
    if not normalized:
        raise DataError("no gold answer to compare with; score with labelled data, or a rule that knows unanswerables")
    if predicted in normalized:
        return 1.0, 1.0 if predicted else rule.f1_of_two_empty
    return 0.0, best_f1(rule.units(predicted), [rule.units(gold) for gold in normalized], rule)


def best_f1(predicted: Sequence[str], golds: Iterable[Sequence[str]], rule: Rule) -> float:
    """The best F1 of units (words or characters) over golds that differ from the prediction."""
    best = 0.0
    for gold in golds:
        shared = rule.shared(predicted, gold)
        if shared:
            precision, recall = shared / len(predicted), shared / len(gold)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def score_each(examples: Iterable[Example], predictions: Mapping[str, str], rule: Rule) -> dict[str, Score]:
    """Exact match and F1 of every question, by id; of questions that share an id, the last counts."""
    examples = list(examples)
    return dict(zip((example.id for example in examples), score_in_order(examples, predictions, rule), strict=True))


def score_in_order(examples: Iterable[Example], predictions: Mapping[str, str], rule: Rule) -> list[Score]:
    """Exact match and F1 of every question, in the order of the examples, duplicates included."""
    return [_score_example(example, predictions, rule) for example in examples]


def no_text(prediction: object) -> str:
    """What to say of a prediction that is no text."""
    if isinstance(prediction, list) and prediction and isinstance(prediction[0], dict) and "text" in prediction[0]:
        return "there are several candidates, as in an n-best file; give the file of answers, predictions.json"
    return f"the prediction is {shortened(prediction)}, not a text; write '' for no answer"


def shortened(value: object, limit: int = 60) -> str:
    """A value for a message, cut after `limit` characters."""
    text = reprlib.repr(value)  # which looks at its first items only
    return text if len(text) <= limit else text[: limit - 1] + "…"


def has_answer_by_id(examples: Iterable[Example]) -> dict[str, bool]:
    """Whether each question has a gold answer, even one that normalises to nothing."""
    return {example.id: bool(example.answers) for example in examples}


def _score_example(example: Example, predictions: Mapping[str, str], rule: Rule) -> Score:
    prediction = predictions.get(example.id)
    if isinstance(prediction, str):
        try:
            return score_answer(prediction, {answer.text for answer in example.answers}, rule)
        except DataError as error:
            raise DataError(f"question {example.id}: {error}") from None
    if example.id in predictions:
        raise DataError(f"question {example.id}: {no_text(prediction)}")
    if not rule.missing_scores_zero:
        raise DataError(f"question {example.id} has no prediction: the official script fails on that; write ''")
    return 0.0, 0.0
