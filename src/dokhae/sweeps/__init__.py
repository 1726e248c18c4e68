"""Many trainings of one encoder and data set: a grid or a search over any setting, kept in an Optuna study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokhae.errors import optional
from dokhae.sweeps.reading import packaged, read
from dokhae.sweeps.results import Result, ranked, table
from dokhae.sweeps.spec import Spec

__all__ = ["Result", "Spec", "packaged", "ranked", "read", "run", "sweep", "table"]


def sweep(
    spec: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    train: str | Path | None = None,
    dev: str | Path | None = None,
    trials: int | None = None,
    storage: str | None = None,
    show: bool = True,
) -> list[Result]:
    """Run the trials of a spec that have not been run yet; returns all of the study, in the order of their numbers.

    spec: a YAML file, the name of a packaged one, or what such a file holds. train, dev, trials: win over the spec's.
    storage: any storage URL of Optuna, for many machines; an SQLite file in `out` without. show: progress on stderr.
    The same call goes on with what was interrupted, also where `out` or the data files have moved; with what a process
    of another machine left, once that has been silent for ten minutes. Raises DokhaeError for all that a user can mend.
    """
    return run(read(spec, Path(out), train, dev, trials), Path(out), storage, show)


def run(spec: Spec, out: Path, storage: str | None = None, show: bool = True) -> list[Result]:
    """The same for a spec that has been read."""
    with optional("a sweep", "sweep"):
        import optuna  # noqa: F401
    with optional("training", "train"):
        from dokhae.sweeps import running
    return running.run(spec, out, storage, show)
