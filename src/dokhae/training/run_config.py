"""What every training is told, whatever it learns: the encoder, the data, the steps, the machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeVar, get_args, get_type_hints

from dokhae.errors import SettingsError

Watch = Callable[[int, dict[str, float]], None]  # (optimizer steps done, the loss and the scores on the dev file)
Config = TypeVar("Config", bound="RunConfig")
# settings that change no more than last bits: where files lie, what computes and how, what is only told or kept
FREE = {
    "train", "dev", "out", "recipe", "device", "devices", "nodes", "strategy", "compile", "no_cuda_graphs",
    "optimizer.offload", "checkpoint_every", "checkpoint_minutes", "keep.best", "track", "trust_remote_code",
}  # fmt: skip
Bound = tuple[str, float | None, float]  # a number's name, what it is, and the least that it may be


def is_free(name: str) -> bool:
    """Whether a setting, its groups with a dot, changes no more of a result than last bits."""
    return name in FREE or name.partition(".")[0] in FREE


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW, its schedule and its gradients. Biases and normalisation weights are never decayed."""

    weight_decay: float = 0.01
    adam_epsilon: float = 1e-8
    schedule: Literal["linear", "cosine", "polynomial", "constant"] = "linear"
    power: float = 1.0  # of the polynomial schedule; 1, as in BERT's own code, falls like the linear one
    warmup: float = 0.1  # below 1: share of all steps; from 1 on: steps
    clip: float = 1.0  # largest global norm of the gradients; 0 = no clipping
    accumulate: int = 1  # batches per optimizer step; where the last one of an epoch has fewer, it is as much smaller
    no_bias_correction: bool = False  # Adam as BERT's own code has it: the first steps are larger
    layer_decay: float = 1.0  # each layer learns this much slower than the one above it; 1 = all alike
    frozen_layers: int = 0  # lowest layers that do not learn, and with them the embeddings
    offload: bool = False  # Adam's state and step on the CPU: half the device's memory for weights, slower steps


