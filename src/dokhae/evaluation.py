"""Official scores of a predictions file: what `dokhae evaluate` and `dokhae.evaluate` do."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae import benchmarks, metrics
from dokhae.errors import DataError, SettingsError
from dokhae.files import read_json
from dokhae.types import Example

if TYPE_CHECKING:
    from dokhae.report.korean_errors import KoreanErrors
    from dokhae.report.page_kinds import KindScore

log = logging.getLogger("dokhae")


@dataclass(frozen=True, slots=True)
class Given:
    """Predictions and the data that they are for, read and checked."""

    examples: Sequence[Example]
    answers: Mapping[str, str]  # question id -> answer
    benchmark: benchmarks.Benchmark
    na_probs: Mapping[str, float] | None
    na_prob_thresh: float
    out_image_dir: Path | None


def evaluate(
    data: Path | str,
    predictions: Path | str | Mapping[str, str],
    benchmark: str,
    na_probs: Path | str | None = None,
    na_prob_thresh: float = 1.0,
    out_image_dir: Path | str | None = None,
) -> dict[str, float | int]:
    """The official scores (0 to 100), with the official script's keys in its order.

    data: a file of the benchmark (korquad-2.1: or a folder of them). predictions: question id -> answer, or the JSON
    file that holds it. na_probs: JSON file, question id -> probability (or any score) of no answer; adds the best
    thresholds. out_image_dir: where precision-recall curves and histograms go; adds the average precisions.
    """
    return score(read(data, predictions, benchmark, na_probs, na_prob_thresh, out_image_dir))


def read(
    data: Path | str,
    predictions: Path | str | Mapping[str, str],
    benchmark: str,
    na_probs: Path | str | None = None,
    na_prob_thresh: float = 1.0,
    out_image_dir: Path | str | None = None,
) -> Given:
    """What `evaluate` takes, read and checked."""
    row = benchmarks.find(benchmark)
    _refuse_threshold(na_prob_thresh, row, na_probs is not None)
    if out_image_dir is not None and na_probs is None:
        raise SettingsError("images of curves are drawn over na_probs; give that file too")
    examples = row.read(Path(data), True)
    if isinstance(predictions, (str, Path)):
        answers, where = read_json(Path(predictions)), str(predictions)
    else:
        answers, where = predictions, "predictions"
    for warning in metrics.check_predictions(examples, answers, row.rule, where):
        log.warning(warning)
    odds = None if na_probs is None else _read_na_probs(Path(na_probs), examples, na_prob_thresh)
    images = None if out_image_dir is None else Path(out_image_dir)
    return Given(examples, answers, row, odds, na_prob_thresh, images)


def _refuse_threshold(na_prob_thresh: float, benchmark: benchmarks.Benchmark, has_probs: bool) -> None:
    """SettingsError for a threshold that says nothing; infinity does: answer always, or never."""
    if math.isnan(na_prob_thresh):
        raise SettingsError("na_prob_thresh is not a number (nan), and nothing is above that")
    if na_prob_thresh == 1.0:
        return
    if not benchmark.rule.has_null:
        raise SettingsError(
            "na_prob_thresh is for data with unanswerable questions (SQuAD 2.0); score this data without it"
        )
    if not has_probs:
        raise SettingsError("na_prob_thresh is a threshold of na_probs; give that file too")


def _read_na_probs(path: Path, examples: Sequence[Example], na_prob_thresh: float) -> Mapping[str, float]:
    odds = read_json(path)
    if not isinstance(odds, dict):
        raise DataError(f"{path}: has to be one JSON object, question id -> number")
    metrics.check_null_scores(odds, [example.id for example in examples], str(path))
    if na_prob_thresh == 1.0 and not all(0 <= value <= 1 for value in odds.values()):
        log.warning(
            "%s: holds scores, not probabilities, so the official threshold of 1.0 means little; give --na_prob_thresh",
            path,
        )
    return odds


def score(given: Given) -> dict[str, float | int]:
    """The official scores; draws the images if a folder is given for them."""
    examples, answers, rule, odds = given.examples, given.answers, given.benchmark.rule, given.na_probs
    if odds is None:
        return metrics.evaluate(examples, answers, rule)
    scores = metrics.evaluate(examples, answers, rule, odds, given.na_prob_thresh)
    if given.out_image_dir is not None:
        from dokhae.report.plots import draw_squad2_images

        curves = metrics.precision_recall(examples, answers, odds, rule)
        draw_squad2_images(given.out_image_dir, curves, odds, metrics.has_answer_by_id(examples), rule.f1_label)
        scores |= metrics.average_precisions(curves)
    return scores


def korean_errors(given: Given, examples_per_class: int = 3) -> KoreanErrors:
    """By what the predictions miss, of Korean data; SettingsError where no gold answer holds Hangul.

    A question whose na_prob exceeds the threshold counts as one that is answered "", as it does in the scores.
    """
    from dokhae.report import korean_errors as report

    odds = given.na_probs or {}
    nulls = {id: "" for id in given.answers if odds.get(id, given.na_prob_thresh) > given.na_prob_thresh}
    return report.korean_errors(given.examples, {**given.answers, **nulls}, given.benchmark.rule, examples_per_class)


def kinds(given: Given) -> list[KindScore]:
    """The scores by the kind of the gold answer, of data whose contexts are pages; [] of other data."""
    from dokhae.report import page_kinds

    return page_kinds.by_kind(given.examples, given.answers, given.benchmark.rule) if given.benchmark.html else []
