"""A row -> the settings of a training; and a training's settings -> what they change of the row."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from dokhae import benchmarks
from dokhae.errors import SettingsError
from dokhae.recipes.dotted import flat
from dokhae.recipes.layers import WINDOWS, merged
from dokhae.recipes.reading import ENDING, Row, find
from dokhae.records import from_mapping, to_mapping
from dokhae.training.config import TrainConfig
from dokhae.training.contexts import for_contexts
from dokhae.training.run_config import is_free

DATA = Path("data")  # where `dokhae data download` puts files unless told otherwise
RUNS = Path("runs")


def settings_of(row: Row, processes: int = 1) -> dict[str, Any]:
    """A row as the mapping of a settings file: a step of so many processes sees the windows of all the table's devices.

    SettingsError where the batches of a step cannot be shared evenly.
    """
    settings = merged({"benchmark": row.benchmark, "model": row.model, "recipe": row.name}, row.settings)
    batches = batches_of_a_step(row)
    if batches % processes:
        raise SettingsError(f"{row.name}: a step is of {batches} batches, which {processes} processes cannot share "
                            "evenly; take a number of them that divides it, or give optimizer.accumulate")  # fmt: skip
    if row.devices > 1 or processes > 1:
        settings = merged(settings, {"optimizer": {"accumulate": batches // processes}})
    places = {name: str(DATA / file) for name, file in zip(("train", "dev"), data_files(row.benchmark), strict=False)}
    source, benchmark, last = row.name.rsplit("/", 2)
    places["out"] = str(RUNS / Path(source).name.removesuffix(ENDING) / benchmark / last)
    return places | {name: value for name, value in settings.items() if value is not None}


def config_of(row: Row, **given: Any) -> TrainConfig:  # noqa: ANN401 - fields of TrainConfig
    """The row's training with some settings changed; groups (optimizer, …) as mappings.

    >>> recipes.config_of(recipes.find("kor-squad-pl/korquad-1.0/koelectra-base-v3"), epochs=1, out="runs/short")

    Raises SettingsError for a setting that there is none of, where the row has no encoder and none is given, and
    where it needs what dokhae does not have yet. Files are not looked for.
    """
    refuse_unmet(row, given)
    return planned(row, **given)


def planned(row: Row, **given: Any) -> TrainConfig:  # noqa: ANN401 - fields of TrainConfig
    """The same of any row, whether or not dokhae can run it yet."""
    is_open = "accumulate" not in (given.get("optimizer") or {})
    processes = (given.get("devices") or 1) * (given.get("nodes") or 1) if is_open else 1
    return from_mapping(TrainConfig, merged(settings_of(row, processes), given), row.name)


def batches_of_a_step(row: Row) -> int:
    """On all of the table's devices."""
    accumulate: int = row.settings.get("optimizer", {}).get("accumulate", 1)
    return accumulate * row.devices


def refuse_unmet(row: Row, given: Collection[str] = ()) -> None:
    """SettingsError where a row cannot run: for lack of a part of dokhae, or of an encoder among the given settings."""
    if row.needs:
        raise SettingsError(f"{row.name}: needs what this version of dokhae does not have yet: {row.needs}; without it "
                            "its scores could not be compared")  # fmt: skip
    if row.model is None and "model" not in given:
        raise SettingsError(f"{row.name}: its weights are on no hub; give the encoder with --model FOLDER. {row.note}")


def refuse_missing_data(row: Row, given: Collection[str] = ()) -> None:
    """SettingsError where a data file of a row is not there and none is among the given settings."""
    settings = settings_of(row)  # files are the same for any number of processes
    wanted = [name for name in ("train", "dev") if name not in given and name in settings]
    missing = [name for name in wanted if not Path(settings[name]).expanduser().exists()]
    if missing:
        files = " and ".join(settings[name] for name in missing)
        options = " and ".join(f"--{name}" for name in missing)
        raise SettingsError(f"{row.name}: {files} {'is' if len(missing) == 1 else 'are'} not here; fetch with "
                            f"`dokhae data download {row.benchmark} --out {DATA}`, or name {options}")  # fmt: skip


def still_needed(row: Row, given: Collection[str], processes: int = 1) -> dict[str, Any]:
    """What a row says beyond the given settings, by name; here as there, those in groups have a dot.

    processes: how many will train. Raises SettingsError where the row cannot run with them.
    """
    refuse_unmet(row, given)
    refuse_missing_data(row, given)
    taken = {*given, *(WINDOWS if any(name in given for name in WINDOWS) else ())}
    settings = settings_of(row, 1 if "optimizer.accumulate" in given else processes)
    return {name: value for name, value in flat(settings, row.name).items() if name not in taken}


def data_files(benchmark: str) -> list[str]:
    """The official names of a benchmark's training and dev file; none where it has no such files."""
    return [file.name for file in benchmarks.find(benchmark).release.files[:2]]


def changes(config: TrainConfig, row: Row | None = None) -> list[str]:
    """The settings in which a training differs from the row that it follows, as "name value"; none where it has none.

    Not counted: files, device, seed and what is kept or told. `row`: where it is known already.
    """
    if config.recipe is None:
        return []
    row = row or find(config.recipe)
    here = flat(to_mapping(for_contexts(config)), "config")
    size = (config.devices or 1) * config.nodes
    devices = size if batches_of_a_step(row) % size == 0 else 1
    expected = for_contexts(planned(row, model=row.model or config.model, train=config.train, devices=devices))
    there = flat(to_mapping(expected), row.name)
    # auto: what the device is fastest in
    return [
        f"{name} {value}"
        for name, value in here.items()
        if value != there[name] and there[name] != "auto" and not (is_free(name) or name == "seed")
    ]
