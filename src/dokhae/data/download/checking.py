"""Whether a file is what was published."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from dokhae.data.reading import json_records
from dokhae.data.releases import RemoteFile
from dokhae.errors import DataError
from dokhae.files import open_bytes, read_json, sha256


def difference(path: Path, file: RemoteFile) -> str | None:
    """What differs from the published file, None where nothing does; its questions are counted if no hash is known."""
    with open_bytes(path) as opened:
        size = os.fstat(opened.fileno()).st_size
    if file.size is not None and size != file.size:
        return f"it has {size:,} bytes, not {file.size:,}"
    if file.sha256 is None:
        return _no_archive(path) if file.unpacked is not None else _other_questions(path, file)
    found = sha256(path)
    return None if found == file.sha256 else f"its SHA-256 is {found[:12]}…, not {file.sha256[:12]}…"


def intact(file: RemoteFile, target: Path, overwrite: bool) -> bool:
    """Whether the file is there; DataError where another one has its name and is not to be replaced."""
    if not os.path.exists(target):
        return False
    differs = difference(target, file)
    if differs and not overwrite:
        raise DataError(f"{target}: is not the file that was published: {differs}; --overwrite fetches it again, "
                        "another folder leaves it alone")  # fmt: skip
    return differs is None


def refuse_other(file: RemoteFile, source: Path) -> None:
    """DataError where what a folder offers is not the published file."""
    differs = difference(source, file)
    if differs:
        raise DataError(f"{source}: is not the file that was published: {differs}; nothing was copied")


def _no_archive(path: Path) -> str | None:
    return None if zipfile.is_zipfile(path) else "it is no zip archive"


def _other_questions(path: Path, file: RemoteFile) -> str | None:
    try:
        records, shape = json_records(read_json(path), path)
        questions = sum(1 for _ in shape.questions(records, path))
    except DataError as error:
        return f"it cannot be read ({error})"
    return None if questions == file.questions else f"it holds {questions:,} questions, not {file.questions:,}"
