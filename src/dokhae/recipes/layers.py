"""Settings in layers, the upper one wins: of a whole table, of a benchmark, of an encoder, of a row, of the user."""

from __future__ import annotations

from typing import Any

from dokhae.errors import SettingsError
from dokhae.records import from_mapping
from dokhae.training.config import TrainConfig

WINDOWS = ("step", "overlap")  # two ways to say one thing: a layer with one of them takes the other's place
ELSEWHERE = {
    "benchmark": "is the first part of a row's name",
    "model": "stands beside the settings, under encoders",
    "recipe": "is the row itself",
}
PLACEHOLDERS = {"benchmark": "", "model": "", "train": "", "out": ""}  # what a layer has not to give


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Nested settings laid over one another, the last on top."""
    result: dict[str, Any] = {}
    for layer in layers:
        if any(layer.get(name) is not None for name in WINDOWS):
            result = {name: value for name, value in result.items() if name not in WINDOWS}
        for name, value in layer.items():
            below = result.get(name)
            result[name] = merged(below if isinstance(below, dict) else {}, value) if isinstance(value, dict) else value
    return result


def checked(layer: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - what a file holds
    """A layer as it is; `where` begins the message of the SettingsError for what TrainConfig would not take."""
    if layer is None or layer == {}:
        return {}
    if not isinstance(layer, dict):
        raise SettingsError(f"{where}: has to be a mapping of setting: value")
    for name, place in ELSEWHERE.items():
        if name in layer:
            raise SettingsError(f"{where}: {name} is not a setting here; it {place}")
    from_mapping(TrainConfig, PLACEHOLDERS | layer, where)
    return layer
