"""The weights that a run ends with: those of its best checkpoint, or of its last one."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from dokhae.training.checkpoints import LAST, Checkpoints
from dokhae.training.module import TrainingModule

log = logging.getLogger("dokhae")


def take_best(module: TrainingModule, checkpoints: Checkpoints) -> None:
    """Give the model the best weights (the last ones without a dev split), in all processes."""
    name = checkpoints.best[0][1] if checkpoints.best else LAST
    processes = module.data.processes
    if processes.first:
        module.model.load_state_dict(weights_in(checkpoints.folder / name))
    processes.share_weights(module.model)
    log.info("model: from checkpoints/%s", name)


def weights_in(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The model's weights in a checkpoint, under the names that the model has for them."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("model."): weight for name, weight in state.items()}
