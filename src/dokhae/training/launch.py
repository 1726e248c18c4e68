"""`dokhae train --devices 2` in a process of its own: torch's elastic launcher starts the processes, and starts them
again from the last checkpoint where one of them is killed.
"""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from dokhae.errors import DokhaeError, SettingsError, TrainingError
from dokhae.model.devices import choose_device
from dokhae.stopping import HANGING_UP, OF_TERMINALS, Request, answer, hearing
from dokhae.training.checkpoints import Interrupted
from dokhae.training.cluster import Asked, asked, check_devices
from dokhae.training.meeting import JOIN, LostProcess, join_seconds
from dokhae.training.nodes import Nodes
from dokhae.training.processes import Failure
from dokhae.training.worker import ASKED, LONGEST_STEP, Order, verdict_in, work

RESTARTS = 3  # of all processes, after one was killed or stopped with an error that is no DokhaeError
# torch 2.13's agents keep one store for all attempts, also when the machine that had it is gone; this makes it new
OWN_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
FOLDER = "DOKHAE_LAUNCH_FOLDER"  # for processes that do not get as far as their order
UNGUARDED = "unguarded"  # the file that is there once one of them was about to start processes of its own
SCRIPT = (
    "each of the processes imports the script that has started them; put what it does below "
    '`if __name__ == "__main__":`'
)
SECONDS_TO_START = 5  # the agent, new processes
SECONDS_TO_END = 5  # processes that were told to stop at once


