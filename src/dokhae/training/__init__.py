"""From data files and an encoder to a run folder with a fine-tuned reader and its official scores."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dokhae.errors import MissingExtra
from dokhae.training.config import KeepConfig, OptimizerConfig, TrainConfig

__all__ = ["KeepConfig", "OptimizerConfig", "TrainConfig", "resume", "train"]


def train(config: TrainConfig, show: bool = True) -> dict[str, Any]:
    """Fine-tune, score on the dev file, write the run folder; returns what its scores.json holds ({} without dev).

    show: progress on stderr. Raises DokhaeError for everything a user can mend. After Ctrl-C the last step is saved,
    and the error says how to go on.
    """
    with _training_extra():
        from dokhae.training.fit import fit
    return fit(config, show=show)


def resume(run: Path | str, show: bool = True) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint; returns what its scores.json holds."""
    with _training_extra():
        from dokhae.training.fit import resume as go_on
    return go_on(Path(run), show=show)


@contextlib.contextmanager
def _training_extra() -> Iterator[None]:
    """Name the extra where torch and its kin are missing; they are imported only when they are needed."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(f"training (`{error.name}`)", "train") from None
