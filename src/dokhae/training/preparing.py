"""What comes before the first step: settings as this machine takes them, where a run goes on, what is left still."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dokhae.errors import SettingsError
from dokhae.model.devices import choose_precision
from dokhae.training import cluster, runs
from dokhae.training.compiling import as_written, check_compiler
from dokhae.training.folder import refuse_taken
from dokhae.training.identity import Identity
from dokhae.training.module import TrainingModule
from dokhae.training.processes import Processes
from dokhae.training.run_config import Config, RunConfig
from dokhae.training.task import Task
from dokhae.training.trackers import check_trackers

log = logging.getLogger("dokhae")


class Start(NamedTuple):
    """How a training begins; the same in all processes."""

    resumed: bool
    before: Identity | None = None  # that the encoder has to have
    is_finished: bool = False


def settled(config: Config, device: str, processes: Processes, task: Task[Config]) -> Config:
    """The settings as the run records them: with the precision of the device and the number of processes."""
    config = task.settled(replace(config, precision=choose_precision(config.precision, device)))
    if processes.size > 1:
        config = replace(config, devices=processes.local_size, nodes=processes.nodes)
    if config.compile:
        check_compiler(device)
    check_trackers(config)
    return config


def started(config: RunConfig, resumed: bool, before: Identity | None, processes: Processes) -> Start:
    """What the run folder, which the first process sees, says. SettingsError where it is another training's."""
    start = Start(resumed, before)
    with processes.together():
        if processes.first:
            start = _start(config, start, processes.size)
    found: Start = processes.broadcast(start)
    return found


def _start(config: RunConfig, start: Start, size: int) -> Start:
    if not start.resumed and runs.begun_by(cluster.job(), config):
        if runs.finished(config.out):
            log.info("%s is finished; there is nothing left to do", config.out)
            return Start(True, is_finished=True)
        log.warning("%s: its processes were started again", config.out)
        start = Start(True, runs.identity(config.out))
    if start.resumed:
        runs.warn_of_another_machine(config.out, config.device)
        runs.check_processes(config.out, size)
    else:
        refuse_taken(config.out)
    return start


def check_seen(checkpoint: Path, processes: Processes) -> None:
    """SettingsError where some processes have the checkpoint to go on from, and others cannot see it."""
    seen = processes.gather(checkpoint.exists())
    with processes.together():
        if len(set(seen)) > 1:
            blind = ", ".join(sorted({processes.hosts[rank] for rank, sees in enumerate(seen) if not sees}))
            raise SettingsError(f"{checkpoint}: is not seen on {blind}; all nodes need the run folder on a file system "
                                "that they share, or a copy of it under the same name")  # fmt: skip


def keep_still(module: TrainingModule) -> None:
    """Take the weights that the loss does not reach out of training: AdamW leaves them alone, and DDP waits for none.

    XLNet's mask embedding is one. A batch of two windows tells, on the CPU.
    """
    weights = [weight for weight in module.model.parameters() if weight.requires_grad]
    batch = module.data.batch("train", np.arange(min(2, module.data.train.features.window_count)))
    with torch.random.fork_rng(devices=()), as_written():
        logits = module.lesson.logits(module.model, batch, "cpu")
        gradients = torch.autograd.grad(torch.stack(logits).sum(), weights, allow_unused=True)
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is None:
            weight.requires_grad_(False)
