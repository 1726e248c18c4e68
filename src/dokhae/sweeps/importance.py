"""How much each searched setting matters."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, pvariance

from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import Study

from dokhae.sweeps.results import Result
from dokhae.sweeps.spec import GRID, Spec

SHARE = "share of the variance that it explains alone"
TO_BE_AMONG_THE_BEST = "importance for the best tenth (PED-ANOVA)"


def importance(spec: Spec, study: Study, finished: Sequence[Result]) -> tuple[dict[str, float], str]:
    """Setting -> importance, 0 to 1, and what the numbers are; {} where there are too few trials to tell.

    A grid is balanced, so the functional ANOVA's main effects are plain means; Optuna's estimate looks at the best
    tenth of the trials, which is one point of a small grid.
    """
    if spec.sampler["name"] == GRID:
        return _main_effects(spec, finished), SHARE
    if len(finished) < 2:
        return {}, TO_BE_AMONG_THE_BEST
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trials that are all alike: their importances are 0
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(value) for name, value in found.items()}, TO_BE_AMONG_THE_BEST


def _main_effects(spec: Spec, finished: Sequence[Result]) -> dict[str, float]:
    values = [each.scores[spec.objective] for each in finished]
    whole = pvariance(values) if values else 0.0
    if whole == 0:
        return {}
    found = {}
    for name in spec.search:
        groups = defaultdict(list)
        for each, value in zip(finished, values, strict=True):
            groups[repr(each.settings[name])].append(value)
        means = [fmean(group) for group in groups.values() for _ in group]
        found[name] = pvariance(means) / whole
    return found
