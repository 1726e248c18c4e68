"""Everything a training is told. The command line, --config files, recipes and the Python API fill this one record."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dokhae.decoding import DecodingConfig
from dokhae.encoding import WindowConfig
from dokhae.encoding.windows import LEAD
from dokhae.errors import SettingsError
from dokhae.korean.splitting import Split
from dokhae.korean.trimming import Trim
from dokhae.pages.text import PageConfig

Which = Literal["last", "best", "all"]  # of a run's checkpoints
Watch = Callable[[int, dict[str, float]], None]  # (optimizer steps done, {"loss", "em", "f1"} on the dev file)


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW, its schedule and its gradients. Biases and normalisation weights are never decayed."""

    weight_decay: float = 0.01
    adam_epsilon: float = 1e-8
    schedule: Literal["linear", "cosine", "polynomial", "constant"] = "linear"
    warmup: float = 0.1  # below 1: share of all steps; from 1 on: steps
    clip: float = 1.0  # largest global norm of the gradients; 0 = no clipping
    accumulate: int = 1  # batches per optimizer step
    no_bias_correction: bool = False  # Adam as BERT's own code has it: the first steps are larger
    layer_decay: float = 1.0  # each layer learns this much slower than the one above it; 1 = all alike
    frozen_layers: int = 0  # lowest layers that do not learn, and with them the embeddings
    offload: bool = False  # Adam's state and step on the CPU: half the device's memory for weights, slower steps


@dataclass(frozen=True, slots=True)
class KeepConfig:
    """Which checkpoints stay, which model is the result, and when to stop early."""

    best_by: Literal["loss", "em", "f1", "last"] = "f1"  # on the dev file; last: the last model, whatever it scores
    best: int = 1  # how many of the best checkpoints are kept
    patience: int | None = None  # epochs without a better score before training stops


