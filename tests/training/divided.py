"""FSDP on CPUs: Lightning and torch ask for GPUs, though gloo can do all that a training needs."""

from __future__ import annotations

import math
from unittest import mock

import lightning.pytorch.strategies.fsdp as lightning_fsdp
import torch
from torch.distributed.fsdp import (
    FullOptimStateDictConfig,
    FullStateDictConfig,
    FullyShardedDataParallel,
    StateDictType,
)

import dokhae
from dokhae.errors import TrainingError
from dokhae.training import fit, trainers
from dokhae.training.module import TrainingModule


class OnCpu(trainers.Divided):
    """As it is used, but for the device."""

    def _setup_model(self, model):
        if isinstance(model, FullyShardedDataParallel):
            return super()._setup_model(model)
        return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **self.kwargs)


def whole(module, world_size, rank0_only=True):
    """Lightning's, without moving to the CPU what is on it already, which ends torch 2.13."""
    weights = FullStateDictConfig(offload_to_cpu=False, rank0_only=rank0_only)
    state = FullOptimStateDictConfig(offload_to_cpu=False, rank0_only=rank0_only)
    return FullyShardedDataParallel.state_dict_type(module, StateDictType.FULL_STATE_DICT, weights, state)


class Enough(TrainingModule):
    """Stops before a step."""

    last = math.inf

    def training_step(self, part, index):
        if self.global_step == self.last:
            raise TrainingError("enough")
        return super().training_step(part, index)


def train_divided(rank, changed, steps=math.inf):
    """A training as `strategy="fsdp"` has it, or what is left of it; it fails after so many steps."""
    torch.set_num_threads(1)
    Enough.last = steps
    with (
        mock.patch.object(trainers, "Divided", OnCpu),
        mock.patch.object(trainers, "check_place"),
        mock.patch.object(trainers, "UsedRows", trainers.pl.Callback),  # of DDP alone
        mock.patch.object(fit, "TrainingModule", Enough),
        mock.patch.object(lightning_fsdp, "_get_full_state_dict_context", whole),
    ):
        if (changed.out / "config.yaml").exists():
            return dokhae.resume(changed.out, show=False)
        return dokhae.train(changed, show=False)
