"""One file from a server: what comes is tried again, resumed and checked until it is the published one."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae.data.download.asking import Passing, client, shown
from dokhae.data.download.checking import difference
from dokhae.data.download.partial import Partial, part_path
from dokhae.data.download.transfer import Show, Wrong, own_line, transfer
from dokhae.data.releases import RemoteFile
from dokhae.errors import DataError
from dokhae.patience import Patience

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("dokhae")


@dataclass(frozen=True, slots=True)
class Way:
    """Where files come from, what they may replace, and how long a server is waited for."""

    mirror: str | Path | None  # an address or a folder; None: the official addresses
    overwrite: bool
    patience: Patience


def fetch_whole(file: RemoteFile, part: Partial, way: Way, show: Show = own_line) -> None:
    """Until the partial file is the published one; what is wrong is thrown away and fetched once more."""
    address = f"{way.mirror}/{file.name}" if way.mirror else file.address
    with client(way.patience) as http:
        for last in (False, True):
            wrong = _fetch_once(http, address, file, part, way.patience, show)
            if wrong is None:
                return
            part.clear()
            if last:
                raise DataError(f"{shown(address)}: is not the file that was published: {wrong}; nothing was kept; "
                                "try later, or name another --source")  # fmt: skip
            log.warning("%s: is not the file that was published: %s; once more from the start", shown(address), wrong)


@contextlib.contextmanager
def clear_errors(target: Path) -> Iterator[None]:
    """For a block that fetches a file: errors say what is kept of it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{error}{_kept(target)}") from None
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}{_kept(target)}") from None
    except KeyboardInterrupt:
        log.info("%s: interrupted%s", target, _kept(target))
        raise


def _kept(target: Path) -> str:
    part = part_path(target)
    return f"; what came is kept in {part}, and the same command goes on from there" if os.path.isfile(part) else ""


def _fetch_once(
    http: httpx2.Client, address: str, file: RemoteFile, part: Partial, patience: Patience, show: Show
) -> str | None:
    """What is wrong with what came, None where nothing is."""
    try:
        _fetch_patiently(http, address, file, part, patience, show)
        return difference(part.path, file)
    except Wrong as error:
        return str(error)


def _fetch_patiently(
    http: httpx2.Client, address: str, file: RemoteFile, part: Partial, patience: Patience, show: Show
) -> None:
    """Until all bytes are here; passing trouble is waited for, longer from try to try."""
    for number in range(1, patience.tries + 1):
        if part.size and part.size == file.size:
            return
        try:
            transfer(http, address, file, part, show)
            return
        except Passing as trouble:
            wait = _wait(trouble, number, patience)
            if number == patience.tries:
                raise DataError(f"{shown(address)}: {trouble}; given up after {number} tries") from None
            if wait > patience.longest_wait:
                raise DataError(f"{shown(address)}: {trouble} and asks to wait {wait:.0f} s; try later") from None
            log.warning("%s: %s; again in %.1f s (try %d of %d)", shown(address), trouble, wait, number + 1,
                        patience.tries)  # fmt: skip
            time.sleep(wait)


def _wait(trouble: Passing, number: int, patience: Patience) -> float:
    """Seconds before the next try: what the server asks for, else doubled from try to try, spread at random."""
    if trouble.wait is not None:
        return trouble.wait
    longest = min(patience.longest_wait, patience.first_wait * 2.0 ** (number - 1))
    return longest * random.uniform(0.5, 1.0)
