"""Several machines that run the same `dokhae train --nodes N`, and how they find one another."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid

from torch.distributed import DistError, Store  # type: ignore[attr-defined]

from dokhae.errors import SettingsError
from dokhae.training.meeting import join_seconds, store_at

VARIABLES = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")  # as torch names them


class Nodes:
    """Several machines on each of which this command runs; the first one keeps the store by which they find it."""

    def __init__(self, count: int) -> None:
        missing = [name for name in VARIABLES if not os.environ.get(name)]
        if missing:
            raise SettingsError(f"nodes above 1 need {', '.join(missing)} in the environment (the first node's address "
                                "and a free port there, this node's number from 0), or torchrun or srun to start the "
                                "processes: docs/cluster.md")  # fmt: skip
        self.host, port, number = (os.environ[name] for name in VARIABLES)
        if not (port.isdecimal() and number.isdecimal()):
            raise SettingsError(f"MASTER_PORT is {port!r} and NODE_RANK {number!r}; they have to be numbers")
        self.port, self.number = int(port), int(number)
        if not 0 < self.port < 2**16:
            raise SettingsError(f"MASTER_PORT is {port}; ports go from 1 to {2**16 - 1}")
        if self.number >= count:
            raise SettingsError(f"NODE_RANK is {number}, and of {count} nodes the last one has {count - 1}; number "
                                "them from 0")  # fmt: skip
        self.endpoint = f"{self.host}:{self.port}"
        self._store: Store | None = None

    @property
    def is_host(self) -> bool:
        """Whether this is the first one."""
        return self.number == 0

    def join(self) -> str:
        """A name of this training that no other has; waits for the first node.

        SettingsError where this is the first one, and cannot open its port; DistError where that one does not come.
        """
        try:
            self._store = store_at(self.host, self.port, self.is_host, join_seconds())
        except DistError as error:
            if not self.is_host:
                raise
            raise SettingsError(
                f"MASTER_PORT {self.port} cannot be opened at {self.host} ({' '.join(str(error).split())[:120]}); "
                "this is the first node: is that its own address, and the port free?"
            ) from None
        self._store.set(f"dokhae/nodes/{self.number}", socket.gethostname())
        if self.is_host:
            self._store.set("dokhae/run", uuid.uuid4().hex)
        return self._store.get("dokhae/run").decode()

    def joined(self, of: int) -> int:
        """How many there are, as far as this one knows."""
        with contextlib.suppress(DistError):
            if self._store is not None:
                return sum(self._store.check([f"dokhae/nodes/{number}"]) for number in range(of))
        return 1

    def own_address(self) -> str:
        """The address by which this machine reaches the first one, and is reached from there."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing
            try:
                probe.connect((self.host, self.port))
            except OSError as error:
                raise SettingsError(f"MASTER_ADDR {self.host}: cannot be reached: {error}") from None
            return str(probe.getsockname()[0])
