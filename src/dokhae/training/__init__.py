"""From data files and an encoder to a run folder with a fine-tuned reader and its official scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokhae.errors import optional
from dokhae.training.config import KeepConfig, OptimizerConfig, TrackConfig, TrainConfig, Watch, Which

__all__ = [
    "KeepConfig",
    "OptimizerConfig",
    "TrackConfig",
    "TrainConfig",
    "Watch",
    "Which",
    "evaluate_run",
    "reproduce",
    "resume",
    "train",
]


def train(config: TrainConfig, show: bool = True, watch: Watch | None = None) -> dict[str, Any]:
    """Fine-tune, score on the dev file, write the run folder; returns what its scores.json holds ({} without dev).

    show: progress on stderr. watch: called after each validation with the optimizer steps done and the dev scores; a
    Pruned that it raises ends the run. Raises DokhaeError for everything a user can mend. After Ctrl-C the last step
    is saved, and the error says how to go on.
    """
    with optional("training", "train"):
        from dokhae.training.fit import fit
        from dokhae.training.reading import READING
    return fit(config, READING, show=show, watch=watch)


def resume(
    run: Path | str,
    show: bool = True,
    trust_remote_code: bool = False,
    watch: Watch | None = None,
    data: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint; returns what its scores.json holds.

    data: where "train" and "dev" are now, if they have moved; their content has to be the same.
    """
    with optional("training", "train"):
        from dokhae.training.fit import resume as go_on
        from dokhae.training.reading import READING
    return go_on(Path(run), READING, show, trust_remote_code, watch, data)


def evaluate_run(
    run: Path | str,
    checkpoints: Which = "best",
    device: str = "auto",
    show: bool = True,
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """Score a run's checkpoints on its dev file; returns what its best_results.json then holds.

    checkpoints: "last", "best" (by the dev score that the run keeps them by) or "all" that are there.
    """
    with optional("scoring a run", "train"):
        from dokhae.training.scoring import score_checkpoints
    return score_checkpoints(Path(run), checkpoints, device, show, trust_remote_code)


def reproduce(
    run: Path | str, out: Path | str | None = None, show: bool = True, trust_remote_code: bool = False
) -> dict[str, Any]:
    """Train a finished run again, from its own record, and compare; returns what the new reproduction.json holds.

    out: the new run folder; RUN-again unless given. Raises DokhaeError with exit code 1 where scores differ.
    """
    with optional("training", "train"):
        from dokhae.training.reading import READING
        from dokhae.training.reproduction import reproduce as run_again
    return run_again(Path(run), READING, None if out is None else Path(out), show, trust_remote_code)
