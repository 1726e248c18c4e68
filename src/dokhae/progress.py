"""Progress with an estimate of the time left: a bar on a terminal, a line every few seconds elsewhere; on stderr."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

SECONDS_BETWEEN_LINES = 15.0
BYTES = " bytes"  # the unit that is shown in megabytes

Update = Callable[..., None]  # update(done, note="", news=False); news: a note that is not to be missed


@contextmanager
def track(label: str, total: int, show: bool = True, unit: str = "") -> Iterator[Update]:
    """A function update(done, note, news) for the block; it draws how much of `total` is done and the time left."""
    if not show or total < 1 or sys.stderr is None:  # as of a process without streams
        yield lambda done, note="", news=False: None
    elif sys.stderr.isatty():
        with _bar(label, total, unit) as update:
            yield update
    else:
        yield _lines(label, total, unit)


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(file=cast(TextIO, Forgiving(sys.stderr)))) as progress:
        task = progress.add_task(label, total=total, note="", amount=_amount(0, total, unit))

        def update(done: int, note: str = "", news: bool = False) -> None:
            progress.update(task, completed=done, note=note, amount=_amount(done, total, unit))

        yield update


def _lines(label: str, total: int, unit: str) -> Update:
    begun = last = time.monotonic()
    first: tuple[float, int] | None = None

    def update(done: int, note: str = "", news: bool = False) -> None:
        nonlocal last, first
        now = time.monotonic()
        since, before = first = first or (now, done)  # what came before it, in a resumed run, took no time here
        if news or now - last >= SECONDS_BETWEEN_LINES or (done >= total and last > begun):
            last = now
            clocked = clock(now - begun) if done >= total else ""
            if before < done < total:
                clocked = f"{clock((now - since) / (done - before) * (total - done))} left"
            parts = (f"{label}: {_amount(done, total, unit)}", clocked, note)
            say("  ".join(part for part in parts if part) + "\n")

    return update


class Forgiving:
    """A stream as it is, but for writing, which never fails: for rich to draw on, and whoever else takes stderr."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write at once, as `say` does."""
        say(text, self.stream)
        return len(text)

    def flush(self) -> None:
        """Write what others have left in its buffer."""
        say("", self.stream)


def say(text: str, stream: TextIO | None = None) -> None:
    """Write to stderr at once. The work goes on where nobody reads it any more, and nothing is said from then on."""
    stream = stream or sys.stderr
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        if error.errno in (errno.EIO, errno.EPIPE):  # a closed terminal; a pipe whose reader has left
            give_up(stream.fileno())


def give_up(descriptor: int) -> None:
    """Throw away what is still written to a descriptor."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _amount(done: int, total: int, unit: str) -> str:
    return f"{done / 1e6:.1f}/{total / 1e6:.1f} MB" if unit == BYTES else f"{done}/{total}{unit}"


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
