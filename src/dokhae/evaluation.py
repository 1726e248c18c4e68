"""Official scores of a predictions file: what `dokhae evaluate` and `dokhae.evaluate` do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from dokhae import benchmarks, metrics
from dokhae.errors import DataError, SettingsError
from dokhae.files import read_json

log = logging.getLogger("dokhae")


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
    row = benchmarks.find(benchmark)
    if out_image_dir is not None and na_probs is None:
        raise SettingsError("images of curves are drawn over na_probs; give that file too")
    examples = row.read(Path(data), True)
    if isinstance(predictions, (str, Path)):
        answers, where = read_json(Path(predictions)), str(predictions)
    else:
        answers, where = predictions, "predictions"
    for warning in metrics.check_predictions(examples, answers, row.rule, where):
        log.warning(warning)
    if na_probs is None:
        return metrics.evaluate(examples, answers, row.rule)
    odds = read_json(Path(na_probs))
    if not isinstance(odds, dict):
        raise DataError(f"{na_probs}: has to be one JSON object, question id -> number")
    metrics.check_null_scores(odds, [example.id for example in examples], str(na_probs))
    if na_prob_thresh == 1.0 and not all(0 <= value <= 1 for value in odds.values()):
        log.warning(
            "%s: holds scores, not probabilities, so the official threshold of 1.0 means little; give --na_prob_thresh",
            na_probs,
        )
    scores = metrics.evaluate(examples, answers, row.rule, odds, na_prob_thresh)
    if out_image_dir is not None:
        from dokhae.report.plots import draw_squad2_images

        curves = metrics.precision_recall(examples, answers, odds, row.rule)
        draw_squad2_images(Path(out_image_dir), curves, odds, metrics.has_answer_by_id(examples), row.rule.f1_label)
        scores |= metrics.average_precisions(curves)
    return scores
