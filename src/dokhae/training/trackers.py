"""MLflow and Weights & Biases, through Lightning's own loggers; a resumed run goes on under its old number."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, WandbLogger

from dokhae.errors import DokhaeError, MissingExtra, TrainingError
from dokhae.files import read_json, write_json
from dokhae.records import to_mapping
from dokhae.training.run_config import RunConfig

log = logging.getLogger("dokhae")
FILE_NAME = "trackers.json"  # in the run folder: tracker -> the number it knows the run by


def check_trackers(config: RunConfig) -> None:
    """MissingExtra where a tracker that the config asks for is not installed."""
    for name in TRACKERS:
        if getattr(config.track, name) and find_spec(name) is None:
            raise MissingExtra(f"--track.{name}", name)


class Tracked(Logger):
    """A tracker that no training ends of: what it does not take is said once, and then it is left alone.

    Each further try would hold the training up: MLflow asks a server that is gone for four minutes.
    """

    def __init__(self, tracker: str, logger: Logger, run: Path) -> None:
        super().__init__()
        self.tracker, self.logger, self.run, self.lost = tracker, logger, run, False

    @property
    def name(self) -> str | None:
        """The project, as the tracker knows it."""
        return self.logger.name

    @property
    def version(self) -> int | str | None:
        """The number by which it knows the run."""
        return self.logger.version

    @property
    def save_dir(self) -> str | None:
        """Where it keeps things, if here."""
        return self.logger.save_dir

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Tell it of scores and losses."""
        self.tell(self.logger.log_metrics, metrics, step)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Lightning has it
        """Tell it of settings."""
        self.tell(self.logger.log_hyperparams, params, *args, **kwargs)

    def finalize(self, status: str) -> None:
        """Tell it that this was all."""
        self.tell(self.logger.finalize, status)

    def tell(self, how: Callable[..., object], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Call one of its functions, unless one has failed before."""
        if self.lost:
            return
        try:
            how(*args, **kwargs)
        except DokhaeError:  # a signal's, which may come just then
            raise
        except Exception as error:  # its own, its HTTP client's, the disk's
            self.lost = True
            log.warning("%s cannot be told any more of this run, which goes on: %s; all metrics are in %s",
                        self.tracker, _reason(error), self.run / "metrics.csv")  # fmt: skip


@contextlib.contextmanager
def tracked(config: RunConfig) -> Iterator[list[Tracked]]:
    """The loggers of the trackers that the config asks for, told the settings, and closed after the block.

    TrainingError where one cannot be reached now; later ones are no errors.
    """
    path = config.out / FILE_NAME
    numbers: dict[str, str] = read_json(path) if path.exists() else {}
    known = set(numbers)
    made: dict[str, Tracked] = {}
    for name, (tracker, variable, begin) in TRACKERS.items():
        if getattr(config.track, name):
            with _reached(tracker, variable):
                logger = begin(config, numbers)
                if name not in known:  # MLflow refuses settings that it has been told before
                    logger.log_hyperparams(to_mapping(config))
            made[name] = Tracked(tracker, logger, config.out)
    if made:
        write_json(path, numbers)
    try:
        yield list(made.values())
    finally:
        if "wandb" in made:
            import wandb

            made["wandb"].tell(wandb.finish)  # the next training of this process is another run


def _mlflow(config: RunConfig, numbers: dict[str, str]) -> MLFlowLogger:
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
    logger = WandbLogger(
        project=config.track.project,
        name=config.out.name,
        id=numbers["wandb"],
        save_dir=config.out,
        resume="allow",
    )
    logger.experiment  # noqa: B018 - the run begins here
    return logger


# a tracker: its name, what says where it is, and what begins or goes on with a run
TRACKERS: dict[str, tuple[str, str, Callable[[RunConfig, dict[str, str]], Logger]]] = {
    "mlflow": ("MLflow", "MLFLOW_TRACKING_URI", _mlflow),
    "wandb": ("Weights & Biases", "WANDB_MODE=offline", _wandb),
}


@contextlib.contextmanager
def _reached(tracker: str, variable: str) -> Iterator[None]:
    """Whatever a tracker raises where it cannot be reached or will not let us in, as one TrainingError."""
    try:
        yield
    except Exception as error:  # of its HTTP client, its own, the disk's
        raise TrainingError(
            f"{tracker} cannot be told of this run: {_reason(error)}; see {variable}, or train without it"
        ) from None


def _reason(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
