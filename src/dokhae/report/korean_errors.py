"""The error report of Korean predictions: how many are wrong by what, what each class costs, and examples of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dokhae.errors import SettingsError
from dokhae.korean.texts import HALF
from dokhae.metrics import Rule, score_each
from dokhae.metrics.scores import score_in_order
from dokhae.report.korean_classes import ERRORS, class_of, nearest_gold
from dokhae.types import Answer, Example

HANGUL = re.compile("[\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7fb]")
AROUND = 30  # characters of the context on each side of an answer


@dataclass(frozen=True, slots=True)
class ErrorExample:
    """One question that is wrong."""

    id: str
    question: str
    gold: str  # the one that is nearest to the prediction; "" = the question has no answer
    prediction: str | None
    context: str  # a piece of it, around the gold answer, or around the prediction where there is no answer


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """The questions that are wrong in one way."""

    name: str
    meaning: str
    count: int
    share: float  # of all questions, 0 to 1
    exact_match_if_fixed: float  # 0 to 100: if these questions were right
    examples: tuple[ErrorExample, ...]  # the first ones


@dataclass(frozen=True, slots=True)
class KoreanErrors:
    """All questions that are wrong, each in one class."""

    questions: int
    wrong: int
    exact_match: float  # 0 to 100
    classes: tuple[ErrorClass, ...]  # those of ERRORS, in its order, also where no question is wrong so

    def content(self) -> dict[str, Any]:
        """Everything, as JSON holds it; the classes by name."""
        classes = {each["name"]: each for each in asdict(self)["classes"]}
        for each in classes.values():
            del each["name"]
            each["examples"] = list(each["examples"])
        return {"questions": self.questions, "wrong": self.wrong, "exact_match": self.exact_match, "classes": classes}


def korean_errors(
    examples: Sequence[Example], predictions: Mapping[str, str], rule: Rule, examples_per_class: int = 3
) -> KoreanErrors:
    """Class every question whose exact match is 0; SettingsError where no gold answer holds Hangul."""
    if examples_per_class < 0:
        raise SettingsError(f"error_examples is {examples_per_class}; it has to be at least 0")
    refuse_other_than_korean(examples)
    predictions = {id: HALF.sub("\ufffd", text) for id, text in predictions.items()}
    examples, exact_matches = _counted(examples, predictions, rule)
    golds = [nearest_gold(predictions.get(example.id, ""), example, rule) for example in examples]
    names = [
        "" if exact else class_of(example, predictions.get(example.id), gold, rule)
        for example, gold, exact in zip(examples, golds, exact_matches, strict=True)
    ]
    classes = []
    for name, meaning in ERRORS.items():
        places = [place for place, each in enumerate(names) if each == name]
        shown = [_example(examples[place], golds[place], predictions) for place in places[:examples_per_class]]
        fixed = rule.average([float(each in ("", name)) for each in names])
        classes.append(ErrorClass(name, meaning, len(places), len(places) / len(names), fixed, tuple(shown)))
    return KoreanErrors(len(names), len(names) - names.count(""), rule.average(exact_matches), tuple(classes))


def refuse_other_than_korean(examples: Iterable[Example]) -> None:
    """SettingsError where no gold answer holds Hangul."""
    if not any(HANGUL.search(answer.text) for example in examples for answer in example.answers):
        raise SettingsError("errors are told apart for Korean data only, and no gold answer here holds Hangul; "
                            "score this data without --errors")  # fmt: skip


def _counted(
    examples: Sequence[Example], predictions: Mapping[str, str], rule: Rule
) -> tuple[Sequence[Example], list[float]]:
    """The questions that the rule counts, and the exact match of each: with null, the last of those of one id."""
    if rule.has_null:
        scores = score_each(examples, predictions, rule)
        return list({example.id: example for example in examples}.values()), [exact for exact, _ in scores.values()]
    return examples, [exact for exact, _ in score_in_order(examples, predictions, rule)]


def _example(example: Example, gold: Answer | None, predictions: Mapping[str, str]) -> ErrorExample:
    prediction = predictions.get(example.id)
    text = gold.text if gold else ""
    start = gold.start if gold else -1
    if example.context[start : start + len(text)] != text or gold is None:
        start = example.context.find(text or prediction or "")
    piece = _around(example.context, start, len(text or prediction or "")) if start >= 0 else ""
    return ErrorExample(example.id, example.question, text, prediction, piece)


def _around(context: str, start: int, length: int) -> str:
    first, after = max(start - AROUND, 0), start + length + AROUND
    return ("…" if first else "") + context[first:after] + ("…" if after < len(context) else "")
