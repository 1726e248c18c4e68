"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], seconds: float = 20.0) -> None:
    """Until a call answers that it has happened; AssertionError where it never does."""
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, f"waited {seconds:g} s for what never happened"
        time.sleep(0.01)
