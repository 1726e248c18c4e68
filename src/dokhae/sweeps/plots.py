"""The images of a sweep: its history, how much each setting matters, and all trials on parallel coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dokhae.report.figures import empty_figure, save_images
from dokhae.sweeps.results import Result, plain, ranked
from dokhae.sweeps.space import Choice, Dimension
from dokhae.sweeps.spec import Spec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = 5  # on the axis of a range
BAND = 0.06  # of an axis's height


def draw(
    folder: Path, spec: Spec, results: Sequence[Result], importances: Mapping[str, float], measure: str
) -> list[Path]:
    """Write history.png, importance.png and parallel_coordinates.png, as far as there is something to show."""
    finished = ranked(results, spec.objective)
    images: dict[str, Figure] = {}
    if finished:
        images["history"] = _history(spec, results)
        images["parallel_coordinates"] = _parallel(spec, finished)
    if importances:
        images["importance"] = _importances(importances, measure, spec.objective)
    return save_images(folder, images)


def _history(spec: Spec, results: Sequence[Result]) -> Figure:
    """The score of each trial, and the best so far."""
    figure, axes = _empty_figure()
    from matplotlib.ticker import MaxNLocator

    for state, marker in (("finished", "o"), ("pruned", "x")):
        shown = [each for each in results if each.state == state and spec.objective in each.scores]
        if shown:
            scores = [each.scores[spec.objective] for each in shown]
            axes.scatter([each.trial for each in shown], scores, marker=marker, label=state)
    finished = [each for each in results if each.state == "finished"]
    best = accumulate((each.scores[spec.objective] for each in finished), min if spec.objective == "loss" else max)
    axes.step([each.trial for each in finished], list(best), where="post", color="gray", label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=spec.objective, title=f"{spec.name}: history")
    axes.legend()
    return figure


def _importances(importances: Mapping[str, float], measure: str, objective: str) -> Figure:
    figure, axes = _empty_figure()
    order = sorted(importances, key=lambda name: importances[name])
    bars = axes.barh(order, [importances[name] for name in order])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlabel=measure, xlim=(0, 1.1), title=f"what matters for {objective}")
    return figure


def _parallel(spec: Spec, finished: Sequence[Result]) -> Figure:
    """A line for each trial through its settings to its score; the better, the lighter."""
    from matplotlib import colormaps

    figure, axes = _empty_figure()
    scores = [each.scores[spec.objective] for each in finished]
    low, high = min(scores), max(scores)
    places = range(len(spec.search) + 1)
    for rank, each in reversed(list(enumerate(finished))):  # the best on top
        beside = BAND * (0.5 - rank / len(finished))  # lines through the same values of lists lie side by side
        heights = [
            _height(dimension, each.settings[name]) + (beside if isinstance(dimension, Choice) else 0)
            for name, dimension in spec.search.items()
        ]
        heights.append((each.scores[spec.objective] - low) / (high - low) if high > low else 0.5)
        axes.plot(places, heights, color=colormaps["viridis"](1 - rank / len(finished)))
    for place, dimension in zip(places, spec.search.values(), strict=False):
        _ticks(axes, place, [(_height(dimension, value), plain(value)) for value in _marked(dimension)])
    _ticks(axes, len(spec.search), [(0, f"{low:.4g}"), (1, f"{high:.4g}")] if high > low else [(0.5, f"{low:.4g}")])
    axes.set_xticks(places, [*spec.search, spec.objective])
    axes.set(yticks=[], ylim=(-0.05, 1.05), title=f"{spec.name}: {len(finished)} trials")
    return figure


def _ticks(axes: Axes, place: int, marks: Sequence[tuple[float, str]]) -> None:
    axes.axvline(place, color="gray", linewidth=0.8)
    for height, words in marks:
        behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1}
        axes.text(place + 0.02, height, words, fontsize="small", verticalalignment="center", bbox=behind)


def _marked(dimension: Dimension) -> list[Any]:
    """The values that are written beside an axis."""
    if isinstance(dimension, Choice):
        return _ordered(dimension)
    low, high = _scaled(dimension.low, dimension.log), _scaled(dimension.high, dimension.log)
    marks = [low + (high - low) * index / (TICKS - 1) for index in range(TICKS)]
    return [math.exp(mark) if dimension.log else mark for mark in marks]


def _ordered(dimension: Choice) -> list[Any]:
    """Numbers by size, anything else as the spec has it."""
    numbers = all(isinstance(value, int | float) for value in dimension.values)
    return sorted(dimension.values) if numbers else list(dimension.values)


def _height(dimension: Dimension, value: Any) -> float:  # noqa: ANN401 - a setting
    """Where a value lies on its axis, 0 to 1."""
    if isinstance(dimension, Choice):
        values = _ordered(dimension)
        return values.index(value) / (len(values) - 1) if len(values) > 1 else 0.5
    low, high = _scaled(dimension.low, dimension.log), _scaled(dimension.high, dimension.log)
    return (_scaled(value, dimension.log) - low) / (high - low)


def _scaled(value: float, log: bool) -> float:
    return math.log(value) if log else value


def _empty_figure() -> tuple[Figure, Axes]:
    return empty_figure("images of a sweep", figsize=(9, 5), layout="constrained")
