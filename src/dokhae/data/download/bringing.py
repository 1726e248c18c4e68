"""Data sets into a folder: what is there is kept, what is not is brought, files one by one, archives side by side."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from dokhae.data.download.asking import is_address
from dokhae.data.download.checking import intact, refuse_other
from dokhae.data.download.fetching import Way, clear_errors, fetch_whole
from dokhae.data.download.folders import ARCHIVES, Archives, bring_folders
from dokhae.data.download.partial import partial
from dokhae.data.releases import Release, RemoteFile, RemoteFolder
from dokhae.errors import SettingsError
from dokhae.files import atomic_path, make_folder, refuse_folder
from dokhae.patience import Patience

log = logging.getLogger("dokhae")

PATIENCE = Patience()


def download(
    releases: Sequence[Release],
    folder: Path,
    source: str | None = None,
    overwrite: bool = False,
    patience: Patience = PATIENCE,
    archives: Archives = ARCHIVES,
) -> list[Path]:
    """The paths of the files and folders of some data sets, in `folder`, fetched where they are not there yet.

    `source` is a mirror (an http or https address that the file names are appended to) or a folder; by default each
    file's official address. `overwrite` replaces files that are there but are not what was published. DataError or
    SettingsError where a file cannot be had; the part of it that came is kept, and the next call goes on from there.
    """
    wanted = list(dict.fromkeys(releases))
    for release in wanted:
        if not release.files:
            raise SettingsError(f"{release.title} cannot be downloaded by dokhae yet; get it from {release.page}")
    if archives.parallel < 1:
        raise SettingsError(f"parallel is {archives.parallel}; it has to be at least 1")
    way = Way(_mirror(source), overwrite, patience)
    for release in wanted:
        log.info("%s: %s (%s): %s", release.title, release.licence.name, release.page, release.licence.meaning)
        for file in release.files:
            if isinstance(file, RemoteFile):
                _bring(file, Path(folder) / file.name, way)
        folders = [file for file in release.files if isinstance(file, RemoteFolder)]
        bring_folders(release.title, folders, Path(folder), way, archives)
    return [Path(folder) / file.name for release in wanted for file in release.files]


def _mirror(source: str | None) -> str | Path | None:
    """An address without the slash at its end, or a folder."""
    if source is None or is_address(source):
        return source and source.rstrip("/")
    if not Path(source).is_dir():
        raise SettingsError(f"source {source!r} is neither an http(s) address nor a folder")
    return Path(source)


def _bring(file: RemoteFile, target: Path, way: Way) -> None:
    refuse_folder(target)
    if intact(file, target, way.overwrite):
        log.info("%s: already there, intact", target)
        return
    make_folder(target.parent)
    if isinstance(way.mirror, Path):
        _copy(file, way.mirror / file.name, target)
    else:
        _fetch(file, target, way)
    log.info("%s: %.1f MB, as published", target, os.path.getsize(target) / 1e6)


def _copy(file: RemoteFile, source: Path, target: Path) -> None:
    refuse_other(file, source)
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def _fetch(file: RemoteFile, target: Path, way: Way) -> None:
    with clear_errors(target), partial(target) as part:
        if not intact(file, target, overwrite=True):  # else the process that was waited for has brought it
            fetch_whole(file, part, way)
            part.become(target)
