"""Two ways of doing the same, run in turns: seconds of each, their ratio, and the processor time that others took."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

MOST_OF_OTHERS = 0.10  # of all cores: above it a measurement says nothing


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row before it is measured. Both sides take nothing and give what `check` compares."""

    name: str
    size: int
    unit: str  # what `size` counts
    other: str  # what dokhae is compared with
    run_other: Callable[[], Any]
    run_dokhae: Callable[[], Any]
    check: Callable[[Any, Any], str]  # AssertionError where the outputs differ; says what was compared
    required: float | None = None  # times as fast
    aim: float | None = None
    before: Callable[[], None] = lambda: None  # before each timed run, untimed
    after: Callable[[], None] = lambda: None  # when all is done
    repeats: int = 5


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each repeat: on the clock, and of all of this process's threads."""

    wall: list[float]
    cpu: list[float]

    @property
    def median(self) -> float:
        """Middle of the seconds on the clock."""
        return statistics.median(self.wall)


@dataclass(frozen=True, slots=True)
class Measured:
    """A row that was measured."""

    comparison: Comparison
    other: Times
    dokhae: Times
    equal: str  # what was compared
    others_share: float  # of all cores, 0 to 1, by other processes while it ran

    @property
    def ratio(self) -> float:
        """How many times as fast dokhae is, by the medians."""
        return self.other.median / self.dokhae.median

    @property
    def ratios(self) -> list[float]:
        """The same of each repeat."""
        return [other / ours for other, ours in zip(self.other.wall, self.dokhae.wall, strict=True)]

    @property
    def cpu_ratio(self) -> float:
        """The same by processor time, which others disturb less."""
        return statistics.median(self.other.cpu) / max(statistics.median(self.dokhae.cpu), 1e-9)


def measure(comparison: Comparison, warm_up: bool = True) -> Measured:
    """Run both sides in turns, after one run of each that does not count, and compare what came out."""
    sides = {"other": comparison.run_other, "dokhae": comparison.run_dokhae}
    times = {name: Times([], []) for name in sides}
    outputs: dict[str, Any] = {}
    gc.collect()
    gc.freeze()  # what both sides are given would be searched for garbage again and again
    others = Others()
    for repeat in range(-1 if warm_up else 0, comparison.repeats):
        for name, run in sides.items():
            outputs.pop(name, None)
            comparison.before()
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            outputs[name] = run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if repeat >= 0:
                times[name].wall.append(wall)
                times[name].cpu.append(cpu)
    share = others.share()
    gc.unfreeze()
    equal = comparison.check(outputs["other"], outputs["dokhae"])
    comparison.after()
    return Measured(comparison, times["other"], times["dokhae"], equal, share)


class Others:
    """The processor time that other processes use from now on."""

    def __init__(self) -> None:
        self._begun = self._now()

    def share(self) -> float:
        """Of all cores since the beginning, 0 to 1."""
        wall, busy, own = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        return min(max(busy - own, 0.0) / (wall * (psutil.cpu_count() or 1)), 1.0)  # ticks are coarse

    @staticmethod
    def _now() -> tuple[float, float, float]:
        total, own = psutil.cpu_times(), psutil.Process().cpu_times()
        idle = total.idle + getattr(total, "iowait", 0.0)
        guest = getattr(total, "guest", 0.0) + getattr(total, "guest_nice", 0.0)  # counted in user and nice already
        busy = sum(total) - idle - guest
        return time.perf_counter(), busy, own.user + own.system + own.children_user + own.children_system
