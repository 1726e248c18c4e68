"""One of the processes that `launch` starts, and the word that it leaves where it ends before the others."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dokhae.errors import DokhaeError
from dokhae.files import atomic_path
from dokhae.model.devices import choose_device
from dokhae.stopping import OF_TERMINALS, interrupt
from dokhae.training.checkpoints import Interrupted
from dokhae.training.cluster import Asked
from dokhae.training.meeting import LostProcess, NotMet, joined
from dokhae.training.processes import Failure, everywhere

VERDICT = "verdict"  # the file with an error that only one process knows
LONGEST_STEP = 600.0  # seconds that a process is given to end its step, and to save it, without who has launched it
ASKED = "asked"  # the file that is there once who has launched the processes was asked to stop them


@dataclass(frozen=True, slots=True)
class Order:
    """What each process is to do."""

    config: Asked
    task: Callable[[], Any]  # what each of the processes does
    folder: Path  # for the processes of this machine to leave word in
    level: int | None  # of the messages on stderr; None: only warnings, as Python does by itself


def work(order: Order) -> Any:  # noqa: ANN401 - what the task returns, a Failure, None after another's word
    """One of the processes: what its task returns, or the error that all of them have.

    An error that only this one has ends the process, and with it the others; it leaves word why. That it was stopped is
    no such error unless all of them were asked to stop: the agent stops those that are left where one was killed.
    """
    failure = verdict_in(order.folder)  # the agent cannot tell a mistake in the settings from a crash
    if failure is not None and order.config.nodes == 1:
        return None
    for number in OF_TERMINALS:  # who has launched us hears them too, and passes them on as SIGTERM
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, interrupt)
    launcher, ended = multiprocessing.parent_process(), threading.Event()
    assert launcher is not None, "a process of its own"
    threading.Thread(target=_stop_without, args=(launcher, ended, order.folder), name="launcher", daemon=True).start()
    _speak_as(order.level)
    try:
        return order.task() if failure is None else _tell(order.config, failure)
    except LostProcess as error:
        sys.exit(error.exit_code)
    except (DokhaeError, KeyboardInterrupt) as error:
        asked = (order.folder / ASKED).exists()
        own: DokhaeError = Interrupted(f"stopped; {order.config.go_on}")
        if isinstance(error, DokhaeError) and not (asked and isinstance(error, NotMet)):
            own = error
        if everywhere(own):
            return Failure.of(own)
        if not isinstance(own, Interrupted) or asked:
            _leave_word(order.folder, own)
        sys.exit(own.exit_code)
    except Exception:
        traceback.print_exc()  # the agent would only keep it in a file
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the agent's, to those that are left
        if not launcher.is_alive():  # else it does it
            shutil.rmtree(order.folder, ignore_errors=True)
        ended.set()


def _tell(config: Asked, failure: Failure) -> None:
    """Raise an error in all processes, where those of other machines know only that this one has ended."""
    with joined(config, choose_device(config.device), failure):
        pass


def verdict_in(folder: Path) -> Failure | None:
    """The word that a process has left."""
    path = folder / VERDICT
    found: Failure | None = pickle.loads(path.read_bytes()) if path.exists() else None  # our own process wrote it
    return found


def _leave_word(folder: Path, error: DokhaeError) -> None:
    try:
        with atomic_path(folder / VERDICT) as path:
            path.write_bytes(pickle.dumps(Failure.of(error)))
    except DokhaeError:  # without room for it, it is said here, once by each attempt
        os.write(2, f"dokhae: {error}\n".encode())


def _stop_without(launcher: BaseProcess, ended: threading.Event, folder: Path) -> None:
    """Ask this process to stop when who has launched it is gone: a launcher that is killed passes nothing on.

    ended: set when the task has; then torch waits for the launcher to have read what it returned, forever. A process
    that waits for another one in C++ hears no signal, and is ended after a while.
    """
    launcher.join()
    os.kill(os.getpid(), signal.SIGTERM)
    if not ended.wait(LONGEST_STEP):
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(Interrupted.exit_code)
    os.kill(os.getpid(), signal.SIGTERM)


def _speak_as(level: int | None) -> None:
    """Dokhae's messages on stderr as plain lines, as the launching process has them."""
    messages = logging.getLogger("dokhae")
    if level is not None:
        messages.handlers, messages.propagate = [logging.StreamHandler()], False
        messages.setLevel(level)
