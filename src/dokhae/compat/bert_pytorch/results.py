"""eval_results.txt: the scores of a classifier under the names of old, fractions where ours are percent."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

from dokhae.files import make_folder, read_json, write_text

log = logging.getLogger("dokhae")
NAMES = {  # our metric -> its names there: those of versions 0.5 and 0.6, and the one of versions before
    "accuracy": ("acc", "eval_accuracy"),
    "f1": ("f1",),
    "matthews": ("mcc",),
    "pearson": ("pearson",),
    "spearman": ("spearmanr",),
}
MEANS = {"f1": "acc_and_f1", "spearman": "corr"}  # of a task with two metrics, by the second


def write_results(path: Path, scores: Mapping[str, float], losses: Mapping[str, float]) -> None:
    """Write `name = value` a line, by name. losses: what is known of the training besides."""
    found: dict[str, float] = dict(losses)
    for metric, names in NAMES.items():
        found |= {name: scores[metric] / 100 for name in names if metric in scores}
    found |= {mean: scores["score"] / 100 for metric, mean in MEANS.items() if metric in scores}
    make_folder(path.parent)
    write_text(path, "".join(f"{name} = {found[name]}\n" for name in sorted(found)))
    log.info("wrote %s", path)


def of_training(run: Path) -> dict[str, float]:
    """Steps of a run, the loss on its dev file, and the mean of the last epoch's losses that its metrics.csv has."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, float] = {"global_step": read_json(run / "run.json")["steps"]}
    dev = [float(row["dev_loss"]) for row in rows if row.get("dev_loss")]
    if dev:
        found["eval_loss"] = dev[-1]
    trained = [(int(row["epoch"]), float(row["train_loss"])) for row in rows if row.get("train_loss")]
    last = [loss for epoch, loss in trained if epoch == trained[-1][0]]
    if last:
        found["loss"] = sum(last) / len(last)
    return found
