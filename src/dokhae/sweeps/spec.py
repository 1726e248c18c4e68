"""A sweep as a record: what all trials share, what is searched and how, and what a trial is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dokhae.recipes.dotted import nested
from dokhae.records import from_mapping, to_mapping
from dokhae.sweeps.space import Choice, Dimension, Point
from dokhae.training.config import TrainConfig

GRID = "grid"
NO_PRUNING = "none"


@dataclass(frozen=True, slots=True)
class Spec:
    """A sweep, checked."""

    name: str  # of the study
    where: str  # the file; begins messages
    settings: Point  # what all trials share
    search: dict[str, Dimension]
    sampler: dict[str, Any]  # its name and its options
    prune: dict[str, Any]  # the same of the pruner
    objective: Literal["f1", "em", "loss"]  # loss is minimized, the others are maximized
    trials: int  # wanted in all
    most: int  # trials that there can ever be: the points of a grid
    seed: int


def config_of(spec: Spec, point: Point, out: Path) -> TrainConfig:
    """The training of a point. SettingsError for settings that no training can have."""
    return from_mapping(TrainConfig, nested(spec.settings | point) | {"out": out}, spec.where)


def to_file(spec: Spec) -> dict[str, Any]:
    """The mapping that reads as this spec again, whatever the working directory."""
    return {
        "name": spec.name,
        "settings": nested(spec.settings),
        "search": {name: described(dimension) for name, dimension in spec.search.items()},
        "sampler": spec.sampler,
        "trials": spec.trials,
        "minimize" if spec.objective == "loss" else "maximize": spec.objective,
        "prune": spec.prune,
        "seed": spec.seed,
    }


def described(dimension: Dimension) -> Any:  # noqa: ANN401
    """A dimension as a spec has it."""
    if isinstance(dimension, Choice):
        return list(dimension.values)
    return {name: value for name, value in to_mapping(dimension).items() if name != "whole"}
