"""One trial: a run folder that is trained, or gone on with, and what the study is told of it."""

from __future__ import annotations

import contextlib
import csv
import math
import shutil
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from dokhae import benchmarks, training
from dokhae.errors import NotFinite, OutOfMemory, SettingsError
from dokhae.sweeps.claims import Claim
from dokhae.sweeps.space import Point
from dokhae.sweeps.spec import Spec, config_of
from dokhae.training import TrainConfig
from dokhae.training.checkpoints import Diverged, Pruned
from dokhae.training.runs import record_of

# attributes of a trial
SCORES, SECONDS, REASON = "scores", "seconds", "reason"
VALIDATED, LAST_SCORES, GIVEN_UP = "validated at", "last scores", "given up"  # of a trial that is not told yet
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class Watcher:
    """Tells the study the dev scores of each epoch, and ends a run that its pruner has given up."""

    def __init__(self, claim: Claim, objective: str) -> None:
        self.trial, self.run, self.objective = claim.trial, claim.run, objective
        self.scores: dict[str, float] = self.trial.user_attrs.get(LAST_SCORES, {})  # of a run that is gone on with

    def __call__(self, step: int, scores: dict[str, float]) -> None:
        """After the validation of an optimizer step; a resumed run may validate its last one again."""
        self.scores = scores
        steps: list[int] = self.trial.user_attrs.get(VALIDATED, [])
        if step not in steps:
            steps = [*steps, step]
            self.trial.set_user_attr(LAST_SCORES, scores)
            self.trial.report(scores[self.objective], len(steps))  # by epochs: batches differ from trial to trial
            self.trial.set_user_attr(VALIDATED, steps)
        if step < record_of(self.run)["steps"] and self.trial.should_prune():  # after the last only scoring is left
            self.trial.set_user_attr(GIVEN_UP, f"pruned after validation {len(steps)}")
            self.refuse_given_up()

    def refuse_given_up(self) -> None:
        """Pruned where the pruner has given the trial up, now or before its process was killed."""
        if GIVEN_UP in self.trial.user_attrs:
            raise Pruned(self.trial.user_attrs[GIVEN_UP])


def run_trial(spec: Spec, claim: Claim, point: Point, show: bool) -> None:
    """Train the point and tell the study. A trial that diverges, needs too much memory or has settings that no training
    can have where others could has failed; any other error is raised and leaves the trial to be gone on with.
    """
    watcher, is_new = Watcher(claim, spec.objective), not claim.run.exists()
    config = config_of(spec, point, claim.run)
    state, reason = TrialState.COMPLETE, ""
    try:
        scores = _scores(_trained(config, watcher, show), config)
        if not math.isfinite(scores[spec.objective]):
            state, reason = TrialState.FAIL, f"its {spec.objective} is {scores[spec.objective]}"
    except Pruned as error:
        state, reason, scores = TrialState.PRUNED, str(error), watcher.scores
    except (Diverged, NotFinite, OutOfMemory) as error:
        state, reason, scores = TrialState.FAIL, str(error), {}
    except SettingsError as error:
        if not is_new:
            raise
        if not any(each.state in DONE for each in claim.trial.study.get_trials(deepcopy=False)):
            raise SettingsError(f"{spec.where}: trial {claim.trial.number}: {error}") from None
        state, reason, scores = TrialState.FAIL, str(error), {}
    _tell(claim, state, scores, scores.get(spec.objective), reason)


def _trained(config: TrainConfig, watcher: Watcher, show: bool) -> dict[str, Any]:
    """The report of a run that is there, or gone on with, or new."""
    run = config.out
    watcher.refuse_given_up()
    if (run / "config.yaml").exists():
        files = {"train": config.train, "dev": config.dev}  # which may have moved since the run began
        data = {name: path for name, path in files.items() if path is not None}
        return training.resume(run, show=show, trust_remote_code=config.trust_remote_code, watch=watcher, data=data)
    if run.exists():  # killed before it had written its settings
        shutil.rmtree(run)
    return training.train(config, show=show, watch=watcher)


def _scores(report: dict[str, Any], config: TrainConfig) -> dict[str, float]:
    rule = benchmarks.find(config.benchmark).rule
    official = report["scores"]
    with (config.out / "metrics.csv").open(encoding="utf-8", newline="") as file:
        losses = [float(row["dev_loss"]) for row in csv.DictReader(file) if row.get("dev_loss")]
    lowest = min(filter(math.isfinite, losses), default=math.nan)
    return {"em": official[rule.exact_match_key], "f1": official[rule.f1_key], "loss": lowest}


def _tell(claim: Claim, state: TrialState, scores: dict[str, float], value: float | None, reason: str) -> None:
    """Told once: where another machine has taken the trial over meanwhile, the first to end counts."""
    trial, history = claim.trial, record_of(claim.run).get("history", [])
    with contextlib.suppress(UpdateFinishedTrialError):
        trial.set_user_attr(SCORES, scores)
        trial.set_user_attr(REASON, reason)
        trial.set_user_attr(SECONDS, sum(entry["seconds"] for entry in history))
        finished = state == TrialState.COMPLETE
        trial.study.tell(trial, value if finished else None, None if finished else state, skip_if_finished=True)
