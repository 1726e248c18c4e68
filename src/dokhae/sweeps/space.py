"""What is searched: any setting of a training by its dotted name, a list of values or a range of numbers."""

from __future__ import annotations

import itertools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dokhae.errors import SettingsError
from dokhae.recipes.dotted import settings_by_name
from dokhae.records import from_mapping

Point = dict[str, Any]  # dotted name -> value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these values."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A number from low to high, both included."""

    low: float
    high: float
    log: bool = False  # as many between 1e-5 and 1e-4 as between 1e-4 and 1e-3
    step: float | None = None
    whole: bool = False  # the setting is an int


@dataclass(frozen=True, slots=True)
class _Given:
    """What a spec says of a range."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


Dimension = Choice | Range


def read_dimension(name: str, content: object, where: str) -> Dimension:
    """A list as a Choice, its values as they are written; a mapping as a Range."""
    if isinstance(content, list):
        if not content:
            raise SettingsError(f"{where}: {name}: is an empty list; give the values to try")
        return Choice(tuple(content))
    if isinstance(content, Mapping):
        return _range(name, content, f"{where}: {name}")
    raise SettingsError(f"{where}: {name}: is {content!r}; give a list of values, or low and high")


def ends(dimension: Dimension) -> tuple[Any, ...]:
    """The values to check: all of a list, the smallest and the largest of a range."""
    if isinstance(dimension, Choice):
        return dimension.values
    return tuple(int(end) if dimension.whole else end for end in (dimension.low, dimension.high))


def grid_values(name: str, dimension: Dimension, where: str) -> tuple[Any, ...]:
    """All values of a dimension. SettingsError for a range that has no steps."""
    if isinstance(dimension, Choice):
        return dimension.values
    step = dimension.step or (1.0 if dimension.whole and not dimension.log else None)
    if step is None:
        raise SettingsError(f"{where}: {name}: a grid needs a list of values, or a range with a step")
    count = round((dimension.high - dimension.low) / step) + 1
    values = (float(Decimal(str(dimension.low)) + index * Decimal(str(step))) for index in range(count))
    return tuple(int(value) if dimension.whole else value for value in values)


def grid(search: Mapping[str, Dimension], where: str) -> list[Point]:
    """Every point, the last dimension changing fastest."""
    values = [grid_values(name, dimension, where) for name, dimension in search.items()]
    return [dict(zip(search, combination, strict=True)) for combination in itertools.product(*values)]


def _range(name: str, content: Mapping[str, Any], where: str) -> Range:
    hint = settings_by_name()[name]
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    whole = int in kinds
    if not whole and float not in kinds:
        raise SettingsError(f"{where}: is not a number; give a list of values")
    given = from_mapping(_Given, content, where)
    numbers = [number for number in (given.low, given.high, given.step) if number is not None]
    if not all(map(math.isfinite, numbers)) or (whole and not all(number == int(number) for number in numbers)):
        raise SettingsError(f"{where}: low, high and step have to be {'whole ' if whole else ''}numbers")
    return Range(given.low, _last(given, where), given.log, given.step, whole)


def _last(given: _Given, where: str) -> float:
    """The end of a range that its steps can reach. SettingsError for a range that means nothing."""
    if not given.low < given.high:
        raise SettingsError(f"{where}: low is {given.low:g} and high {given.high:g}; low has to be below high")
    if given.log and (given.low <= 0 or given.step is not None):
        raise SettingsError(f"{where}: with log, low has to be above 0, and there can be no step")
    if given.step is None:
        return given.high
    if not 0 < given.step <= given.high - given.low:
        raise SettingsError(f"{where}: step is {given.step:g}; it has to be above 0 and fit between low and high")
    low, high, step = (Decimal(str(number)) for number in (given.low, given.high, given.step))
    return float(low + (high - low) // step * step)
