"""How much of a context is read: so many windows, or what there is time for. What was read of how much, how fast."""

from __future__ import annotations

import math
import statistics
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from dokhae.errors import SettingsError

REMEMBERED = 16  # batches, and answers, that tell how fast this session is


@dataclass(frozen=True, slots=True)
class Budget:
    """What one question may take; the windows that share most with it are read first, and one is always read."""

    max_windows: int | None = None  # None: all
    latency_ms: float | None = None  # from its text to its answer; None: as long as it takes

    def __post_init__(self) -> None:
        """Refuse what nothing can be read in."""
        if self.max_windows is not None and self.max_windows < 1:
            raise SettingsError(f"max_windows is {self.max_windows}; at least 1 is needed")
        if self.latency_ms is not None and not self.latency_ms > 0:
            raise SettingsError(f"latency_ms is {self.latency_ms:g}; it has to be more than 0")


WHOLE = Budget()


class Meter:
    """What a session has read and how fast it is. Threads may share it."""

    def __init__(self) -> None:
        self.read = self.windows = 0  # windows that were read, and that there were
        self.warm = False  # whether the untimed run is done
        self._batches: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)  # seconds, tokens
        self._endings: deque[float] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()

    def count(self, read: int, windows: int) -> None:
        """So many windows were read, of so many."""
        with self._lock:
            self.read += read
            self.windows += windows

    def scored(self, seconds: float, tokens: int) -> None:
        """A batch took so long."""
        with self._lock:
            self._batches.append((seconds, tokens))

    def ended(self, seconds: float) -> None:
        """What came after a question's last batch took so long."""
        with self._lock:
            self._endings.append(seconds)

    def tokens_in(self, seconds: float) -> float:
        """How many tokens can be read in so many seconds, and the answer be chosen; 0 where nothing is known yet."""
        with self._lock:
            took, tokens = (sum(column) for column in zip(*self._batches, strict=True)) if self._batches else (0.0, 0)
            left = seconds - (statistics.fmean(self._endings) if self._endings else 0.0)
        return max(left, 0.0) * tokens / took if took else 0.0

    def line(self) -> str:
        """What was read, for people."""
        return f"read {self.read:,} of {self.windows:,} windows"


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """Median, mean, 95th percentile (the nearest rank) and longest of the seconds of questions, of one at least."""
    ordered = sorted(seconds)
    return {
        "median": statistics.median(ordered),
        "mean": statistics.fmean(ordered),
        "percentile_95": ordered[math.ceil(0.95 * len(ordered)) - 1],
        "longest": ordered[-1],
    }
