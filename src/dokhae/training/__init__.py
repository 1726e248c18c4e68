"""From data files and an encoder to a run folder with a fine-tuned reader and its official scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dokhae.errors import optional
from dokhae.training.config import KeepConfig, OptimizerConfig, TrackConfig, TrainConfig, Watch

__all__ = ["KeepConfig", "OptimizerConfig", "TrackConfig", "TrainConfig", "Watch", "resume", "train"]


def train(config: TrainConfig, show: bool = True, watch: Watch | None = None) -> dict[str, Any]:
    """Fine-tune, score on the dev file, write the run folder; returns what its scores.json holds ({} without dev).

    show: progress on stderr. watch: called after each validation with the optimizer steps done and the dev scores; a
    Pruned that it raises ends the run. Raises DokhaeError for everything a user can mend. After Ctrl-C the last step
    is saved, and the error says how to go on.
    """
    with optional("training", "train"):
        from dokhae.training.fit import fit
    return fit(config, show=show, watch=watch)


def resume(
    run: Path | str, show: bool = True, trust_remote_code: bool = False, watch: Watch | None = None
) -> dict[str, Any]:
    """Go on with an interrupted run from its last checkpoint; returns what its scores.json holds."""
    with optional("training", "train"):
        from dokhae.training.fit import resume as go_on
    return go_on(Path(run), show, trust_remote_code, watch)
