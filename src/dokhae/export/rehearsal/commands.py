"""Commands of others: run in a group of their own, watched, measured, and ended with all that they have started."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dokhae.errors import DokhaeError
from dokhae.export.rehearsal import measured
from dokhae.progress import say

LAST = 20  # lines that are kept of what a command has said


class RehearsalFailed(DokhaeError):
    """A bundle does not do what a leaderboard asks of it."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took."""

    seconds: float
    peak_bytes: int | None  # resident memory of its largest process; None: not known here


@dataclass(frozen=True, slots=True)
class Setting:
    """Where commands run, and for how long they may."""

    folder: Path
    variables: Mapping[str, str]  # the whole environment
    timeout: float  # seconds


def run(command: Sequence[str | Path], setting: Setting, what: str) -> Usage:
    """Run a command to its end, its lines passed on to stderr. RehearsalFailed where it fails or takes too long."""
    report = setting.folder / ".measured.json"
    starting = (sys.executable, "-I", "-S", measured.__file__, report)
    process = subprocess.Popen(
        [str(part) for part in (*starting, *command)],
        cwd=setting.folder,
        env=dict(setting.variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # so that all of it can be ended
    )
    last: deque[str] = deque(maxlen=LAST)
    assert process.stdout is not None
    listener = threading.Thread(target=_pass_on, args=(process.stdout, last), daemon=True)
    listener.start()
    try:
        process.wait(setting.timeout)
    except subprocess.TimeoutExpired:
        raise RehearsalFailed(
            f"{what}: has not ended within {setting.timeout:g} s; --timeout gives it longer"
        ) from None
    finally:
        _end(process)
        listener.join(timeout=10)  # a process that has left the group may hold the pipe
    return _usage(report, last, what)


def _pass_on(lines: IO[str], last: deque[str]) -> None:
    with lines:
        for line in lines:
            last.append(line.rstrip())
            say(f"  {line}")


def _end(process: subprocess.Popen[str]) -> None:
    """End what is left of a command: what it has started may outlive it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
    process.wait()


def _usage(report: Path, last: Sequence[str], what: str) -> Usage:
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise RehearsalFailed(f"{what}: could not be started: {_end_of(last)}") from None
    report.unlink()
    if found["code"] < 0:
        raise RehearsalFailed(f"{what}: was killed by signal {-found['code']}: {_end_of(last)}")
    if found["code"] > 0:
        raise RehearsalFailed(f"{what}: ended with exit code {found['code']}: {_end_of(last)}")
    return Usage(found["seconds"], found["peak"])


def _end_of(last: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(last) if line.strip()), "it said nothing")
