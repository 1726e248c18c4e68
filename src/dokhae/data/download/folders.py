"""Folders that were published in archives: what is missing is fetched and unpacked, several archives at once."""

from __future__ import annotations

import functools
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dokhae.data.download.checking import intact, refuse_other
from dokhae.data.download.fetching import Way, clear_errors, fetch_whole
from dokhae.data.download.members import BadArchive
from dokhae.data.download.notes import is_complete, lost, note_path, read_members
from dokhae.data.download.parallel import Overall, overall, side_by_side
from dokhae.data.download.partial import Partial, part_path, partial
from dokhae.data.download.unpacking import Unpacking, refuse_full_disk, unpack
from dokhae.data.releases import RemoteFile, RemoteFolder
from dokhae.files import atomic_path, make_folder

log = logging.getLogger("dokhae")


@dataclass(frozen=True, slots=True)
class Archives:
    """How archives are treated."""

    parallel: int = 4  # fetched and unpacked at once
    keep: bool = False  # beside the folder of their files, once these are unpacked


ARCHIVES = Archives()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An archive, and the folder of its files."""

    file: RemoteFile
    folder: Path
    share: int  # bytes of its files, about

    @property
    def path(self) -> Path:
        """Beside the folder: inside of it, a reader would take the memory of the partial file for data."""
        return self.folder.parent / self.file.name


def bring_folders(title: str, folders: Sequence[RemoteFolder], out: Path, way: Way, archives: Archives) -> None:
    """Complete some folders of a data set in `out`."""
    missing = [each for folder in folders for each in _missing(folder, out / folder.name, way.overwrite)]
    if missing:
        _bring_all(title, missing, way, archives)
    brought = {each.folder for each in missing}
    for folder in folders:
        _tell(folder, out / folder.name, out / folder.name in brought)


def _missing(folder: RemoteFolder, path: Path, overwrite: bool) -> list[_Wanted]:
    """The archives of a folder that are to be unpacked."""
    share = folder.size // len(folder.archives)
    missing = [_Wanted(file, path, share) for file in folder.archives if not is_complete(file, path, overwrite)]
    for each in missing:
        for name in lost(each.file, path):
            log.warning("%s: is missing; %s is unpacked again", path / name, each.file.name)
    return missing


def _bring_all(title: str, missing: Sequence[_Wanted], way: Way, archives: Archives) -> None:
    for folder in {each.folder for each in missing}:
        make_folder(folder)
    refuse_full_disk(missing[0].folder, _needed(missing, way, archives), title)
    sizes = {each.file.name: each.file.size or 0 for each in missing}
    there = {each.file.name: _part_size(each) for each in missing}
    with overall(title, sizes, there) as progress:
        jobs = [functools.partial(_bring, each, way, archives.keep, progress) for each in missing]
        try:
            side_by_side(jobs, archives.parallel, progress.stop)
        except KeyboardInterrupt:
            log.info("%s: interrupted; what came is kept, and the same command goes on from there", title)
            raise


def _needed(missing: Sequence[_Wanted], way: Way, archives: Archives) -> int:
    """The bytes that the files of some archives take, about, and with them as many archives as are there at once."""
    files = sum(each.share for each in missing)
    if isinstance(way.mirror, Path) and not archives.keep:
        return files
    comes = sorted((max(0, (each.file.size or 0) - _part_size(each)) for each in missing), reverse=True)
    return files + sum(comes if archives.keep else comes[: archives.parallel])


def _part_size(each: _Wanted) -> int:
    """The bytes of an archive that came with an earlier call."""
    path = part_path(each.path)
    return os.path.getsize(path) if path.is_file() else 0


def _bring(each: _Wanted, way: Way, keep: bool, progress: Overall) -> None:
    with clear_errors(each.path), partial(each.path) as part:
        if not is_complete(each.file, each.folder, way.overwrite):  # else the process waited for has brought it
            _bring_held(each, part, way, keep, progress)
    progress.tell(each.file.name, each.file.size or 0, finished=1)


def _bring_held(each: _Wanted, part: Partial, way: Way, keep: bool, progress: Overall) -> None:
    """With the partial file in hand, so that no other process fetches or unpacks the archive."""
    source = _archive(each, part, way, progress)
    came = source == part.path
    try:
        where = str(each.path if came else source)
        unpack(source, where, Unpacking(each.file, each.folder, way.overwrite, progress.check))
    except BadArchive:
        part.clear()  # what cannot be unpacked now cannot be unpacked later
        raise
    if came and (keep or each.path.exists()):
        part.become(each.path)
        return
    part.clear()
    if keep and source != each.path:
        with atomic_path(each.path) as temporary:
            shutil.copyfile(source, temporary)


def _archive(each: _Wanted, part: Partial, way: Way, progress: Overall) -> Path:
    """Where the whole archive is: kept by an earlier call, in the folder that is the source, or fetched now."""
    if intact(each.file, each.path, way.overwrite):
        return each.path
    if isinstance(way.mirror, Path):
        refuse_other(each.file, way.mirror / each.file.name)
        return way.mirror / each.file.name
    fetch_whole(each.file, part, way, progress.show)
    return part.path


def _tell(folder: RemoteFolder, path: Path, brought: bool) -> None:
    """What a complete folder holds, and what it holds besides."""
    given = {name: m for file in folder.archives for name, m in read_members(note_path(file, path), file).items()}
    if brought:
        size = sum(member.size for member in given.values())
        log.info("%s: %d files, %.1f MB, as published", path, len(given), size / 1e6)
    else:
        log.info("%s: already there, intact", path)
    for name in sorted(os.listdir(path)):
        if name.lower().endswith(".json") and name not in given:
            log.warning("%s: was not published, but who reads the folder reads it too", path / name)
