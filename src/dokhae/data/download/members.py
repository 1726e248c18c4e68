"""Which members of a zip are unpacked, and which make it suspect."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath

from dokhae.errors import DataError

MOST_MEMBERS = 10_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1


class BadArchive(DataError):
    """An archive that is damaged, or holds what it should not."""


def json_members(members: Sequence[zipfile.ZipInfo], where: str) -> dict[str, zipfile.ZipInfo]:
    """The JSON files of an archive by their base names; BadArchive where there is anything that should not be."""
    refuse_many(members, where)
    found: dict[str, zipfile.ZipInfo] = {}
    names: set[str] = set()
    for member in members:
        wrong = suspicion(member)
        base = PurePosixPath(member.filename).name
        if wrong is None and not _is_left_out(member):
            wrong = _unwanted(member, base, names)
            found[base] = member
            names.add(base.casefold())
        if wrong:
            raise BadArchive(f"{where}: its member {member.orig_filename!r} {wrong}; nothing was unpacked")
    if not found:
        raise BadArchive(f"{where}: holds no JSON file")
    return found


def refuse_many(members: Sequence[zipfile.ZipInfo], where: str) -> None:
    """BadArchive where an archive has more members than anyone publishes."""
    if len(members) > MOST_MEMBERS:
        raise BadArchive(f"{where}: holds {len(members):,} members; nothing was unpacked")


def suspicion(member: zipfile.ZipInfo) -> str | None:
    """Why a member, whatever it is, makes the whole archive suspect; None where nothing does."""
    name = member.orig_filename  # as it stands in the archive
    if name.startswith("/"):
        return "has an absolute path"
    if "\\" in name or ":" in name:
        return "has a backslash or a drive letter in its name"
    if ".." in name.split("/"):
        return "would be written outside of the folder"
    if not name.isprintable():
        return "has a name with control characters"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link, or no file at all"
    return None


def _is_left_out(member: zipfile.ZipInfo) -> bool:
    """Folders, and what macOS adds."""
    *above, base = member.filename.split("/")
    return member.is_dir() or "__MACOSX" in above or base == ".DS_Store" or base.startswith("._")


def _unwanted(member: zipfile.ZipInfo, base: str, names: set[str]) -> str | None:
    """Why a file cannot be unpacked beside those with the other names."""
    if not base.lower().endswith(".json"):
        return "is no .json file"
    return unreadable(member) or ("has the name of another one" if base.casefold() in names else None)


def unreadable(member: zipfile.ZipInfo) -> str | None:
    """Why what a member holds cannot be had; None where it can."""
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in METHODS:
        return f"is compressed in a way (method {member.compress_type}) that dokhae does not read"
    return None
