"""dokhae evaluate."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return evaluate


def evaluate(
    data: Positional[Path],
    predictions: Positional[Path],
    benchmark: str,
    na_probs: Path | None = None,
    na_prob_thresh: float = 1.0,
    out_image_dir: Path | None = None,
) -> None:
    """Score predictions with the official rule of a benchmark; the official JSON alone goes to stdout.

    Example: dokhae evaluate dev-v2.0.json predictions.json --benchmark squad-2.0 --na_probs na_probs.json

    Args:
        data: gold answers (for korquad-2.1 a folder of files, or one of them)
        predictions: JSON object, question id -> answer text
        benchmark: squad-1.1, squad-2.0, korquad-1.0, korquad-2.1
        na_probs: JSON object, question id -> probability (or any score) of no answer; adds the best thresholds
        na_prob_thresh: predict no answer above it
        out_image_dir: folder for precision-recall curves and histograms; needs --na_probs
    """
    from dokhae import evaluation

    scores = evaluation.evaluate(data, predictions, benchmark, na_probs, na_prob_thresh, out_image_dir)
    sys.stdout.write(json.dumps(scores, indent=2 if "total" in scores else None) + "\n")
    sys.stdout.flush()
    show(scores, benchmark)


def show(scores: dict[str, float | int], title: str) -> None:
    """The scores as a table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table("score", title)
    for name, value in scores.items():
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    Console(stderr=True).print(table)
