"""Turns: one side's work in a process of its own, because threads, allocator and peak memory belong to a process.

`python -m speed.turns MODULE:FUNCTION ANSWER` is such a process: it reads the function's arguments from its input.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from dokhae.errors import DokhaeError
from dokhae.files import read_json, write_json
from speed.measure import MOST_OF_OTHERS, Others
from speed.shared import FOLDER, VARIABLES

CACHE = FOLDER / ".cache"  # turns that are done, and the reader that inference is measured with
TRIES = 3  # of a turn that others disturb
KEPT = 24 * 3600.0  # seconds for which a turn is gone on from: sides are compared on one machine in one state


class TurnFailed(DokhaeError):
    """The process of a turn ended with an error."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one process does."""

    work: str  # MODULE:FUNCTION, called with `given`; it returns what JSON can hold
    given: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)  # of the environment, instead of our own threads and heap
    timed: bool = True  # whether others can disturb it

    def digest(self, number: int) -> str:
        """A name for the number-th turn of this kind with the sources as they are."""
        content = json.dumps([asdict(self), number, sources()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:20]


def sources() -> str:
    """A hash of everything that is measured and that measures."""
    files = sorted([*(FOLDER.parent / "src").rglob("*.py"), *FOLDER.glob("*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def take(turn: Turn, number: int = 0, folder: Path = CACHE / "turns") -> dict[str, Any]:
    """What the work returned, with `others_share`, `peak_mib` and `wall`; from `folder` where it was done before.

    A turn that others disturbed is taken again, and not kept. Raises TurnFailed.
    """
    file = folder / f"{turn.digest(number)}.json"
    if file.exists() and time.time() - file.stat().st_mtime < KEPT:
        return dict(read_json(file))
    best = None
    for _ in range(TRIES):
        found = run_apart(turn)
        if best is None or found["others_share"] < best["others_share"]:
            best = found
        if best["others_share"] <= MOST_OF_OTHERS or not turn.timed:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(file, best)
            break
    assert best is not None, "TRIES is above 0"
    return best


def run_apart(turn: Turn) -> dict[str, Any]:
    """One process, without the variables of this one that tell of threads and the heap."""
    told = {name: value for name, value in os.environ.items() if name not in VARIABLES and name[:7] != "MALLOC_"}
    with tempfile.TemporaryDirectory(prefix="dokhae-speed-") as scratch:
        answer = Path(scratch) / "answer.json"
        others, begun = Others(), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "speed.turns", turn.work, str(answer)],
            input=json.dumps(turn.given),
            cwd=FOLDER.parent,
            env=told | turn.variables | {"TMPDIR": scratch},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode != 0 or not answer.exists():
            raise TurnFailed(
                f"{turn.work} ended with status {done.returncode}:\n{(done.stderr or done.stdout)[-4000:]}"
            )
        return {"others_share": others.share(), "wall": time.perf_counter() - begun} | read_json(answer)


def summary(rates: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of what several turns gave."""
    return {"median": statistics.median(rates), "least": min(rates), "most": max(rates)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times as much ours is: by the medians, and the least and greatest of a pair of turns."""
    pairs = [one / other for one, other in zip(ours, theirs, strict=True)]
    return {"median": statistics.median(ours) / statistics.median(theirs), "least": min(pairs), "most": max(pairs)}


def peak_mib() -> float:
    """The most memory that this process has had, MiB. (`ru_maxrss` would begin with that of whoever started it.)"""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return float(psutil.Process().memory_info().rss) / 2**20
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def work(name: str, given: Mapping[str, Any], answer: Path) -> None:
    """Call the function and write down what it returns."""
    module, _, function = name.partition(":")
    found = getattr(importlib.import_module(module), function)(**given)
    write_json(answer, {"peak_mib": peak_mib()} | found)


if __name__ == "__main__":
    work(sys.argv[1], json.loads(sys.stdin.read()), Path(sys.argv[2]))
