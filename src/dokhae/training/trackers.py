"""MLflow and Weights & Biases, through Lightning's own loggers; a resumed run goes on under its old number."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger, WandbLogger

from dokhae.errors import MissingExtra, TrainingError
from dokhae.files import read_json, write_json
from dokhae.records import to_mapping
from dokhae.training.run_config import RunConfig

FILE_NAME = "trackers.json"  # in the run folder: tracker -> the number it knows the run by


def check_trackers(config: RunConfig) -> None:
    """MissingExtra where a tracker that the config asks for is not installed."""
    for name, wanted in (("mlflow", config.track.mlflow), ("wandb", config.track.wandb)):
        if wanted and find_spec(name) is None:
            raise MissingExtra(f"--track.{name}", name)


@contextlib.contextmanager
def tracked(config: RunConfig) -> Iterator[list[Any]]:
    """The loggers of the trackers that the config asks for, told the settings, and closed after the block."""
    path = config.out / FILE_NAME
    numbers: dict[str, str] = read_json(path) if path.exists() else {}
    known = set(numbers)
    loggers: dict[str, Any] = {}
    if config.track.mlflow:
        loggers["mlflow"] = _mlflow(config, numbers)
    if config.track.wandb:
        loggers["wandb"] = _wandb(config, numbers)
    for name in loggers.keys() - known:  # MLflow refuses settings that it has been told before
        loggers[name].log_hyperparams(to_mapping(config))
    if loggers:
        write_json(path, numbers)
    try:
        yield list(loggers.values())
    finally:
        if config.track.wandb:
            import wandb

            wandb.finish()  # the next training of this process is another run


def _mlflow(config: RunConfig, numbers: dict[str, str]) -> MLFlowLogger:
    with _reached("MLflow", "MLFLOW_TRACKING_URI"):
        logger = MLFlowLogger(
            experiment_name=config.track.project,
            run_name=config.out.name,
            tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),  # Lightning reads it when it is imported, once
            run_id=numbers.get("mlflow"),
        )
        numbers["mlflow"] = str(logger.run_id)
        return logger


def _wandb(config: RunConfig, numbers: dict[str, str]) -> WandbLogger:
    numbers.setdefault("wandb", uuid.uuid4().hex[:8])
    with _reached("Weights & Biases", "WANDB_MODE=offline"):
        logger = WandbLogger(
            project=config.track.project,
            name=config.out.name,
            id=numbers["wandb"],
            save_dir=config.out,
            resume="allow",
        )
        logger.experiment  # noqa: B018 - the run begins here
        return logger


@contextlib.contextmanager
def _reached(tracker: str, variable: str) -> Iterator[None]:
    """Whatever a tracker raises where it cannot be reached or will not let us in, as one TrainingError."""
    try:
        yield
    except Exception as error:  # of its HTTP client, its own, the disk's
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(
            f"{tracker} cannot be told of this run: {reason}; see {variable}, or train without it"
        ) from None
