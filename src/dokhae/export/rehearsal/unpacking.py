"""A bundle out of its zip: one folder whose files are those of its manifest."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dokhae.data.download.members import BadArchive, refuse_many, suspicion, unreadable
from dokhae.data.download.unpacking import opened, refuse_full_disk, room_for, write_member
from dokhae.errors import DataError, ModelError
from dokhae.export import manifest
from dokhae.export.manifest import Manifest
from dokhae.files import open_bytes

MORE_ROOM = "name a folder with more room in TMPDIR or with --keep"


def unpack(source: Path, folder: Path) -> tuple[Path, Manifest]:
    """The one folder of a bundle, unpacked into another folder, and its manifest.

    BadArchive where the zip is damaged or unsafe; DataError or ModelError where it is no bundle, or a file is not what
    the manifest says.
    """
    with open_bytes(source):  # says what is wrong with a file that is not there
        pass
    where = str(source)
    with opened(source, where) as archive:
        members = archive.infolist()
        top = _top(members, where)
        room = room_for(members, source, where)
        refuse_full_disk(folder, sum(member.file_size for member in members), source.name, MORE_ROOM)
        for member in members:
            room -= _write(archive, member, folder, room, f"{where}: {member.filename!r}")
    return folder / top, _verified(folder / top, where)


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _top(members: Sequence[zipfile.ZipInfo], where: str) -> str:
    """The name of the one folder that holds all; BadArchive where there is anything that should not be."""
    refuse_many(members, where)
    names: set[str] = set()
    for member in members:
        path = str(PurePosixPath(member.filename)).casefold()
        wrong = suspicion(member) or unreadable(member) or ("is there twice" if path in names else None)
        names.add(path)
        if wrong:
            raise BadArchive(f"{where}: its member {member.orig_filename!r} {wrong}; nothing was unpacked")
    tops = {PurePosixPath(member.filename).parts[0] for member in members if member.filename.strip("/")}
    top = next(iter(sorted(tops)), "")
    if len(tops) != 1 or f"{top}/{manifest.FILE_NAME}" not in (member.filename for member in members):
        raise DataError(f"{where}: is no bundle: it has to hold one folder with {manifest.FILE_NAME}; "
                        "`dokhae pack` makes one")  # fmt: skip
    return top


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, room: int, where: str) -> int:
    """Write one member, a file or a folder; the bytes it took of `room`."""
    path = folder.joinpath(*PurePosixPath(member.filename).parts)
    try:
        (path if member.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
        return 0 if member.is_dir() else write_member(archive, member, path, room, where, lambda: None).size
    except OSError as error:
        raise DataError(f"{where}: cannot be unpacked: {error.strerror or error}") from None


def _verified(folder: Path, where: str) -> Manifest:
    try:
        return manifest.verify(folder)
    except (DataError, ModelError) as error:  # in the words of who has a zip, not the temporary folder
        raise type(error)(str(error).replace(str(folder), where)) from None
