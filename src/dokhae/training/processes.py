"""The processes of one training: what they tell one another, and how they fail together."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed as dist

from dokhae.errors import DokhaeError
from dokhae.training.cluster import Environment

EVERYWHERE = "raised in all processes of the training"  # a note on such errors: nobody is left waiting
Made = TypeVar("Made")


class Failure(NamedTuple):
    """A DokhaeError on its way to another process."""

    kind: type[DokhaeError]
    message: str

    @classmethod
    def of(cls, error: DokhaeError) -> Failure:
        """The error, ready to be sent."""
        return cls(type(error), str(error))

    def error(self) -> DokhaeError:
        """The error as it was; its class may have another __init__."""
        return self.kind.__new__(self.kind, self.message)


@dataclass(frozen=True)
class Processes:
    """The world of dokhae.sharing, and what its processes do together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among the processes of this machine
    local_size: int = 1
    hosts: tuple[str, ...] = field(default_factory=lambda: (socket.gethostname(),))  # of each process
    environment: Environment | None = None
    group: Any = None  # gloo's, for flags and Python objects: a GPU's own would wait for the GPU

    @property
    def first(self) -> bool:
        """Whether the run folder, the loggers and the progress are this process's."""
        return self.rank == 0

    @property
    def nodes(self) -> int:
        """Machines."""
        return self.size // self.local_size

    def in_words(self) -> str:
        """What there is to say of more than one."""
        if self.size == 1:
            return ""
        return f", {self.size} processes" + (f" on {self.nodes} machines" if self.nodes > 1 else "")

    def gather(self, part: Any) -> list[Any]:  # noqa: ANN401 - whatever each of them has
        """The parts of all processes in the order of their ranks; the same in each of them."""
        if self.group is None:
            return [part]
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, part, group=self.group)  # unpickles what the job's own processes have pickled
        return parts

    def broadcast(self, value: Any) -> Any:  # noqa: ANN401
        """What the first process has."""
        if self.group is None:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0, group=self.group)
        return held[0]

    def any(self, *flags: bool) -> list[bool]:
        """Each flag, set where it is in any of the processes."""
        if self.group is None:
            return list(flags)
        held = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(held, dist.ReduceOp.MAX, group=self.group)
        return [bool(flag) for flag in held]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """A block that all processes run: where it ends with a DokhaeError in one of them, it does in all."""
        if self.group is None:
            yield
            return
        failed: DokhaeError | None = None
        try:
            yield
        except DokhaeError as error:
            failed = error
        if self.any(failed is not None)[0]:
            raise self._agreed(failed)

    def local_first(self, make: Callable[[], Made]) -> Made:
        """What `make` makes, by one process of each machine before the others, who find its files."""
        made: list[Made] = []
        for turn in range(min(self.local_size, 2)):
            with self.together():
                if min(self.local_rank, 1) == turn:
                    made.append(make())
        return made[0]

    def share_weights(self, model: torch.nn.Module) -> None:
        """Give all processes the first one's weights. They have to be on the CPU."""
        for weight in model.state_dict().values() if self.group is not None else ():
            dist.broadcast(weight, src=0, group=self.group)

    def _agreed(self, own: DokhaeError | None) -> DokhaeError:
        """The error of all: one's own, or the first that another has, with the machine where only that one has it."""
        found = self.gather(None if own is None else Failure.of(own))
        rank, failure = next((rank, each) for rank, each in enumerate(found) if each is not None)
        error = own
        if own is None or (self.nodes > 1 and len(set(found)) > 1):
            where = f"{self.hosts[rank]}: " if self.nodes > 1 and len(set(found)) > 1 else ""
            error = failure._replace(message=where + failure.message).error()
        assert error is not None
        error.add_note(EVERYWHERE)
        return error


def everywhere(error: BaseException) -> bool:
    """Whether all processes have been told of an error."""
    return EVERYWHERE in getattr(error, "__notes__", ())