@dataclass(frozen=True, slots=True)
class TrackConfig:
    """Experiment trackers that are told what TensorBoard and metrics.csv are told; each has to be installed."""

    mlflow: bool = False  # where: MLFLOW_TRACKING_URI
    wandb: bool = False  # online or not: WANDB_MODE
    project: str = "dokhae"  # MLflow's experiment, W&B's project


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of one training run."""

    benchmark: str  # squad-1.1, squad-2.0, korquad-1.0, korquad-2.1 or klue-mrc: how data is read and scored
    model: str  # encoder: hub name or local folder
    train: Path  # training data: .json, .jsonl, .csv, .tsv or .parquet; of korquad-2.1 a .json file or a folder of them
    out: Path  # run folder to create
    dev: Path | None = None  # data to score after each epoch; without it the last weights are the result
    epochs: float = 2.0  # passes over the training windows; a part of one is allowed
    max_steps: int | None = None  # optimizer steps; wins over epochs
    batch_size: int = 16  # windows per batch and device
    batch_tokens: int | None = None  # instead, training batches of as many windows as hold so many tokens
    devices: int | None = None  # processes on each machine, one a device; as many as the launcher started, else 1
    nodes: int = 1  # machines
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"  # of several processes: each has all weights (ddp), or a part
    learning_rate: float = 5e-5
    max_length: int = 384  # tokens of a window, question and special tokens included
    step: int | None = None  # tokens by which windows advance (BERT's "doc stride"); 128 unless overlap is given
    overlap: int | None = None  # tokens that neighbouring windows share (Hugging Face's "doc stride")
    max_question_length: int = 64  # tokens; longer questions are cut, counted and reported
    seed: int = 42
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"  # auto: the fastest here (`dokhae doctor` says which)
    compile: bool = False  # the encoder, by torch.compile: its first steps take a minute, the later ones less
    max_train_examples: int | None = None  # for a try-out: only the first N questions
    max_dev_examples: int | None = None
    checkpoint_every: int | None = None  # optimizer steps; a checkpoint is always saved after each epoch
    checkpoint_minutes: float = 10.0  # and this long after the last one; 0 = not by time
    null_threshold: float | None = None  # null score difference above which the answer is ""; fitted on dev if not set
    # training answers that are not at their offset. skip: leave out their questions; repair: mend what is certain (off
    # by spaces, ...), leave out other such answers, and questions without any left
    misplaced_answers: Literal["error", "skip", "repair"] = "error"
    # where Korean words are cut before the tokenizer sees them; saved with the model and used by all that reads it
    korean_split: Split = "none"
    korean_trim: Trim = "none"  # analyser that finds particles to cut off answers where the tokenizer offers no end
    morphemes: str | None = None  # analyser of a morpheme BERT: kiwi, mecab, or the address of a service
    pages: PageConfig = field(default_factory=PageConfig)  # of benchmarks whose contexts are pages in HTML
    lead: int = LEAD  # tokens at most of a page's title and headings in front of each of its windows; 0 = none
    no_block_head: bool = False  # of pages: leave out the second head, which answers with paragraphs, tables and lists
    null_windows: float | None = None  # training windows without the answer for each one with it; all if not set
    trust_remote_code: bool = False  # run Python code that comes with the model
    recipe: str | None = None  # published row that fills what is not given here; `dokhae recipes` lists them
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    keep: KeepConfig = field(default_factory=KeepConfig)
    track: TrackConfig = field(default_factory=TrackConfig)

    def __post_init__(self) -> None:
        """Take text for paths, and refuse numbers that mean nothing before anything heavy is loaded."""
        for name in ("train", "dev", "out"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)).expanduser())
        self._refuse_numbers()
        if self.null_threshold is not None and math.isnan(self.null_threshold):
            raise SettingsError("null_threshold is not a number")
        if self.dev is None and self.keep.patience is not None:
            raise SettingsError("keep.patience needs a dev file to watch")
        if self.keep.best_by == "last" and self.keep.patience is not None:
            raise SettingsError("keep.patience needs a score to watch; keep.best_by can be loss, em or f1")
        self.windows  # noqa: B018 - refuses step together with overlap

    @property
    def windows(self) -> WindowConfig:
        """How contexts are cut."""
        return WindowConfig(self.max_length, self.step, self.overlap, self.max_question_length, self.lead)

    def _refuse_numbers(self) -> None:
        for name, value, lowest in self._bounded():
            if not value >= lowest or not math.isfinite(value):  # NaN is refused too
                raise SettingsError(f"{name} is {value}; it has to be at least {lowest:g}")
        for name, value in (
            ("epochs", self.epochs),
            ("learning_rate", self.learning_rate),
            ("optimizer.layer_decay", self.optimizer.layer_decay),
        ):
            if value == 0:
                raise SettingsError(f"{name} is 0; it has to be above 0")
        if self.optimizer.layer_decay > 1:
            raise SettingsError(f"optimizer.layer_decay is {self.optimizer.layer_decay}; it can be at most 1")
        if self.seed >= 2**32:
            raise SettingsError(f"seed is {self.seed}; it has to be below 2**32")

    def _bounded(self) -> list[tuple[str, float, float]]:
        """Numbers and the least that each may be."""
        optimizer, keep = self.optimizer, self.keep
        bounds: list[tuple[str, float | None, float]] = [
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
            ("lead", self.lead, 0),
            ("null_windows", self.null_windows, 0),
            ("optimizer.weight_decay", optimizer.weight_decay, 0),
            ("optimizer.adam_epsilon", optimizer.adam_epsilon, 0),
            ("optimizer.accumulate", optimizer.accumulate, 1),
            ("optimizer.warmup", optimizer.warmup, 0),
            ("optimizer.clip", optimizer.clip, 0),
            ("optimizer.layer_decay", optimizer.layer_decay, 0),
            ("optimizer.frozen_layers", optimizer.frozen_layers, 0),
            ("keep.best", keep.best, 1),
            ("keep.patience", keep.patience, 1),
        ]
        return [(name, value, lowest) for name, value, lowest in bounds if value is not None]
