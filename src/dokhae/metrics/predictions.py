"""Does a predictions file fit the data? Said before any score is computed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dokhae.errors import DataError
from dokhae.metrics.rules import Rule
from dokhae.metrics.scores import no_text
from dokhae.types import Example


def check_predictions(examples: Iterable[Example], predictions: object, rule: Rule, where: str) -> list[str]:
    """Warnings for the user; DataError where scoring would be meaningless or the official script would fail.

    `predictions` is whatever a JSON file held; `where` (the file) begins each message.
    """
    ids = list(dict.fromkeys(example.id for example in examples))
    if not isinstance(predictions, dict):
        raise DataError(
            f"{where}: holds a {type(predictions).__name__}; write one object of question id -> answer text"
        )
    if isinstance(predictions.get("data"), list):
        raise DataError(f"{where}: holds questions (in the field 'data'), not predictions; name the predictions file")
    _refuse_other_than_text(predictions, where)
    missing = [id for id in ids if id not in predictions]
    if ids and len(missing) == len(ids):
        raise DataError(
            f"{where}: none of its {len(predictions)} predictions is for one of the {len(ids)} questions "
            f"(the first is {ids[0]}); do predictions and data belong together?"
        )
    if missing and not rule.missing_scores_zero:
        raise DataError(
            f"{where}: {_share(missing, ids)} have no prediction (the first is {missing[0]}), and the official script "
            "fails on that; write '' for each that has no answer"
        )
    return _warnings(ids, missing, predictions, where)


def _refuse_other_than_text(predictions: dict[object, object], where: str) -> None:
    for id, text in predictions.items():
        if not isinstance(text, str):
            raise DataError(f"{where}: question {id}: {no_text(text)}")


def _warnings(ids: list[str], missing: list[str], predictions: Collection[object], where: str) -> list[str]:
    warnings = []
    if missing:
        warnings.append(f"{where}: {_share(missing, ids)} have no prediction; they score 0 (the first is {missing[0]})")
    known = set(ids)
    unknown = [id for id in predictions if id not in known]
    if unknown:
        warnings.append(
            f"{where}: {len(unknown)} of {len(predictions)} predictions are for questions that are not in the data; "
            f"they do not count (the first is {unknown[0]})"
        )
    return warnings


def _share(some: Collection[object], every: Collection[object]) -> str:
    return f"{len(some)} of {len(every)} questions"
