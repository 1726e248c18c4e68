"""bundle.json: what a bundle holds, what it was scored with, and the hash of each of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dokhae.errors import DataError, ModelError, SettingsError
from dokhae.files import read_json, sha256
from dokhae.records import from_mapping, to_mapping

FILE_NAME = "bundle.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Dev:
    """The official scores that the run had, and of which file."""

    file: str
    sha256: str
    questions: int | None
    scores: dict[str, float | int]
    null_threshold: str | None = None  # in words, as scores.json has it


@dataclass(frozen=True, slots=True)
class Manifest:
    """What bundle.json says."""

    dokhae: str  # version of the sources inside
    name: str  # what the bundle is called where it is submitted
    benchmark: str
    folder_input: bool  # whether predict.py is given a folder of files
    python: str  # 3.11; what requirements.txt was pinned for
    encoder: str | None  # what the run began with
    dev: Dev | None  # None: a model folder without scores
    files: dict[str, str]  # path in the bundle -> SHA-256; all but bundle.json
    format: int = FORMAT


def as_file(manifest: Manifest) -> bytes:
    """What bundle.json holds."""
    return (json.dumps(to_mapping(manifest), ensure_ascii=False, indent=2) + "\n").encode()


def read(folder: Path) -> Manifest:
    """The manifest of an unpacked bundle. ModelError where it is of another format, DataError where it is damaged."""
    path = folder / FILE_NAME
    if not path.exists():
        raise DataError(f"{folder}: has no {FILE_NAME}, so it is no bundle; make one with `dokhae pack`")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError(f"{path}: is not of format {FORMAT}; use the dokhae version that packed it")
    try:
        manifest = from_mapping(Manifest, content, str(path))
    except SettingsError as error:
        raise DataError(f"{error}; pack the run again") from None
    for name, digest in manifest.files.items():
        parts = PurePosixPath(name).parts
        if not isinstance(digest, str) or name.startswith("/") or "\\" in name or ".." in parts or not parts:
            raise DataError(f"{path}: {name!r} is no file of a bundle; pack the run again")
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest of an unpacked bundle. DataError where a file is lacking, is not as it was packed, or came later."""
    manifest, here = read(folder), files_in(folder)
    for name in sorted(manifest.files.keys() - here):
        raise DataError(f"{folder}: lacks {name}; unpack the bundle again, or pack the run again")
    for name in sorted(here - manifest.files.keys() - {FILE_NAME}):
        raise DataError(f"{folder / name}: is not in {FILE_NAME}; take the bundle as `dokhae pack` made it")
    for name, digest in manifest.files.items():
        if sha256(folder / name) != digest:
            raise DataError(f"{folder / name}: is not what was packed (its SHA-256 differs); pack the run again")
    return manifest


def changed(folder: Path, manifest: Manifest) -> list[str]:
    """Files of an unpacked bundle that are new, gone or not as packed, without what Python compiles for itself."""
    here = {name for name in files_in(folder) if "__pycache__" not in PurePosixPath(name).parts}
    same = {name for name, digest in manifest.files.items() if name in here and sha256(folder / name) == digest}
    return sorted((here | manifest.files.keys()) - same - {FILE_NAME})


def files_in(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
