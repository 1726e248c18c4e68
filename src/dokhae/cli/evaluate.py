"""dokhae evaluate."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """Score a file of predictions, or (with --run) the checkpoints of a run."""
    return evaluate_run if any(arg.partition("=")[0] == "--run" for arg in args) else evaluate


def evaluate(
    data: Positional[Path],
    predictions: Positional[Path],
    benchmark: str,
    na_probs: Path | None = None,
    na_prob_thresh: float = 1.0,
    out_image_dir: Path | None = None,
) -> None:
    """Score predictions with the official rule of a benchmark; the official JSON alone goes to stdout.

    `dokhae evaluate --run RUN --checkpoints last|best|all` scores the checkpoints of a run on its dev file.

    Example: dokhae evaluate dev-v2.0.json predictions.json --benchmark squad-2.0 --na_probs na_probs.json

    Args:
        data: gold answers (for korquad-2.1 a folder of files, or one of them)
        predictions: JSON object, question id -> answer text
        benchmark: squad-1.1, squad-2.0, korquad-1.0, korquad-2.1, klue-mrc
        na_probs: JSON object, question id -> probability (or any score) of no answer; adds the best thresholds
        na_prob_thresh: predict no answer above it
        out_image_dir: folder for precision-recall curves and histograms; needs --na_probs
    """
    from dokhae import evaluation

    scores = evaluation.evaluate(data, predictions, benchmark, na_probs, na_prob_thresh, out_image_dir)
    sys.stdout.write(json.dumps(scores, indent=2 if "total" in scores else None) + "\n")
    sys.stdout.flush()
    show(scores, benchmark)


def evaluate_run(
    run: Path,
    checkpoints: Literal["last", "best", "all"] = "best",
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    trust_remote_code: bool = False,
) -> None:
    """Score checkpoints of a run on its dev file; the scores of the best of them go to stdout.

    Writes best_results.json into the run folder: every scored checkpoint, and the best of them by number.

    Example: dokhae evaluate --run runs/koelectra --checkpoints all

    Args:
        run: the run folder
        checkpoints: the last one, the best by the dev score, or all that were kept (--keep.best in training)
        device: where the model runs
        trust_remote_code: run Python code that comes with the model
    """
    from dokhae import training

    report = training.evaluate_run(run, checkpoints, device, trust_remote_code=trust_remote_code)
    sys.stdout.write(json.dumps(report["best"]["scores"]) + "\n")
    sys.stdout.flush()
    for entry in report["checkpoints"]:
        mark = ", the best" if entry is report["best"] else ""
        show(entry["scores"], f"{entry['checkpoint']} (step {entry['step']}{mark})")
        if "null_threshold" in entry:
            sys.stderr.write(f"{entry['null_threshold']}\n")


def show(scores: dict[str, float | int], title: str) -> None:
    """The scores as a table on stderr."""
    from rich.console import Console
    from rich.table import Table

    table = Table("score", title)
    for name, value in scores.items():
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    Console(stderr=True).print(table)
