"""NAME.part, the file while it comes, held by one process at a time; NAME.part.json remembers what it is a part of."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from dokhae.errors import DokhaeError
from dokhae.files import read_json, write_json
from dokhae.records import from_mapping, to_mapping

log = logging.getLogger("dokhae")

SECONDS_BETWEEN_LOOKS = 0.1  # at a file that another process holds


@dataclass(frozen=True, slots=True)
class Origin:
    """One version of a file on a server; None is what the server does not say."""

    address: str
    size: int | None = None  # bytes of the whole file
    etag: str | None = None
    modified: str | None = None


class Partial:
    """The bytes so far, at the beginning of the file; get one from `partial`."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self._file = file
        self._memory = path.with_name(f"{path.name}.json")
        self.size = file.seek(0, os.SEEK_END)

    def origin(self) -> Origin | None:
        """Where the bytes came from, None where that is not known."""
        try:
            return from_mapping(Origin, read_json(self._memory), str(self._memory))
        except DokhaeError:
            return None

    def restart(self, origin: Origin) -> None:
        """Drop the bytes; others will come from `origin`."""
        self.clear()
        write_json(self._memory, to_mapping(origin))

    def clear(self) -> None:
        """Drop the bytes."""
        self.size = self._file.seek(0)
        self._file.truncate()

    def append(self, chunk: bytes) -> None:
        """Write the next bytes, past every buffer of ours: a killed process leaves what it had."""
        rest = memoryview(chunk)
        while rest:
            written = self._file.write(rest)
            rest = rest[written:]
            self.size += written

    def become(self, target: Path) -> None:
        """Take the final name."""
        self._memory.unlink(missing_ok=True)
        self._let_go_on_windows()
        os.replace(self.path, target)

    def leave(self) -> None:
        """Close; a file without a byte is not kept."""
        if self.size == 0:
            self._memory.unlink(missing_ok=True)
            self._let_go_on_windows()
            self.path.unlink(missing_ok=True)
        self._file.close()

    def _let_go_on_windows(self) -> None:
        if sys.platform == "win32":  # where an open file is neither renamed nor removed
            self._file.close()


def part_path(target: Path) -> Path:
    """Where the partial file of `target` is."""
    return target.with_name(f"{target.name}.part")


@contextlib.contextmanager
def partial(target: Path) -> Iterator[Partial]:
    """The partial file of `target`, for this process alone; another one that has it is waited for."""
    path = part_path(target)
    held = Partial(path, _hold(path))
    try:
        yield held
    finally:
        held.leave()


def _hold(path: Path) -> FileIO:
    told = False
    while True:
        file = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+")
        if _lock(file.fileno()):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # else its last holder has renamed it
                    return file
        elif not told:
            log.info("%s: another process is fetching this file; waiting for it", path)
            told = True
        file.close()
        time.sleep(SECONDS_BETWEEN_LOOKS)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        os.lseek(descriptor, 2**31 - 2, os.SEEK_SET)  # beyond the content: a locked byte can be read by nobody else
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks, as some networks have: the hash has to do
            return True
        return True
