"""Settings by dotted name, optimizer.warmup, and in groups again."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from dokhae.errors import SettingsError
from dokhae.records import nearest
from dokhae.training.config import TrainConfig


def settings_by_name(kind: Any = TrainConfig, group: str = "") -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    """Every setting of a training -> its type; those in groups have a dot."""
    found: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        inner = dataclasses.is_dataclass(hint)
        found |= settings_by_name(hint, f"{group}{name}.") if inner else {f"{group}{name}": hint}
    return found


def flat(content: Mapping[str, Any], where: str, group: str = "") -> dict[str, Any]:
    """A mapping with groups, or dots, or both, as dotted name -> value. SettingsError for a name that is no setting."""
    known = settings_by_name()
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = group + str(key).replace("-", "_")
        is_group = any(each.startswith(f"{name}.") for each in known)
        if name not in known and not is_group:
            raise SettingsError(f"{where}: {name!r} is not a setting{nearest(name, list(known))}")
        if is_group and not isinstance(value, Mapping):
            raise SettingsError(f"{where}: {name} is a group of settings, not one value")
        inner = flat(value, where, f"{name}.") if is_group else {name: value}
        twice = inner.keys() & found.keys()
        if twice:
            raise SettingsError(f"{where}: {min(twice)} is given twice")
        found |= inner
    return found


def nested(point: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as groups again."""
    found: dict[str, Any] = {}
    for name, value in point.items():
        *groups, last = name.split(".")
        inner = found
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    return found
