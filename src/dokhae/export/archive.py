"""A zip that is the same bytes for the same files, written piece by piece: no weights are held in memory."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from dokhae.export.trained import Content
from dokhae.files import atomic_path, open_bytes
from dokhae.progress import BYTES, Update, track

CHUNK = 2**20  # bytes
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date of zips
MODE = 0o100644 << 16  # a file that all may read: it runs as another user
STORED = (".safetensors", ".bin")  # weights, which do not get smaller


def size_of(content: Content) -> int:
    """In bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def write(
    path: Path, top: str, files: Mapping[str, Content], last: Callable[[dict[str, str]], tuple[str, bytes]]
) -> dict[str, str]:
    """Write files into one folder `top` of a zip, by name, whole or not at all. Returns their SHA-256 by name.

    last: from these, the name and content of one file more.
    """
    digests: dict[str, str] = {}
    total = sum(map(size_of, files.values()))
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
        track("pack", total, unit=BYTES) as update,
    ):
        done = 0
        for name, content in sorted(files.items()):
            digests[name] = _add(archive, f"{top}/{name}", content, update, done)
            done += size_of(content)
        name, end = last(digests)
        _add(archive, f"{top}/{name}", end, update, done)
    return digests


def _add(archive: zipfile.ZipFile, name: str, content: Content, update: Update, done: int) -> str:
    """Write one file and return its SHA-256; update is told the bytes of all files so far."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system, entry.external_attr = 3, MODE  # Unix, whatever packs
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
    entry.file_size = size_of(content)  # so that the zip knows whether it needs 64 bits
    with archive.open(entry, "w") as target:
        if isinstance(content, bytes):
            return _copy(io.BytesIO(content), target, update, done)
        with open_bytes(content) as source:
            return _copy(source, target, update, done)


def _copy(source: IO[bytes], target: IO[bytes], update: Update, done: int) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
        done += len(chunk)
        update(done)
    return digest.hexdigest()
