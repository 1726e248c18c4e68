"""Processes with the variables that torchrun gives them, ready at once: children of a server that has all imported."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import socket
import traceback
import uuid
from typing import Any, NamedTuple

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["dokhae.training.fit"])
PATIENCE = 60  # seconds for a handful of steps


class Ended(NamedTuple):
    """How a process ended."""

    result: Any = None  # what its function returned
    error: BaseException | None = None  # or raised
    exit_code: int | None = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def run(size, target, *arguments, job="", missing=(), variables=None) -> list[Ended]:
    """`target(rank, *arguments)` in so many processes of one job; those that are missing are not started."""
    port, job = free_port(), job or uuid.uuid4().hex
    started = []
    for rank in set(range(size)) - set(missing):
        ours, theirs = PROCESSES.Pipe(duplex=False)
        settings = environment(rank, size, port, job) | (variables or {})
        process = PROCESSES.Process(target=child, args=(theirs, settings, target, rank, arguments))
        process.start()
        theirs.close()
        started.append((process, ours))
    return [end_of(process, ours) for process, ours in started]


def environment(rank, size, port, job) -> dict[str, str]:
    return {
        "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(size),
        "GROUP_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": job,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def child(connection, variables, target, rank, arguments) -> None:
    os.environ.update(variables)
    faulthandler.dump_traceback_later(PATIENCE - 5)  # says where it hangs
    try:
        connection.send(Ended(result=target(rank, *arguments)))
    except BaseException as error:
        traceback.print_exc()
        connection.send(Ended(error=error))


def end_of(process, connection) -> Ended:
    try:
        ended = connection.recv() if connection.poll(PATIENCE) else Ended(error=TimeoutError("it hangs"))
    except EOFError:  # killed
        ended = Ended()
    process.join(PATIENCE / 10)
    if process.is_alive():
        process.kill()
        process.join()
    return ended._replace(exit_code=process.exitcode)


def results(ended: list[Ended]) -> list[Any]:
    """What all have returned; the first error where one has failed."""
    for each in ended:
        if each.error is not None:
            raise each.error
    return [each.result for each in ended]
