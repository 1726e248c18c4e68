"""What came out of an archive: remembered beside it in a file that begins with a dot and is no .json to a reader."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokhae.data.releases import RemoteFile
from dokhae.errors import DataError, DokhaeError
from dokhae.files import read_json, sha256, write_json
from dokhae.records import from_mapping, to_mapping

SUFFIX = ".unpacked"


@dataclass(frozen=True, slots=True)
class Member:
    """A file as it was unpacked."""

    size: int  # bytes
    sha256: str
    modified: int  # nanoseconds; where it is still this, the size will do


@dataclass(frozen=True, slots=True)
class Note:
    """The members of one archive by name."""

    sha256: str | None  # of the archive, as published
    members: dict[str, Any]


def note_path(file: RemoteFile, folder: Path) -> Path:
    """Where the note of an archive is."""
    return folder / f".{file.name}{SUFFIX}"


def write_note(file: RemoteFile, folder: Path, members: Mapping[str, Member]) -> None:
    """Remember what an archive gave."""
    note = Note(file.sha256, {name: to_mapping(member) for name, member in members.items()})
    write_json(note_path(file, folder), to_mapping(note))


def read_members(path: Path, file: RemoteFile | None = None) -> dict[str, Member]:
    """What a note says; nothing where there is none that can be read, or it is of another archive than `file`."""
    with contextlib.suppress(DokhaeError):
        note = from_mapping(Note, read_json(path), str(path))
        if file is None or note.sha256 == file.sha256:
            return {name: from_mapping(Member, value, f"{path}: {name}") for name, value in note.members.items()}
    return {}


def lost(file: RemoteFile, folder: Path) -> list[str]:
    """The members of an archive that are not in the folder any more; none where it was never unpacked."""
    return [name for name in read_members(note_path(file, folder), file) if not (folder / name).exists()]


def is_complete(file: RemoteFile, folder: Path, overwrite: bool) -> bool:
    """Whether all that an archive gave is there; DataError where a part was changed and is not to be replaced."""
    members = read_members(note_path(file, folder), file)
    for name, member in members.items():
        differs = changed(folder / name, member)
        if differs and not overwrite:
            raise DataError(f"{folder / name}: is not what {file.name} holds: {differs}; --overwrite unpacks it again, "
                            "another --out leaves it alone")  # fmt: skip
        if differs or not (folder / name).exists():
            return False
    return bool(members)


def changed(path: Path, member: Member) -> str | None:
    """What differs from a member, None where nothing does or the file is not there."""
    if not path.exists():
        return None
    if not path.is_file():
        return "it is a directory"
    stat = path.stat()
    if stat.st_size != member.size:
        return f"it has {stat.st_size:,} bytes, not {member.size:,}"
    if stat.st_mtime_ns == member.modified or sha256(path) == member.sha256:
        return None
    return "its bytes are others"


def given_by_others(file: RemoteFile, folder: Path) -> dict[str, str]:
    """The archive that gave each file of a folder, by name without regard to case, apart from those of `file`."""
    own = note_path(file, folder)
    return {
        name.casefold(): path.name.removeprefix(".").removesuffix(SUFFIX)
        for path in folder.glob(f".*{SUFFIX}")
        if path != own
        for name in read_members(path)
    }
