"""transformers' Trainer with a clock: when each optimizer step of it ended."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback, TrainingArguments

from speed.costs import finish


class Clock(TrainerCallback):
    """Seconds on the clock at the end of each step, the device's work included."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:  # noqa: ANN401 - as Trainer calls it
        """Read the clock."""
        finish(self.device)
        self.ends.append(time.perf_counter())


def arguments(folder: str, told: Any) -> TrainingArguments:  # noqa: ANN401 - a speed.sides.Training
    """Trainer's own defaults but for what both sides are told, and for what it would write."""
    return TrainingArguments(
        output_dir=folder,
        max_steps=told.warm_up + told.steps,
        per_device_train_batch_size=told.batch_size,
        learning_rate=told.learning_rate,
        bf16=told.precision == "bf16",
        fp16=told.precision == "fp16",
        use_cpu=told.device == "cpu",
        seed=told.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