def launch(config: Asked, task: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the task returns
    """What a task returns, from as many processes as the config asks for.

    task: a function of a module, or a partial of one: it is pickled.

    Raises their DokhaeError, which is not tried again; TrainingError where they are killed again and again; Interrupted
    after Ctrl-C, when the last step is saved; SettingsError where devices or nodes are missing.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # one of ours, which imports the script first
        folder = os.environ.get(FOLDER)
        if folder is None:  # somebody else's
            sys.exit(f"dokhae: {SCRIPT}")
        (Path(folder) / UNGUARDED).touch()
        sys.exit(SettingsError.exit_code)
    check_devices(config.devices or 1, choose_device(config.device))
    messages = logging.getLogger("dokhae")
    level = messages.level if messages.handlers else None
    with tempfile.TemporaryDirectory(prefix="dokhae-") as name:
        order = Order(config, task, Path(name), level)
        results = Launched(order).results()
        result = verdict_in(order.folder) or results[min(results)]
    if isinstance(result, Failure):
        raise result.error()
    return result


class Launched:
    """torch's agent in a thread, so that the signals stay ours: it would kill all processes 30 seconds after one."""

    def __init__(self, order: Order) -> None:
        self.order, self.request = order, Request()
        self._results: dict[int, Any] = {}
        self._error: BaseException | None = None
        self._signalled: set[int] = set()
        self._ends_at = math.inf  # on time.monotonic, when processes that do not stop at once are killed
        self._strangers = multiprocessing.active_children()  # of who calls us from Python
        self._alone_since = time.monotonic()
        self._began = False  # whether all nodes have been there, and processes were started
        self._nodes = Nodes(order.config.nodes) if order.config.nodes > 1 else None

    def results(self) -> dict[int, Any]:
        """What each process of this machine has returned, by rank; errors as of launch()."""
        with hearing(signal.SIG_IGN, HANGING_UP):  # a closed terminal would end it, and its next one complains of that
            resource_tracker.ensure_running()
        unguarded = self.order.folder / UNGUARDED
        variables = {OWN_STORE: "1", FOLDER: str(self.order.folder)}
        with _environment(variables), _silent_agent(), hearing(self._ask):
            thread = threading.Thread(target=self._run, name="agent", daemon=True)  # it may wait for other nodes
            thread.start()
            while thread.is_alive() and not (self.request.asked and self._nobody()):
                thread.join(0.2)
                self._began = self._began or bool(self._children())
                if self.request.asked or unguarded.exists():
                    self._pass_on()  # also to those that were being started meanwhile
        if unguarded.exists():
            raise SettingsError(SCRIPT)
        if self.request.asked and self._error is None and not self._results:
            raise self._explained(KeyboardInterrupt())
        if self._error is not None and not verdict_in(self.order.folder):
            raise self._explained(self._error)
        return self._results

    def _run(self) -> None:
        if hasattr(signal, "pthread_sigmask"):  # of this thread, and of the processes that it starts: they would tell
            signal.pthread_sigmask(signal.SIG_BLOCK, OF_TERMINALS)  # of Ctrl-C while they import what ignores it
        try:
            self._results = elastic_launch(self._settings(), work)(self.order)
        except BaseException as error:  # noqa: B036 - the caller's thread raises it
            self._error = error

    def _settings(self) -> LaunchConfig:
        config, nodes = self.order.config, self._nodes
        address = nodes.own_address() if nodes else "localhost"
        seconds = join_seconds()
        return LaunchConfig(
            min_nodes=config.nodes,
            max_nodes=config.nodes,
            nproc_per_node=config.devices or 1,
            run_id=nodes.join() if nodes else uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint=nodes.endpoint if nodes else "localhost:0",
            rdzv_configs={
                "is_host": nodes is None or nodes.is_host,
                "join_timeout": int(seconds) or 1,
                "read_timeout": int(seconds) or 1,
            },
            local_addr=address,
            max_restarts=RESTARTS,
            logs_specs=DefaultLogsSpecs(log_dir=str(self.order.folder)),
        )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.request.hear(number):
            self._ends_at = time.monotonic() + LONGEST_STEP
            answer("stopping (once more stops at once)")
        if self.request.at_once:
            self._signalled.clear()
            self._ends_at = time.monotonic() + SECONDS_TO_END

    def _pass_on(self) -> None:
        (self.order.folder / ASKED).touch()  # before a process is stopped, so that it knows why
        for pid in {child.pid for child in self._children() if child.pid is not None} - self._signalled:
            self._signalled.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        if time.monotonic() > self._ends_at:  # one that waits for another in C++ hears nothing
            for child in self._children():
                child.kill()

    def _children(self) -> list[BaseProcess]:
        return [child for child in multiprocessing.active_children() if child not in self._strangers]

    def _nobody(self) -> bool:
        """Whether there has been no process for a while: the agent waits for other nodes."""
        if self._children():
            self._alone_since = time.monotonic()
        return time.monotonic() - self._alone_since > SECONDS_TO_START

    def _explained(self, error: BaseException) -> BaseException:
        config, go_on = self.order.config, self.order.config.go_on
        if self.request.asked:
            return Interrupted(f"stopped; {go_on}")
        if isinstance(error, RendezvousError | DistError):
            return self._apart()
        if isinstance(error, ChildFailedError):
            rank, failure = error.get_first_failure()
            code = failure.exitcode
            how = failure.signal_name() if code < 0 else f"exit code {code} (what it said is above)"
            return TrainingError(f"process {rank} of {asked(config)} has failed {RESTARTS + 1} times, the last time "
                                 f"with {how}; {go_on}")  # fmt: skip
        if isinstance(error, EOFError):  # torch's, of a word that had no room
            return TrainingError("a process has failed, and what it had to say had no room in "
                                 f"{tempfile.gettempdir()}; make some there, then {go_on}")  # fmt: skip
        return error

    def _apart(self) -> DokhaeError:
        """Why the nodes are not together."""
        config, seconds = self.order.config, f"{join_seconds():g} s"
        joined = self._nodes.joined(config.nodes) if self._nodes else 1
        if self._began:
            return LostProcess(f"another node has ended, and has not come back within {seconds}; its own last line "
                               f"tells why; {config.go_on}")  # fmt: skip
        if joined == config.nodes:
            return SettingsError(f"all {joined} nodes were there, but did not come together within {seconds}: one has "
                                 "ended meanwhile, or was started with another command; start the same one on "
                                 "each")  # fmt: skip
        return SettingsError(f"{joined} of {config.nodes} nodes have joined within {seconds}; start the same "
                             "command on the others, each with a NODE_RANK of its own, or wait longer with "
                             f"{JOIN}")  # fmt: skip


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _silent_agent() -> Iterator[None]:
    """Hold back what torch's agent says of processes that end, with a traceback of its own for each."""
    agents = ("torch.distributed.elastic", "torch.multiprocessing")
    names = [name for name in logging.root.manager.loggerDict if name.startswith(agents)]
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
