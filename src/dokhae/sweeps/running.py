"""A sweep from its spec to its last trial."""

from __future__ import annotations

import gc
import logging
import shlex
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from dokhae.errors import MissingExtra, TrainingError
from dokhae.progress import clock
from dokhae.sweeps.claims import OWNER, Claims
from dokhae.sweeps.importance import importance
from dokhae.sweeps.plots import draw
from dokhae.sweeps.results import Result, plain, ranked, score_in_words, write_table
from dokhae.sweeps.sampling import suggest
from dokhae.sweeps.spec import Spec
from dokhae.sweeps.storage import shown
from dokhae.sweeps.study import opened
from dokhae.sweeps.trial import REASON, SCORES, SECONDS, run_trial
from dokhae.training.checkpoints import Interrupted

log = logging.getLogger("dokhae")

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def run(spec: Spec, out: Path, storage: str | None, show: bool) -> list[Result]:
    """All trials that nobody has run or is running; then the results of the whole study."""
    with opened(spec, out, storage) as study:
        claims = Claims(study, out, shared=storage is not None)
        try:
            while _next(spec, claims, show):
                gc.collect()  # a trainer and its model are rings of references, and hold the device's memory
            results = [result_of(each) for each in claims.counted()]
            _report(spec, study, results, out)
        except (Interrupted, KeyboardInterrupt):
            words = ["dokhae", "sweep", str(out / "spec.yaml"), "--out", str(out)]
            words += ["--storage", shown(storage)] if storage else []
            raise Interrupted(f"stopped, and nothing is lost; go on with: {shlex.join(words)}") from None
    return results


def result_of(trial: FrozenTrial) -> Result:
    """What the study knows of a trial."""
    told = trial.user_attrs
    return Result(
        trial.number,
        STATES.get(trial.state, "running"),  # type: ignore[arg-type]
        dict(trial.params),
        told.get(SCORES, {}),
        told.get(SECONDS),
        Path(told[OWNER]["run"]) if OWNER in told else None,
        told.get(REASON, ""),
    )


def _next(spec: Spec, claims: Claims, show: bool) -> bool:
    """Run one trial, if there is one left."""
    with claims.next(spec.trials, spec.most) as claim:
        if claim is None:
            return False
        point, number = suggest(claim.trial, spec.search), claim.trial.number
        if show:
            words = ", ".join(f"{name} {plain(value)}" for name, value in point.items())
            log.info("trial %d (%d in all): %s", number, spec.trials, words)
        run_trial(spec, claim, point, show)
    if show:
        log.info(_progress(spec, [result_of(each) for each in claims.counted()], number))
    return True


def _progress(spec: Spec, results: list[Result], number: int) -> str:
    """How the trial went, which is the best, and how long the others may take."""
    now = next(each for each in results if each.trial == number)
    parts = [", ".join([now.state, *(f"{name} {score_in_words(name, value)}" for name, value in now.scores.items())])]
    best = ranked(results, spec.objective)[:1]
    for each in best:
        words = score_in_words(spec.objective, each.scores[spec.objective])
        parts.append(f"best: trial {each.trial}, {spec.objective} {words}")
    ended = [each.seconds for each in results if each.seconds is not None]
    left = spec.trials - len(ended)
    if left > 0 and ended:
        workers = 1 + sum(each.state == "running" for each in results)
        parts.append(f"{left} to go, about {clock(sum(ended) / len(ended) * left / workers)} left")
    return f"trial {number}: {'; '.join(parts)}"


def _report(spec: Spec, study: Study, results: list[Result], out: Path) -> None:
    """results.csv and plots/. TrainingError where there is nothing to show."""
    write_table(out / "results.csv", results, spec.search)
    running = [str(each.trial) for each in results if each.state == "running"]
    if running:
        log.info(
            "still running elsewhere: trial %s; the same command later takes over what was left", ", ".join(running)
        )
    elif not ranked(results, spec.objective):
        reasons = ", ".join(f"trial {each.trial}: {each.reason}" for each in results)
        raise TrainingError(f"{out}: no trial has finished: {reasons}")
    try:
        draw(out / "plots", spec, results, *importance(spec, study, ranked(results, spec.objective)))
    except MissingExtra as error:
        log.warning("no plots: %s", error)
