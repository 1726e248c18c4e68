"""GPUs that an old command line names -> devices that are here, at the same number of windows a step."""

from __future__ import annotations

import os
from typing import Any

from dokhae.compat import road
from dokhae.errors import SettingsError


def place(gpus: str, option: str, accumulate: int = 1) -> dict[str, Any]:
    """The settings for GPUs by number, "0,1,2,3" (-1: the CPU): device, devices and optimizer.accumulate.

    Where there is no GPU, one process does the work of all, a batch after the other, and that is said. Under torchrun
    its processes are the devices. Sets CUDA_VISIBLE_DEVICES. SettingsError for a GPU that is not here.
    """
    wanted = numbers(gpus, option)
    settings = {"optimizer.accumulate": accumulate}
    if road.launched():
        return settings
    import torch

    here = torch.cuda.device_count() if wanted else 0
    if not here:
        if wanted:
            road.tell(f"{option} {gpus}: there is no GPU here; {_instead(len(wanted))}")
        return {**settings, "optimizer.accumulate": accumulate * max(len(wanted), 1), "device": "cpu"}
    missing = [number for number in wanted if number >= here]
    if missing:
        raise SettingsError(f"{option} {gpus}: there is no GPU {missing[0]} here; this machine has {here}, from 0 on")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(here)))).split(",")
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(visible[number] for number in wanted)
    return {**settings, "device": "cuda", "devices": len(wanted)}


def numbers(gpus: str, option: str) -> list[int]:
    """GPUs by number; none for -1, which is the CPU."""
    try:
        found = [int(part) for part in gpus.replace("-1", "").split(",") if part.strip()]
    except ValueError:
        raise SettingsError(f"{option} is {gpus!r}; it has to be numbers of GPUs with commas, such as 0,1") from None
    if len(set(found)) < len(found):
        raise SettingsError(f"{option} is {gpus!r}; a GPU is named twice")
    return found


def half(precision: str, option: str) -> str:
    """fp16 on a GPU; elsewhere the fastest precision, which is said."""
    import torch

    if torch.cuda.is_available():
        return precision
    road.tell(f"{option}: there is no GPU here for 16 bits; precision auto stands in their place")
    return "auto"


def _instead(count: int) -> str:
    if count == 1:
        return "the CPU takes its place"
    return f"one process on the CPU takes {count} batches a step in their place"
