"""Specs of sweeps that take seconds, and what to compare of two of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dokhae import sweeps

# children of a server that has everything imported: real processes, ready at once
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dokhae.sweeps.running"])


def spec_of(model: Path, data: Path, **changes: Any) -> dict[str, Any]:
    """A grid of four points."""
    settings = {
        "benchmark": "korquad-1.0", "model": str(model), "train": str(data), "dev": str(data), "max_length": 64,
        "step": 16, "max_question_length": 24, "device": "cpu", "precision": "fp32", "epochs": 2, "checkpoint_every": 1,
    }  # fmt: skip
    search = changes.get("search", {"learning_rate": [1e-3, 5e-2], "batch_size": [3, 2]})
    if "batch_size" not in search:
        settings["batch_size"] = 2  # three steps an epoch
    return {"name": "small", **changes, "search": search, "settings": settings | changes.get("settings", {})}


def comparable(results: Sequence[sweeps.Result]) -> list[tuple[Any, ...]]:
    """All of the results but their times and folders."""
    return [(each.trial, each.state, each.settings, each.scores) for each in results]


def at_checkpoint(number: int, of: str, do: Callable[[], object]) -> Callable[[Any, Any], None]:
    """An os.replace that does something once, when the checkpoint of a run is about to get its name."""
    rename, left = os.replace, [number]

    def replace(old: Any, new: Any) -> None:
        if of in str(new) and str(new).endswith("last.ckpt"):
            left[0] -= 1
            if left[0] == 0:
                do()
        rename(old, new)

    return replace


def sweep_and_die(spec: dict[str, Any], out: Path, number: int, of: str) -> None:
    """A sweep whose process is killed at a checkpoint."""
    os.replace = at_checkpoint(number, of, lambda: os.kill(os.getpid(), signal.SIGKILL))
    sweeps.sweep(spec, out, show=False)


def sweep_together(spec: dict[str, Any], out: Path, storage: str | None, start: Any) -> None:
    """A sweep that begins when all are ready."""
    start.wait()
    sweeps.sweep(spec, out, storage=storage, show=False)
