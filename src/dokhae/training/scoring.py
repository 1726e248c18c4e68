"""The official scores of a run's checkpoints, and the best of them by number."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from dokhae import benchmarks
from dokhae.errors import DataError, SettingsError
from dokhae.files import write_json
from dokhae.korean.trimming import trimmer
from dokhae.metrics import Rule
from dokhae.model import loading
from dokhae.model.devices import choose_device
from dokhae.training import runs
from dokhae.training.checkpoints import LAST, best_in
from dokhae.training.config import TrainConfig, Which
from dokhae.training.identity import read_checkpoint
from dokhae.training.reading import readied
from dokhae.training.results import Scorer
from dokhae.training.splits import make_split, read_split
from dokhae.training.weights import weights_in

log = logging.getLogger("dokhae")


class Kept(NamedTuple):
    """A checkpoint of a run."""

    file: Path
    step: int  # optimizer steps done


def score_checkpoints(run: Path, which: Which, device: str, show: bool, trust_remote_code: bool) -> dict[str, Any]:
    """Score a run's checkpoints on its dev file and write its best_results.json; returns what that holds."""
    config = runs.load(run, TrainConfig, trust_remote_code, used=("dev",))
    if not os.access(run, os.W_OK):
        raise DataError(f"{run}: no permission to write best_results.json there; check its owner and mode")
    if config.dev is None:
        raise SettingsError(f"{run}: was trained without a dev file; score it with `dokhae predict` and `evaluate`")
    kept = kept_in(run, which)
    benchmark = benchmarks.find(config.benchmark)
    examples = read_split(config.dev, benchmark, config.max_dev_examples, None)
    # model/ is there once the run has ended; it stays when the encoder that it began with has gone
    source = loading.locate(run if (run / "model").is_dir() else config.model)
    fast = loading.load_tokenizer(source, config.trust_remote_code)
    model = loading.load_model(source, config.trust_remote_code)
    tokenizer = readied(fast, model, config)
    split = make_split("dev", examples, tokenizer, config.windows, show)
    cutter = trimmer(config.korean_trim)
    scorer = Scorer(config, benchmark, split, config.dev, tokenizer.layout, choose_device(device), trimmer=cutter)
    entries = [scored(scorer, model, each, show) for each in chosen(kept, which)]
    report = {**best_of(entries, config.keep.best_by, benchmark.rule, kept), "checkpoints": entries}
    write_json(run / "best_results.json", report)
    return report


def best_of(entries: list[dict[str, Any]], best_by: str, rule: Rule, kept: list[Kept]) -> dict[str, Any]:
    """The best entry by what the run keeps its checkpoints by; by the second score where that is not scored here."""
    own = [entry for entry in entries if len(kept) > 1 and entry["checkpoint"] == kept[0].file.name]
    if best_by == "loss" and own:
        return {"best_by": "loss", "best": own[0]}
    key = rule.exact_match_key if best_by == "em" else rule.f1_key
    return {"best_by": key, "best": max(entries, key=lambda entry: float(entry["scores"][key]))}


def scored(scorer: Scorer, model: torch.nn.Module, kept: Kept, show: bool) -> dict[str, Any]:
    """One checkpoint's entry in best_results.json."""
    try:
        model.load_state_dict(weights_in(kept.file))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise SettingsError(f"{kept.file}: does not fit the model of this run: {reason}") from None
    log.info("checkpoint %s, step %d", kept.file.name, kept.step)
    return {"checkpoint": kept.file.name, "step": kept.step, **scorer(model, show).content(scorer.config)}


def kept_in(run: Path, which: Which) -> list[Kept]:
    """The run's best checkpoints, the best first, as far as they are asked for, and its last one, which knows of them.

    SettingsError where the last one is missing, or one of these cannot be read.
    """
    last = run / "checkpoints" / LAST
    if not last.exists():
        advice = "it was taken away" if runs.finished(run) else f"go on with: dokhae train --resume {run}"
        raise SettingsError(f"{last}: there is no such checkpoint; {advice}")
    content = read_checkpoint(last)
    files = [last.with_name(name) for name in best_in(content)]
    best = [file for file in files if file.exists()][: {"last": 0, "best": 1, "all": None}[which]]
    found = [Kept(file, int(read_checkpoint(file)["global_step"])) for file in best]
    return [*found, Kept(last, int(content["global_step"]))]


def chosen(kept: list[Kept], which: Which) -> list[Kept]:
    """The last checkpoint, the best (the last where there is none), or all of them in the order of their steps."""
    *best, last = kept
    if which == "all":
        return [*sorted(best, key=lambda each: each.step), last]
    return best[:1] if which == "best" and best else [last]
