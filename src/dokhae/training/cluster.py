"""Who started this process: torchrun, SLURM or nobody; how many processes there are to be; the job they belong to."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from typing import Protocol

import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from dokhae.errors import SettingsError

log = logging.getLogger("dokhae")
Environment = TorchElasticEnvironment | SLURMEnvironment
NO_NAME = "none"  # torchrun's --rdzv-id unless it is given


def found() -> Environment | None:
    """The launcher that started this process as one of several; None where it was started by itself."""
    if TorchElasticEnvironment.detect():  # also inside of a SLURM job
        return TorchElasticEnvironment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an srun that is there and was not used
        if not SLURMEnvironment.detect() or "SLURM_PROCID" not in os.environ:  # in an allocation, but not by srun
            return None
        for name in ("SLURM_NTASKS", "SLURM_PROCID"):
            if not os.environ[name].isdecimal():
                raise SettingsError(f"{name} is {os.environ[name]!r}; it has to be a number, as srun sets it")
        if int(os.environ["SLURM_NTASKS"]) == 1:
            return None
        try:
            return SLURMEnvironment(auto_requeue=False)  # docs/cluster.md lets SLURM itself requeue
        except RuntimeError as error:
            raise SettingsError(f"SLURM: {error}") from None


def first_process() -> bool:
    """Whether this process speaks for all: it is the only one, or number 0."""
    environment = found()
    return environment is None or environment.global_rank() == 0


class Asked(Protocol):
    """Settings of something that several processes may do."""

    @property
    def device(self) -> str:
        """What each of them works on."""

    @property
    def devices(self) -> int | None:
        """Processes on each machine; None: as many as the launcher has started."""

    @property
    def nodes(self) -> int:
        """Machines."""

    @property
    def go_on(self) -> str:
        """What to do after it was stopped."""


def asked(config: Asked) -> int:
    """Processes that are wanted; those of its launcher are more where `devices` is left open."""
    return (config.devices or 1) * config.nodes


def needed(config: Asked) -> bool:
    """Whether processes have to be started here."""
    return asked(config) > 1 and found() is None


def check_size(config: Asked, environment: Environment) -> None:
    """SettingsError where the launcher has started another number of processes than the settings ask for."""
    started = environment.world_size()
    is_open = config.devices is None and config.nodes == 1
    expected = asked(config) if config.devices is not None else started // config.nodes * config.nodes
    if not is_open and started != expected:
        devices = "" if config.devices is None else f"devices {config.devices} x "
        raise SettingsError(f"the launcher has started {started} processes, but the settings say {devices}nodes "
                            f"{config.nodes}; start as many as the run has, or leave both out")  # fmt: skip


def check_devices(count: int, device: str) -> None:
    """SettingsError where this machine has fewer devices than processes are asked for."""
    if device == "cuda" and torch.cuda.device_count() < count:
        raise SettingsError(f"{count} devices are asked for, and {socket.gethostname()} has "
                            f"{torch.cuda.device_count()}; lower --devices")  # fmt: skip
    if device == "mps" and count > 1:
        raise SettingsError(f"{count} devices are asked for, and mps is one; use --devices 1")


def warn_of_few_cores(count: int, device: str) -> None:
    """Where more processes share this machine than it has cores."""
    if device == "cpu" and count > cores():
        log.warning("%d processes share %d cores: they will be slower than %d", count, cores(), cores())


def check_place(strategy: str, device: str) -> None:
    """SettingsError for a strategy that a device does not go with."""
    if strategy == "fsdp" and device != "cuda":
        raise SettingsError(f"strategy fsdp divides the weights among GPUs, and the device is {device}; use ddp")


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def job() -> str | None:
    """What a restart of this job has in common with it, and no other job has; None for a process without a launcher."""
    environment = found()
    if isinstance(environment, SLURMEnvironment):
        return f"slurm {os.environ.get('SLURM_CLUSTER_NAME', '')} {os.environ.get('SLURM_JOB_ID')}"
    if environment is None:
        return None
    name = os.environ["TORCHELASTIC_RUN_ID"]
    # without a name, only the agent that restarts us is the same
    return f"torchrun {name}" if name != NO_NAME else f"torchrun {socket.gethostname()} {os.getppid()}"
