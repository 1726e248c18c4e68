"""Predictions as the files that the field knows: predictions.json, nbest_predictions.json, null_odds.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dokhae.errors import SettingsError
from dokhae.files import write_json
from dokhae.types import Prediction

BESIDE = ("nbest_predictions.json", "null_odds.json")


def write_predictions(path: Path, predictions: Sequence[Prediction], with_null: bool) -> list[Path]:
    """Write the answers to `path`, and the n-best lists (and, with_null, the null odds) beside it.

    Null odds are null score differences; a question without any legal span has the largest float. Returns the paths.
    """
    if path.name in BESIDE:
        raise SettingsError(f"{path}: is the name of a file that is written beside the predictions; choose another")
    contents: dict[Path, Any] = {
        path: {prediction.id: prediction.text for prediction in predictions},
        path.with_name(BESIDE[0]): {prediction.id: n_best(prediction) for prediction in predictions},
    }
    if with_null:
        contents[path.with_name(BESIDE[1])] = {
            prediction.id: finite(prediction.null_score_difference) for prediction in predictions
        }
    for target, content in contents.items():
        write_json(target, content)
    return list(contents)


def beside(path: Path) -> list[Path]:
    """The files that may be written beside the predictions."""
    return [path.with_name(name) for name in BESIDE]


def n_best(prediction: Prediction) -> list[dict[str, Any]]:
    """The candidates of one question, best first, offsets in characters of its context."""
    return [
        {
            "text": candidate.text,
            "probability": candidate.probability,
            "start_logit": candidate.start_logit,
            "end_logit": candidate.end_logit,
            "start": candidate.start,
            "end": candidate.end,
        }
        for candidate in prediction.n_best
    ]


def finite(difference: float) -> float:
    """JSON has no infinity."""
    return min(difference, math.nextafter(math.inf, 0.0))
