"""Lightning's trainer as a config asks for it: for one process, or for one of several under DDP or FSDP."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel

from dokhae.errors import SettingsError
from dokhae.model.layers import layers_of
from dokhae.model.packing import is_packed
from dokhae.model.padding import is_run_in_parts
from dokhae.training.checkpoints import Checkpoints, watched
from dokhae.training.cluster import check_place
from dokhae.training.compiling import CompileCost
from dokhae.training.gradients import UsedRows
from dokhae.training.logs import Progress, loggers
from dokhae.training.module import TrainingModule
from dokhae.training.processes import Processes
from dokhae.training.run_config import RunConfig

LIGHTNING_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def make_trainer(
    module: TrainingModule, checkpoints: Checkpoints, device: str, show: bool, trackers: list[Any]
) -> pl.Trainer:
    """The trainer of this process. Run folder, progress, loggers and trackers are the first process's."""
    config, processes = module.config, module.data.processes
    callbacks: list[Any] = [Progress(module.steps, show, module.lesson.in_words)]
    if config.compile:
        callbacks.append(CompileCost())
    if processes.size > 1 and device == "cpu":
        callbacks.append(UsedRows())
    if config.keep.patience is not None:
        monitor, mode = watched(config.keep.best_by)
        callbacks.append(
            EarlyStopping(
                monitor,
                patience=config.keep.patience,
                mode=mode,
                check_on_train_epoch_end=False,
                check_finite=False,  # it would stop at once, and a resumed run would not know
            )  # fmt: skip
        )
    return pl.Trainer(
        accelerator=device,
        devices=processes.local_size,
        num_nodes=processes.nodes,
        strategy=strategy_of(module.model, config, processes),
        precision=LIGHTNING_PRECISION[config.precision],  # type: ignore[arg-type]
        max_steps=module.steps,
        max_epochs=-1,
        accumulate_grad_batches=config.optimizer.accumulate,
        gradient_clip_val=config.optimizer.clip or None,
        deterministic="warn" if device == "cpu" else None,
        callbacks=[*callbacks, checkpoints],  # checkpoints last: they save the state of the others
        logger=[*loggers(config.out), *trackers] if processes.first else False,
        plugins=[checkpoints.io, *([processes.environment] if processes.environment else [])],
        default_root_dir=config.out,
        num_sanity_val_steps=0,
        log_every_n_steps=max(min(module.steps // 10, 10), 1),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class Divided(FSDPStrategy):
    """Lightning's FSDP, which in a validation after the training would run the parts of a model as if they were it."""

    def connect(self, model: pl.LightningModule) -> None:
        """Keep the model as it was divided: its root gathers the weights that belong to no layer."""
        divided = self.model
        super().connect(model)
        if isinstance(divided, FullyShardedDataParallel) and divided.module is model:
            self.model = divided


def strategy_of(model: torch.nn.Module, config: RunConfig, processes: Processes) -> Any:  # noqa: ANN401 - Lightning's
    """How several processes share the work, and with FSDP the weights. torch's groups are there already."""
    if processes.size == 1:
        return "auto"
    if config.strategy == "fsdp":
        for weight in model.parameters():
            weight.is_matrix = weight.ndim > 1  # type: ignore[attr-defined]  # for the optimizer, which sees parts
        # the state dicts are whole, so a checkpoint does not say under which strategy it was saved
        return Divided(auto_wrap_policy=layer_classes(model), state_dict_type="full", use_orig_params=True)
    # the buffers are constants, and sending them around would hang a validation of uneven shares
    return DDPStrategy(broadcast_buffers=False, gradient_as_bucket_view=True)


def check_strategy(model: torch.nn.Module, config: RunConfig, device: str) -> None:
    """SettingsError for a strategy that device, model or settings do not go with."""
    if config.strategy != "fsdp":
        return
    check_place(config.strategy, device)
    layer_classes(model)
    if not is_packed(model) and is_run_in_parts(model):
        raise SettingsError(f"{type(model).__name__}: strategy fsdp needs one pass a batch in all processes, and this "
                            "model takes more where windows have several lengths; use ddp")  # fmt: skip
    settings = config.optimizer
    for name, is_set in (
        ("compile", config.compile),
        ("optimizer.offload", settings.offload),
        ("optimizer.layer_decay", settings.layer_decay != 1),
        ("optimizer.frozen_layers", settings.frozen_layers > 0),
    ):
        if is_set:
            raise SettingsError(f"strategy fsdp does not go with {name}, which needs whole weights; use ddp")


def layer_classes(model: Any) -> set[type[torch.nn.Module]]:  # noqa: ANN401 - a transformers model
    """The class of a model's layers, which FSDP divides one by one. SettingsError where the layers share weights."""
    found = layers_of(model)
    if not found:
        raise SettingsError(f"{type(model).__name__}: strategy fsdp divides layer by layer, and its layers share their "
                            "weights or are not to be found; use ddp")  # fmt: skip
    return {type(layer) for layer in found}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back Lightning's banner of devices and its advice about loaders of its own kind."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(lightning|torch\._\w+)\..*")  # torch._*: its compiler
            yield
    finally:
        logger.setLevel(level)
