"""SPEC.yaml -> Spec. Every point is checked as the settings of a training before anything is written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dokhae import recipes
from dokhae.errors import SettingsError
from dokhae.recipes.dotted import flat
from dokhae.records import from_mapping, nearest, read_settings, to_mapping
from dokhae.sweeps.space import Choice, Dimension, Point, ends, grid_values, read_dimension
from dokhae.sweeps.spec import GRID, NO_PRUNING, Spec, config_of

FOLDER, ENDING = Path(__file__).parent, ".yaml"
MOST_CHECKED = 10_000  # points
# what may not differ between the trials of one study, and why
FIXED = {
    "out": "every trial gets its own folder in --out",
    "benchmark": "scores of two benchmarks cannot be compared",
    "dev": "scores on two dev files cannot be compared",
    "recipe": "search the settings in which the recipes differ",
}


@dataclass(frozen=True, slots=True)
class _File:
    """What a spec may say."""

    search: dict[str, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    sampler: dict[str, Any] = field(default_factory=lambda: {"name": GRID})
    trials: int | None = None
    maximize: Literal["f1", "em"] | None = None
    minimize: Literal["loss"] | None = None
    prune: dict[str, Any] = field(default_factory=lambda: {"name": NO_PRUNING})
    seed: int = 0


def packaged() -> list[str]:
    """The names of the specs that come with dokhae."""
    return sorted(path.stem for path in FOLDER.glob(f"*{ENDING}"))


def read(
    spec: str | Path | Mapping[str, Any],
    out: Path,
    train: str | Path | None = None,
    dev: str | Path | None = None,
    trials: int | None = None,
) -> Spec:
    """A spec with everything in it checked; train, dev and trials win over what it says. Writes nothing."""
    content, where, name = _content(spec, out)
    for key in ("sampler", "prune"):  # a name alone, or a name with options
        if key in content and not isinstance(content[key], Mapping):
            content[key] = {"name": content[key] or NO_PRUNING}
    file = from_mapping(_File, content, where)
    _refuse(file, where)
    search = _search(file, where)
    objective: Literal["f1", "em", "loss"] = file.minimize or file.maximize or "f1"
    settings = _settings(file, where, search.keys(), {"train": train, "dev": dev})
    if objective != "f1" and not {"keep.best_by"} & (settings.keys() | search.keys()):
        settings["keep.best_by"] = objective  # the weights that are kept are those that the trial is judged by
    wanted = _wanted(file, trials if trials is not None else file.trials, where)
    draft = Spec(
        file.name or name, where, settings, search, file.sampler, file.prune, objective, wanted, wanted, file.seed
    )
    checked = replace(draft, search=_checked(draft))
    most = _most(checked)
    return replace(checked, trials=min(wanted or most, most), most=most)


def _content(spec: str | Path | Mapping[str, Any], out: Path) -> tuple[dict[str, Any], str, str]:
    """What the spec says, what begins messages about it, and the name it has unless it says one."""
    if isinstance(spec, Mapping):
        return dict(spec), "sweep", out.resolve().name
    path = Path(spec).expanduser()
    if not path.is_file() and str(spec) in packaged():
        path = FOLDER / f"{spec}{ENDING}"
    elif not path.exists() and not path.suffix:
        raise SettingsError(f"{spec}: no such file, and no packaged sweep{nearest(str(spec), packaged())}")
    return read_settings(path), path.name if path.parent == FOLDER else str(path), path.stem


def _refuse(file: _File, where: str) -> None:
    for key, options in (("sampler", file.sampler), ("prune", file.prune)):
        if not isinstance(options.get("name"), str):
            raise SettingsError(f"{where}: {key}: has no name; {key}: NAME, or {key}: {{name: NAME, OPTION: VALUE}}")
    if file.maximize and file.minimize:
        raise SettingsError(f"{where}: maximize and minimize exclude each other; a sweep has one objective")
    if not file.search:
        raise SettingsError(f"{where}: search is empty; name the settings to vary")
    if file.seed < 0:
        raise SettingsError(f"{where}: seed is {file.seed}; it has to be at least 0")


def _wanted(file: _File, trials: int | None, where: str) -> int:
    """How many trials are asked for; 0: all points of a grid."""
    if trials is not None and trials < 1:
        raise SettingsError(f"{where}: trials is {trials}; at least 1 is needed")
    if trials is None and file.sampler["name"] != GRID:
        raise SettingsError(f"{where}: trials is missing: how many points {file.sampler['name']} is to try")
    return trials or 0


def _search(file: _File, where: str) -> dict[str, Dimension]:
    found = flat(file.search, f"{where}: search")
    for name in found.keys() & FIXED.keys():
        raise SettingsError(f"{where}: search: {name} cannot be searched: {FIXED[name]}")
    for name in found.keys() & flat(file.settings, f"{where}: settings").keys():
        raise SettingsError(f"{where}: {name} is both in settings and in search; keep one")
    return {name: read_dimension(name, value, f"{where}: search") for name, value in found.items()}


def _settings(file: _File, where: str, searched: Collection[str], given: Mapping[str, str | Path | None]) -> Point:
    """What all trials share: of a recipe, of the spec, of the caller, the last on top."""
    own = flat(file.settings, f"{where}: settings")
    if "out" in own:
        raise SettingsError(f"{where}: settings: out is not for a spec; name the folder with --out")
    own |= {name: path for name, path in given.items() if path is not None}
    row = recipes.find(str(own["recipe"])) if own.get("recipe") else None
    found = own
    if row:  # by its whole name, which a table of one's own has wherever the spec is read again
        found = recipes.still_needed(row, {*own, *searched}) | own | {"recipe": row.name}
    for name in ("train", "dev"):
        if found.get(name) is None and name not in searched:
            raise SettingsError(f"{where}: {name} is missing; give --{name} FILE, or write it under settings")
    return {name: _located(name, value) for name, value in found.items() if name != "out" and name not in searched}


def _located(name: str, value: Any) -> Any:  # noqa: ANN401
    """Files and folders by their whole path: the spec is kept, and read again from elsewhere."""
    if name in ("train", "dev", "model") and isinstance(value, (str, Path)):
        path = Path(value).expanduser()
        return str(path.resolve()) if name != "model" or path.is_dir() else str(value)
    return value


def _checked(spec: Spec) -> dict[str, Dimension]:
    """The search with its values as the settings have them. SettingsError for a value that no training can have."""
    first = {name: ends(dimension)[0] for name, dimension in spec.search.items()}
    found: dict[str, Dimension] = {}
    for name, dimension in spec.search.items():
        configs = (config_of(spec, first | {name: value}, Path("run")) for value in ends(dimension))
        values = tuple(_located(name, flat(to_mapping(config), spec.where)[name]) for config in configs)
        if len(set(map(repr, values))) < len(values):
            raise SettingsError(f"{spec.where}: search: {name}: has a value twice")
        found[name] = Choice(values) if isinstance(dimension, Choice) else dimension
    return found


def _most(spec: Spec) -> int:
    """How many trials there can be. Checks what no value has shown alone: settings that exclude each other."""
    where, is_grid = f"{spec.where}: search", spec.sampler["name"] == GRID
    values = [grid_values(name, each, where) if is_grid else ends(each) for name, each in spec.search.items()]
    for combination in itertools.islice(itertools.product(*values), MOST_CHECKED):
        config_of(spec, dict(zip(spec.search, combination, strict=True)), Path("run"))
    return math.prod(map(len, values)) if is_grid else spec.trials
