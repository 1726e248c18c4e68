"""dokhae sweep."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return sweep


def sweep(
    spec: Positional[str],
    out: Path,
    train: Path | None = None,
    dev: Path | None = None,
    trials: int | None = None,
    storage: str | None = None,
) -> None:
    """Train many times, over a grid or a search of any settings; the best trial alone goes to stdout.

    The same command goes on with a sweep that was stopped. Started twice, or on many machines with one --storage, it
    shares the trials out.

    Example: dokhae sweep lyeoni --train KorQuAD_v1.0_train.json --dev KorQuAD_v1.0_dev.json --out sweeps/lyeoni

    Args:
        spec: a YAML file with settings, search, sampler, trials, maximize or minimize, prune and seed; or the name of
            one that comes with dokhae
        out: folder to create: runs/trial-0000 and so on, results.csv, plots, study.db
        train: training data; wins over the spec
        dev: data to score on; wins over the spec
        trials: how many there are to be; wins over the spec
        storage: Optuna's storage URL (postgresql://…, mysql://…, redis://…, or the path of a journal file), for many
            machines
    """
    from rich.console import Console

    from dokhae import sweeps

    plan = sweeps.read(spec, out, train, dev, trials)
    results = sweeps.run(plan, out, storage)
    Console(stderr=True).print(sweeps.table(results, plan))
    best = sweeps.ranked(results, plan.objective)[:1]
    for each in best:
        told = {"trial": each.trial, "settings": each.settings, "scores": each.scores, "run": str(each.run)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stderr.write(f"sweep: {out}\nplots: {out / 'plots'}\n")
