"""Optuna's samplers and pruners by name, so that a trial's draw depends on the seed and the trials before it alone."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from dokhae.errors import SettingsError
from dokhae.records import nearest
from dokhae.sweeps.space import Choice, Dimension, Point, grid
from dokhae.sweeps.spec import GRID, NO_PRUNING, Spec

Made = TypeVar("Made")

SAMPLERS: dict[str, Callable[..., BaseSampler]] = {
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "gp": optuna.samplers.GPSampler,
    "qmc": optuna.samplers.QMCSampler,
    "nsgaii": optuna.samplers.NSGAIISampler,
}
NEEDED = {"cmaes": ("cmaes",), "gp": ("scipy", "torch"), "qmc": ("scipy",)}  # packages that Optuna does not bring
ONE_SEQUENCE = {"qmc"}  # its trials are the points of one sequence, which the study counts
PRUNERS: dict[str, Callable[..., BasePruner]] = {
    NO_PRUNING: optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "halving": optuna.pruners.SuccessiveHalvingPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "threshold": optuna.pruners.ThresholdPruner,
    "patient": functools.partial(optuna.pruners.PatientPruner, None),
}


class Grid(BaseSampler):
    """The point of a trial is its number. Numbers are unique, so no two processes ever run one point.

    Optuna's own GridSampler runs points twice when processes share a study, and says so.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = points

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is drawn together."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing is drawn together."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401
        """The value at the trial's point."""
        return self.points[trial.number][param_name]


class Repeatable(BaseSampler):
    """A sampler of Optuna's that is seeded anew for every trial, by its number.

    So a sweep that was interrupted draws what the whole one would have drawn.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._inner = make(seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does."""
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:  # noqa: ANN401
        """As the sampler does."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """A new sampler for the trial."""
        self._inner = self._make(int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0]))
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As the sampler does."""
        self._inner.after_trial(study, trial, state, values)


def make_sampler(spec: Spec) -> BaseSampler:
    """The sampler that a spec names. SettingsError for a name or an option that there is none of."""
    where, name = f"{spec.where}: sampler", spec.sampler["name"]
    if name == GRID:
        return _built(spec.sampler, {GRID: functools.partial(Grid, grid(spec.search, where))}, where)
    for package in NEEDED.get(name, ()):
        if importlib.util.find_spec(package) is None:
            raise SettingsError(f"{where}: {name} needs the package {package}: pip install {package}")
    if name in ONE_SEQUENCE:
        return _built(spec.sampler, SAMPLERS, where, seed=spec.seed)
    return Repeatable(lambda seed: _built(spec.sampler, SAMPLERS, where, seed=seed), spec.seed)


def make_pruner(spec: Spec) -> BasePruner:
    """The pruner that a spec names. SettingsError for a name or an option that there is none of."""
    return _built(spec.prune, PRUNERS, f"{spec.where}: prune")


def _built(given: Mapping[str, Any], kinds: Mapping[str, Callable[..., Made]], where: str, **more: int) -> Made:
    options = {name: value for name, value in given.items() if name != "name"}
    if given["name"] not in kinds:
        known = [*kinds, *([GRID] if kinds is SAMPLERS else [])]
        raise SettingsError(f"{where}: there is no {given['name']!r}{nearest(given['name'], known)}")
    kind = kinds[given["name"]]
    known = [name for name in inspect.signature(kind).parameters if name not in ("seed", "points", "wrapped_pruner")]
    for name in options.keys() - set(known):
        raise SettingsError(f"{where}: {name!r} is not an option of {given['name']}{nearest(name, known)}")
    try:
        return kind(**options, **more)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{where}: {given['name']}: {error}") from None


def suggest(trial: Trial, search: Mapping[str, Dimension]) -> Point:
    """The trial's point; the same again for a trial that has one."""
    point = Point()
    for name, dimension in search.items():
        if isinstance(dimension, Choice):
            point[name] = trial.suggest_categorical(name, dimension.values)
        elif dimension.whole:
            low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
            point[name] = trial.suggest_int(name, low, high, step=step, log=dimension.log)
        else:
            point[name] = trial.suggest_float(
                name, dimension.low, dimension.high, step=dimension.step, log=dimension.log
            )
    return point
