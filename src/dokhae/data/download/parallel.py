"""Several jobs side by side, with one progress for all of them."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from dokhae.progress import BYTES, Update, track

GRACE = 2.0  # seconds that the others have for ending after one has failed, or Ctrl-C; what they have is on the disk


class Stopped(Exception):
    """Another job has failed, or all of them were interrupted."""


class Overall:
    """How far several files are together; get one from `overall`."""

    def __init__(self, done: Mapping[str, int], update: Update, stop: threading.Event, count: int) -> None:
        self.stop = stop
        self._done = dict(done)  # bytes by file
        self._update = update
        self._finished, self._count = 0, count
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def show(self, name: str, size: int) -> Iterator[Update]:
        """The progress of one file."""
        yield lambda done, note="", news=False: self.tell(name, done)

    def tell(self, name: str, done: int, finished: int = 0) -> None:
        """So many bytes of a file are here; Stopped where there is no use in more of them."""
        self.check()
        with self._lock:
            self._done[name] = done
            self._finished += finished
            self._update(sum(self._done.values()), f"{self._finished}/{self._count} unpacked")

    def check(self) -> None:
        """Stopped where going on is of no use."""
        if self.stop.is_set():
            raise Stopped


@contextlib.contextmanager
def overall(label: str, sizes: Mapping[str, int], done: Mapping[str, int]) -> Iterator[Overall]:
    """One progress for files of some sizes, of which some bytes are here already."""
    with track(label, sum(sizes.values()), unit=BYTES) as update:
        update(sum(done.values()))
        yield Overall(done, update, threading.Event(), len(sizes))


def side_by_side(jobs: Sequence[Callable[[], None]], most: int, stop: threading.Event) -> None:
    """Run jobs in their order, `most` of them at once; after an error or Ctrl-C `stop` is set, and no other begins.

    The first error is raised. Jobs that do not look at `stop` in time are left behind, as daemons.
    """
    waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    errors: list[BaseException] = []
    threads = [
        threading.Thread(target=_work, args=(waiting, errors, stop), daemon=True) for _ in range(min(most, len(jobs)))
    ]
    for thread in threads:
        thread.start()
    try:
        while not stop.is_set() and (alive := [thread for thread in threads if thread.is_alive()]):
            alive[0].join(0.1)  # not for ever: Ctrl-C has to come through on every system
    finally:
        until = time.monotonic() + GRACE
        if any(thread.is_alive() for thread in threads):
            stop.set()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
    if errors:
        raise errors[0]


def _work(waiting: queue.SimpleQueue[Callable[[], None]], errors: list[BaseException], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            job()
        except Stopped:
            return
        except BaseException as error:  # raised again where the jobs were started
            errors.append(error)
            stop.set()
