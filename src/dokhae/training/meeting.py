"""How the processes of a training find one another and share a machine. torch.distributed does the work."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import DistError, PrefixStore, Store, TCPStore  # type: ignore[attr-defined]

from dokhae.errors import SettingsError, TrainingError
from dokhae.training.cluster import Asked, Environment, check_devices, check_size, cores, found, warn_of_few_cores
from dokhae.training.processes import Failure, Processes

log = logging.getLogger("dokhae")
JOIN = "DOKHAE_JOIN_SECONDS"
DEFAULT_JOIN_SECONDS = 600.0
# the longest that a process waits for others that are alive: one of them may be preparing the data of all
WAIT = timedelta(hours=24)
PAUSE = 0.05  # seconds between two looks whether others are there
TO_ANSWER = 1.0  # seconds that a server which is there has at the least to answer


class LostProcess(TrainingError):
    """Another process of the training is gone. What starts the processes may start all of them again."""

    exit_code = 1


class NotMet(SettingsError):
    """The processes of a training have not found one another in time."""


def join_seconds() -> float:
    """How long processes wait for one another at the start: $DOKHAE_JOIN_SECONDS."""
    text = os.environ.get(JOIN, "")
    try:
        seconds = float(text or DEFAULT_JOIN_SECONDS)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SettingsError(f"{JOIN} is {text!r}; it has to be a number of seconds")
    return seconds


@contextlib.contextmanager
def joined(config: Asked, device: str, failure: Failure | None = None) -> Iterator[Processes]:
    """The processes that the launcher has started, once all are there; for a process of its own, that one.

    failure: an error of an earlier attempt, which the processes of other machines do not know of; all raise it.

    torch's default group is theirs in the block, so Lightning makes none. Raises SettingsError where they are not as
    many as the settings or the machine allow, or do not come; LostProcess, with what to do, where one is gone.
    """
    environment = found()
    if environment is None:
        yield Processes()
        return
    check_size(config, environment)
    if environment.world_size() == 1:
        yield Processes()
        return
    with _group(environment, device) as processes, _sharing_cores(processes, device), _speaking(processes):
        with processes.together():
            if failure is not None:
                raise failure.error()
            check_devices(processes.local_size, device)
        warn_of_few_cores(processes.local_size, device)
        with explained_loss(config):
            yield processes


@contextlib.contextmanager
def explained_loss(config: Asked) -> Iterator[None]:
    """LostProcess where the connection to another process has ended."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, DistError) and "gloo" not in str(error):
            raise
        raise LostProcess(f"another process is gone, and so is the connection to it; {config.go_on}") from None


@contextlib.contextmanager
def _group(environment: Environment, device: str) -> Iterator[Processes]:
    rank, size = environment.global_rank(), environment.world_size()
    local_rank, own = environment.local_rank(), None
    store = PrefixStore(*_meet(environment, rank, size))
    if device == "cuda":
        if local_rank >= torch.cuda.device_count():
            check_devices(local_rank + 1, device)
        torch.cuda.set_device(local_rank)
        own = torch.device("cuda", local_rank)
    backend = "gloo" if own is None else "nccl"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, device_id=own)
    try:
        group = dist.new_group(backend="gloo", timeout=WAIT)
        everybody: list[Any] = [None] * size
        dist.all_gather_object(everybody, (environment.node_rank(), socket.gethostname()), group=group)
        counts = Counter(node for node, _ in everybody)
        if len(set(counts.values())) > 1:
            raise SettingsError(f"the launcher has started {sorted(counts.values())} processes on the machines; start "
                                "as many on each")  # fmt: skip
        local_size, hosts = counts[environment.node_rank()], tuple(host for _, host in everybody)
        yield Processes(rank, size, local_rank, local_size, hosts, environment, group)
    finally:
        dist.destroy_process_group()


