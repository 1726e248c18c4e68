"""Training sets seeds, flags and environment variables of the whole process; a notebook gets its own back."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import numpy as np
import torch

# set by Lightning
VARIABLES = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS", "CUBLAS_WORKSPACE_CONFIG", "MASTER_ADDR", "MASTER_PORT")


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Restore random states, torch's determinism, cuDNN's benchmark and Lightning's variables after the block.

    In it, deterministic algorithms do not overwrite memory that is about to be written anyway: a tenth of a step.
    """
    variables = {name: os.environ.get(name) for name in VARIABLES}
    states = random.getstate(), np.random.get_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):  # all, which it warns of where it chooses
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
