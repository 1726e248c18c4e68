"""Files into a folder: what is there is kept, what comes is tried again, checked, and only then given its name."""

from __future__ import annotations

import logging
import os
import random
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dokhae.data.download.asking import Passing, client, is_address, shown
from dokhae.data.download.checking import difference
from dokhae.data.download.partial import Partial, part_path, partial
from dokhae.data.download.transfer import Wrong, transfer
from dokhae.data.releases import Release, RemoteFile
from dokhae.errors import DataError, SettingsError
from dokhae.files import atomic_path, make_folder, refuse_folder
from dokhae.patience import Patience

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger("dokhae")

PATIENCE = Patience()


def download(
    releases: Sequence[Release],
    folder: Path,
    source: str | None = None,
    overwrite: bool = False,
    patience: Patience = PATIENCE,
) -> list[Path]:
    """The paths of the files of some data sets, in `folder`, fetched where they are not there yet.

    `source` is a mirror (an http or https address that the file names are appended to) or a folder; by default each
    file's official address. `overwrite` replaces files that are there but are not what was published. DataError or
    SettingsError where a file cannot be had; the part of it that came is kept, and the next call goes on from there.
    """
    wanted = list(dict.fromkeys(releases))
    for release in wanted:
        if not release.files:
            raise SettingsError(f"{release.title} cannot be downloaded by dokhae yet; get it from {release.page}")
    mirror = _mirror(source)
    paths = []
    for release in wanted:
        log.info("%s: %s (%s): %s", release.title, release.licence.name, release.page, release.licence.meaning)
        for file in release.files:
            paths.append(Path(folder) / file.name)
            _bring(file, paths[-1], mirror, overwrite, patience)
    return paths


def _mirror(source: str | None) -> str | Path | None:
    """An address without the slash at its end, or a folder."""
    if source is None or is_address(source):
        return source and source.rstrip("/")
    if not Path(source).is_dir():
        raise SettingsError(f"source {source!r} is neither an http(s) address nor a folder")
    return Path(source)


def _bring(file: RemoteFile, target: Path, mirror: str | Path | None, overwrite: bool, patience: Patience) -> None:
    refuse_folder(target)
    if _intact(file, target, overwrite):
        log.info("%s: already there, intact", target)
        return
    make_folder(target.parent)
    if isinstance(mirror, Path):
        _copy(file, mirror / file.name, target)
    else:
        _fetch(file, f"{mirror}/{file.name}" if mirror else file.address, target, patience)
    log.info("%s: %.1f MB, as published", target, target.stat().st_size / 1e6)


def _intact(file: RemoteFile, target: Path, overwrite: bool) -> bool:
    """Whether the file is there; DataError where another one has its name and is not to be replaced."""
    if not os.path.exists(target):
        return False
    differs = difference(target, file)
    if differs and not overwrite:
        raise DataError(f"{target}: is not the file that was published: {differs}; --overwrite fetches it again, "
                        "another --out leaves it alone")  # fmt: skip
    return differs is None


def _copy(file: RemoteFile, source: Path, target: Path) -> None:
    differs = difference(source, file)
    if differs:
        raise DataError(f"{source}: is not the file that was published: {differs}; nothing was copied")
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def _fetch(file: RemoteFile, address: str, target: Path, patience: Patience) -> None:
    try:
        with partial(target) as part, client(patience) as http:
            if not _intact(file, target, overwrite=True):  # else the process that was waited for has brought it
                _fetch_whole(http, address, file, part, patience)
                part.become(target)
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


def _fetch_whole(http: httpx2.Client, address: str, file: RemoteFile, part: Partial, patience: Patience) -> None:
    """Until the partial file is the published one; what is wrong is thrown away and fetched once more."""
    for last in (False, True):
        try:
            _fetch_patiently(http, address, file, part, patience)
            wrong = difference(part.path, file)
        except Wrong as error:
            wrong = str(error)
        if wrong is None:
            return
        part.clear()
        if last:
            raise DataError(f"{shown(address)}: is not the file that was published: {wrong}; nothing was kept; "
                            "try later, or name another --source")  # fmt: skip
        log.warning("%s: is not the file that was published: %s; once more from the start", shown(address), wrong)


def _fetch_patiently(http: httpx2.Client, address: str, file: RemoteFile, part: Partial, patience: Patience) -> None:
    """Until all bytes are here; passing trouble is waited for, longer from try to try."""
    for number in range(1, patience.tries + 1):
        if part.size and part.size == file.size:
            return
        try:
            transfer(http, address, file, part)
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