def _meet(environment: Environment, rank: int, size: int) -> tuple[str, Store]:
    """A name that only these processes of this attempt know, and the store that they share.

    Where an agent keeps the store, it holds what an earlier attempt has written there, addresses of processes that are
    gone among them. So the first process names the attempt, each answers with a word of its own, and the list of
    these words says to each whether it is meant. Raises SettingsError where not all come.
    """
    seconds = join_seconds()
    deadline, word = time.monotonic() + seconds, uuid.uuid4().hex
    host, port = environment.main_address, environment.main_port
    address = f"{host}:{port}"
    attempt, joined_by = None, 1
    keeps = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    try:
        store = store_at(host, port, keeps, seconds)
        if rank == 0:
            store.set("dokhae/attempt", word)
        while time.monotonic() < deadline:
            attempt = word if rank == 0 else _read(store, "dokhae/attempt")
            if attempt is not None:
                store.set(f"dokhae/{attempt}/{rank}", word)
                words = [_read(store, f"dokhae/{attempt}/{each}") for each in range(size)]
                joined_by = sum(each is not None for each in words)
                if rank == 0 and joined_by == size:
                    store.set(f"dokhae/{attempt}/all", json.dumps(words))
                meant = json.loads(_read(store, f"dokhae/{attempt}/all") or "[]")
                if word in meant:
                    return f"dokhae/{attempt}", store
            time.sleep(PAUSE)
    except DistError as error:
        reason = " ".join(str(error).split())[:120]
        raise NotMet(f"process {rank} of {size} cannot reach {address} ({reason}); {_advice(seconds)}") from None
    raise NotMet(f"{joined_by} of {size} processes have joined at {address} within {seconds:g} s; "
                 f"{_advice(seconds)}")  # fmt: skip


def store_at(host: str, port: int, keeps: bool, seconds: float) -> Store:
    """The store at an address, by which processes find one another. keeps: this process keeps it.

    torch connects in another thread, for it hears no signal meanwhile, and waits without end for the answer of a server
    that is none of its own. DistError where there is no store in time.
    """
    deadline = time.monotonic() + seconds
    if not keeps:
        _await_server(host, port, seconds)
    made: Future[Store] = Future()

    def connect() -> None:
        try:
            made.set_result(
                TCPStore(
                    host,
                    port,
                    is_master=keeps,
                    wait_for_workers=False,
                    multi_tenant=True,  # torch's agents keep their own things in it too
                    timeout=timedelta(seconds=seconds),
                )
            )
        except Exception as error:  # the caller's thread raises it
            made.set_exception(error)

    threading.Thread(target=connect, name="store", daemon=True).start()
    try:
        return made.result(max(deadline - time.monotonic(), TO_ANSWER))
    except TimeoutError:
        raise DistError(f"what listens there gives no answer, for {seconds:g} s") from None


def _await_server(host: str, port: int, seconds: float) -> None:
    """Wait until somebody listens there. DistError, as torch's own connecting has it, where nobody does in time."""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        try:
            with socket.create_connection((host, port), timeout=max(left, PAUSE)):
                return
        except OSError as error:  # also of a name that is not known yet
            if left < PAUSE:
                raise DistError(f"{error.strerror or error}, for {seconds:g} s") from None
            time.sleep(PAUSE)


def _read(store: Store, key: str) -> str | None:
    return store.get(key).decode() if store.check([key]) else None


def _advice(seconds: float) -> str:
    return (
        f"is dokhae running on every node, with the same settings, and may it connect to that address? {JOIN} is how "
        f"long to wait ({seconds:g} now)"
    )


@contextlib.contextmanager
def _sharing_cores(processes: Processes, device: str) -> Iterator[None]:
    """Divide the cores of a machine among its processes, unless OMP_NUM_THREADS does (torchrun sets it to 1)."""
    before = torch.get_num_threads()
    if device == "cpu" and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(cores() // processes.local_size, 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _speaking(processes: Processes) -> Iterator[None]:
    """Hold back the messages of all processes but the first, which has the same."""
    level = log.level
    if not processes.first:
        log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
