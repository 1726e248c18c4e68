"""What asks a process to stop: Ctrl-C, SIGTERM, and SIGHUP, which comes when its terminal is closed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

Handler = Callable[[int, FrameType | None], None] | signal.Handlers

HANGING_UP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # Windows has none
TERMINATING = (signal.SIGTERM, *HANGING_UP)
ASKING = (signal.SIGINT, *TERMINATING)
OF_TERMINALS = (signal.SIGINT, *HANGING_UP)  # which tell all processes that were started from them


@contextlib.contextmanager
def hearing(handler: Handler, numbers: Sequence[signal.Signals] = ASKING) -> Iterator[Callable[[], None]]:
    """Call `handler` for these signals in the block; what is yielded puts it in again where another took its place.

    Signals that are ignored stay so: a closed terminal under nohup, Ctrl-C in a shell's background. Only the main
    thread may hear, so in another one nothing is heard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in numbers}
    heard = {number: one for number, one in before.items() if one not in (signal.SIG_IGN, None)}

    def hear() -> None:
        for number in heard:
            signal.signal(number, handler)

    try:
        hear()
        yield hear
    finally:
        while heard:
            signal.signal(*heard.popitem())


class Request:
    """What was asked of this process: to stop, and once more, which means at once.

    SIGHUP never counts as once more, in either order: shell and kernel both send it, and a session that ends sends it
    right behind SIGTERM.
    """

    def __init__(self) -> None:
        self.asked = self.at_once = False
        self._times = 0

    def hear(self, number: int) -> bool:
        """Take note of a signal; whether it is the first."""
        first, self.asked = not self.asked, True
        self._times += number not in HANGING_UP
        self.at_once = self._times > 1
        return first


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM, and a terminal that is closed, do what Ctrl-C does, so that what is temporary goes either way."""
    with hearing(interrupt, TERMINATING):
        yield


def interrupt(number: int, frame: FrameType | None) -> None:
    """Do as Ctrl-C does. A closed terminal does so once: shell and kernel both tell of it, and cleaning takes time."""
    if number in HANGING_UP:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def answer(text: str) -> None:
    """Say on stderr that a signal was heard: not by sys.stderr, which may be in the middle of a write just then."""
    with contextlib.suppress(OSError):  # a closed terminal; a reader that the same Ctrl-C has ended
        os.write(2, f"\n{text}\n".encode())
