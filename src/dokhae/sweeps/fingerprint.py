"""What makes two sweeps the same one: everything that changes the trials or their scores, but not where files lie."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dokhae.files import sha256
from dokhae.recipes.dotted import flat
from dokhae.records import to_mapping
from dokhae.sweeps.space import Choice, ends
from dokhae.sweeps.spec import Spec, config_of, described
from dokhae.training.config import TrainConfig
from dokhae.training.run_config import is_free

MOST_TOLD = 5  # differences in a message


def fingerprint(spec: Spec) -> dict[str, Any]:
    """Plain values by name. The number of trials is not among them: more can be asked for later.

    Data files, and an encoder in a folder, count by their content; where they are searched, by their paths too, for by
    these the study knows its points. Raises DataError for a file that cannot be read.
    """
    first = {name: ends(dimension)[0] for name, dimension in spec.search.items()}
    settings = flat(to_mapping(config_of(spec, first, Path("run"))), spec.where)
    shared = {
        f"settings.{name}": _content(Path(str(value))) if name == "model" else value
        for name, value in settings.items()
        if name not in spec.search and not is_free(name)
    }
    trained_on = spec.search.get("train", Choice((settings["train"],)))
    data: dict[str, Any] = {
        "data.train": [sha256(Path(path)) for path in ends(trained_on)],
        "data.dev": sha256(Path(settings["dev"])),
    }
    if "model" in spec.search:
        data["data.model"] = [_content(Path(str(model))) for model in ends(spec.search["model"])]
    return {
        **shared,
        **data,
        **{f"search.{name}": described(dimension) for name, dimension in spec.search.items()},
        "objective": spec.objective,
        "sampler": spec.sampler,
        "prune": spec.prune,
        "seed": spec.seed,
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs, as words; "" where nothing does."""
    before = _defaults() | before  # of settings that dokhae did not have then
    counted = now.keys() | {name for name in before if not name.startswith("settings.")}
    names = [name for name in counted if before.get(name) != now.get(name)]
    told = [
        f"{name} has changed" if name.startswith("data.") else f"{name} was {before.get(name)} and is {now.get(name)}"
        for name in sorted(names)[:MOST_TOLD]
    ]
    more = [f"{len(names) - MOST_TOLD} more"] if len(names) > MOST_TOLD else []
    return ", ".join(told + more)


def _defaults() -> dict[str, Any]:
    """Settings as they are unless told otherwise, as a fingerprint has them."""
    plain = TrainConfig(benchmark="", model="", train=Path(), out=Path())
    return {f"settings.{name}": value for name, value in flat(to_mapping(plain), "defaults").items()}


def _content(model: Path) -> str:
    """A folder by the hash of its files; the name of a model on the hub as it is."""
    if not model.is_dir():
        return str(model)
    digest = hashlib.sha256()
    for path in sorted(path for path in model.iterdir() if path.is_file()):
        digest.update(f"{path.name} {sha256(path)} ".encode())
    return f"folder with the hash {digest.hexdigest()}"
