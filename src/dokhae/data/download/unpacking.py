"""The JSON files of a zip into a folder: all of them or none, and nothing that an archive should not hold."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dokhae.data.download.members import BadArchive, json_members
from dokhae.data.download.notes import Member, changed, given_by_others, write_note
from dokhae.data.releases import RemoteFile
from dokhae.errors import DataError
from dokhae.files import TEMPORARY

RATIO = 1000  # bytes from one byte: text gives 20 at most, and only a bomb more than 1000
CHUNK = 2**20
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError, struct.error)

_placing = threading.Lock()  # two archives that hold a file of one name must not both find its place free


@dataclass(frozen=True, slots=True)
class Unpacking:
    """An archive, and where it goes."""

    file: RemoteFile
    folder: Path
    overwrite: bool
    check: Callable[[], None]  # raises where going on is of no use


def unpack(source: Path, where: str, job: Unpacking) -> None:
    """The members of the zip at `source` into the folder, with a note of them; `where` begins the messages.

    BadArchive where it is damaged or unsafe; DataError where there is no room, or another file has a member's name.
    """
    with _temporary(job) as temporary, opened(source, where) as archive:
        found = json_members(archive.infolist(), where)
        room = room_for(found.values(), source, where, job.file.unpacked)
        refuse_full_disk(job.folder, sum(member.file_size for member in found.values()), job.file.name)
        written: dict[str, Member] = {}
        for name, member in found.items():
            place = f"{where}: {member.filename!r}"
            written[name] = write_member(archive, member, temporary / name, room, place, job.check)
            room -= written[name].size
        _place(written, temporary, where, job)


def refuse_full_disk(folder: Path, needed: int, what: str, instead: str = "name another --out") -> None:
    """DataError where there is too little room in a folder; `instead` says what else than making room may help."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(f"{folder}: {what} needs {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free there; "
                        f"make room, or {instead}")  # fmt: skip


def room_for(members: Collection[zipfile.ZipInfo], source: Path, where: str, most: int | None = None) -> int:
    """The bytes that may come out of an archive, `most` if that is known; BadArchive where it announces more."""
    room = RATIO * source.stat().st_size
    if most is not None:
        room = min(room, most)
    announced = sum(member.file_size for member in members)
    if announced > room:
        raise BadArchive(f"{where}: would unpack to {announced:,} bytes, more than {room:,}; nothing was unpacked")
    return room


@contextlib.contextmanager
def _temporary(job: Unpacking) -> Iterator[Path]:
    """An empty folder inside the other one, where renaming costs nothing; whoever unpacks holds the archive's lock."""
    path = job.folder / f".{job.file.name}{TEMPORARY}"
    try:
        shutil.rmtree(path, ignore_errors=True)  # of a process that was killed
        path.mkdir(parents=True)
        yield path
    except OSError as error:
        what = error.strerror or error
        raise DataError(f"{job.folder}: {job.file.name} cannot be unpacked there: {what}") from None
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def opened(source: Path, where: str) -> Iterator[zipfile.ZipFile]:
    """The zip at `source`; BadArchive where it is none."""
    with _sound(where):
        archive = zipfile.ZipFile(source)
    with archive:
        yield archive


@contextlib.contextmanager
def _sound(where: str) -> Iterator[None]:
    """For reading from a zip: BadArchive for all that zipfile says of a damaged one."""
    try:
        yield
    except BROKEN as error:
        raise BadArchive(f"{where}: is damaged: {error}; nothing was unpacked") from None


def write_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, room: int, where: str, check: Callable[[], None]
) -> Member:
    """Write a member of at most `room` bytes; what it really gives is counted, whatever its header says."""
    room = min(room, RATIO * member.compress_size)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as out:
        for chunk in _chunks(archive, member, where):
            check()
            size += len(chunk)
            if size > room:
                raise BadArchive(f"{where}: unpacks to more than {room:,} bytes; nothing was unpacked")
            digest.update(chunk)
            out.write(chunk)
        out.flush()
    return Member(size, digest.hexdigest(), path.stat().st_mtime_ns)


def _chunks(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
    with _sound(where):
        opened = archive.open(member)
    with opened:
        while True:
            with _sound(where):
                chunk = opened.read(CHUNK)
            if not chunk:
                return
            yield chunk


def _place(members: Mapping[str, Member], temporary: Path, where: str, job: Unpacking) -> None:
    """Give the files their names, after a look at all of them."""
    with _placing:
        others = given_by_others(job.file, job.folder)
        for name, member in members.items():
            if name.casefold() in others:
                raise BadArchive(f"{where}: holds {name}, and {others[name.casefold()]} does too; nothing was unpacked")
            differs = changed(job.folder / name, member)
            if differs and (not job.overwrite or (job.folder / name).is_dir()):
                raise DataError(f"{job.folder / name}: is not what {job.file.name} holds: {differs}; --overwrite "
                                "replaces it, another --out leaves it alone")  # fmt: skip
        for name in members:
            os.replace(temporary / name, job.folder / name)
        write_note(job.file, job.folder, members)