@dataclass(frozen=True, slots=True)
class Keep:
    """Which checkpoints stay, which model is the result, and when to stop early."""

    best_by: str  # loss, or one of the scores that are taken on the dev file; last: the last model, whatever it scores
    best: int = 1  # how many of the best checkpoints are kept
    patience: int | None = None  # epochs without a better score before training stops

    @property
    def choices(self) -> tuple[str, ...]:
        """What best_by can be."""
        return get_args(get_type_hints(type(self))["best_by"])


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """Experiment trackers that are told what TensorBoard and metrics.csv are told; each has to be installed."""

    mlflow: bool = False  # where: MLFLOW_TRACKING_URI
    wandb: bool = False  # online or not: WANDB_MODE
    project: str = "dokhae"  # MLflow's experiment, W&B's project


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Settings of one training run that do not hang on what is learned."""

    verb: ClassVar[str]  # the command that runs it, and goes on with it
    mark: ClassVar[str]  # a setting that this kind of run alone has

    model: str  # encoder: hub name or local folder
    train: Path  # training data
    out: Path  # run folder to create
    dev: Path | None = None  # data to score after each epoch; without it the last weights are the result
    epochs: float  # passes over the training data; a part of one is allowed
    max_steps: int | None = None  # optimizer steps; wins over epochs
    batch_size: int  # of what the model reads at once, per batch and device
    batch_tokens: int | None = None  # instead, training batches of as many as hold so many tokens
    devices: int | None = None  # processes on each machine, one a device; as many as the launcher started, else 1
    nodes: int = 1  # machines
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"  # of several processes: each has all weights (ddp), or a part
    learning_rate: float
    seed: int = 42
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # auto: the fastest here (`dokhae doctor` says which)
    compile: bool = False  # the encoder, by torch.compile: slower on CPUs, and for BERT's kin on a GPU too
    no_cuda_graphs: bool = False  # on one GPU: tell it each pass of the encoder kernel by kernel, not as recorded once
    max_train_examples: int | None = None  # for a try-out: only the first N
    max_dev_examples: int | None = None
    checkpoint_every: int | None = None  # optimizer steps; a checkpoint is always saved after each epoch
    checkpoint_minutes: float = 10.0  # and this long after the last one; 0 = not by time
    trust_remote_code: bool = False  # run Python code that comes with the model
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    keep: Keep
    track: TrackConfig = field(default_factory=TrackConfig)

    def __post_init__(self) -> None:
        """Take text for paths, and refuse numbers that mean nothing before anything heavy is loaded."""
        for name in ("train", "dev", "out"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)).expanduser())
        self._refuse_numbers()
        choices = self.keep.choices
        if self.keep.best_by not in choices:
            raise SettingsError(f"keep.best_by is {self.keep.best_by!r}; it can be {', '.join(choices)}")
        if self.dev is None and self.keep.patience is not None:
            raise SettingsError("keep.patience needs a dev file to watch")
        if self.keep.best_by == "last" and self.keep.patience is not None:
            watched = ", ".join(name for name in choices if name != "last")
            raise SettingsError(f"keep.patience needs a score to watch; keep.best_by can be {watched}")

    @property
    def go_on(self) -> str:
        """What to do after the training was stopped; before it was written down there is nothing to go on with."""
        began = (self.out / "config.yaml").exists()
        return f"go on with: {self.verb} --resume {self.out}" if began else "start it again"

    def _refuse_numbers(self) -> None:
        for name, number in (
            ("epochs", self.epochs),
            ("learning_rate", self.learning_rate),
            ("optimizer.layer_decay", self.optimizer.layer_decay),
            ("optimizer.power", self.optimizer.power),
        ):
            if not number > 0:  # NaN is refused too
                raise SettingsError(f"{name} is {number or 0}; it has to be above 0")
        for name, value, lowest in self._bounded():
            if value is not None and not lowest <= value < math.inf:
                least = "finite" if value == math.inf else f"at least {lowest:g}"
                raise SettingsError(f"{name} is {value}; it has to be {least}")
        if self.optimizer.layer_decay > 1:
            raise SettingsError(f"optimizer.layer_decay is {self.optimizer.layer_decay}; it can be at most 1")
        if self.optimizer.power != 1 and self.optimizer.schedule != "polynomial":
            raise SettingsError(f"optimizer.power is {self.optimizer.power}, but optimizer.schedule is "
                                f"{self.optimizer.schedule}; only polynomial has a power")  # fmt: skip
        if self.seed >= 2**32:
            raise SettingsError(f"seed is {self.seed}; it has to be below 2**32")

    def _bounded(self) -> list[Bound]:
        """Numbers and the least that each may be."""
        optimizer, keep = self.optimizer, self.keep
        return [
            ("epochs", self.epochs, 0),
            ("learning_rate", self.learning_rate, 0),
            ("batch_size", self.batch_size, 1),
            ("batch_tokens", self.batch_tokens, 1),
            ("devices", self.devices, 1),
            ("nodes", self.nodes, 1),
            ("max_steps", self.max_steps, 1),
            ("checkpoint_every", self.checkpoint_every, 1),
            ("checkpoint_minutes", self.checkpoint_minutes, 0),
            ("max_train_examples", self.max_train_examples, 1),
            ("max_dev_examples", self.max_dev_examples, 1),
            ("seed", self.seed, 0),
            ("optimizer.weight_decay", optimizer.weight_decay, 0),
            ("optimizer.adam_epsilon", optimizer.adam_epsilon, 0),
            ("optimizer.accumulate", optimizer.accumulate, 1),
            ("optimizer.power", optimizer.power, 0),
            ("optimizer.warmup", optimizer.warmup, 0),
            ("optimizer.clip", optimizer.clip, 0),
            ("optimizer.frozen_layers", optimizer.frozen_layers, 0),
            ("keep.best", keep.best, 1),
            ("keep.patience", keep.patience, 1),
        ]
