"""Files that are read piece by piece, with the same clear errors as dokhae.files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dokhae.errors import DataError


@contextlib.contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """An open file; DataError where it cannot be read, also later, inside the block."""
    refuse_folder(path)
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it; check its owner and mode") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def refuse_folder(path: Path) -> None:
    """DataError where the path is a folder."""
    if os.path.isdir(path):  # unlike Path.is_dir, False where the parent folder may not be entered
        raise DataError(f"{path}: is a directory, not a file; name the file inside it")


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their line ends, without a byte order mark."""
    blank = True
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            text = _decoded(line, path, number)
            blank = blank and not text.strip()
            yield text
    if blank:
        raise DataError(f"{path}: is empty")


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: line {number} is not UTF-8; convert the file, for instance with `iconv -f cp949 -t utf-8`"
        ) from None
