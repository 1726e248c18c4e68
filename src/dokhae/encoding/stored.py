"""Features in one file that is read through a memory map: the processes of a machine share its pages.

After the CRC-32 of all that follows (8 bytes) and the header's length (8 bytes) comes the header, JSON in UTF-8: the
longest window, and name, type and length of every array. The arrays stand behind it in that order, each at a multiple
of 64 bytes.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import Features

NUMBER = 8  # bytes of each of the two numbers at the front
ALIGNED = 64  # bytes
BLOCK = 1 << 20  # bytes that are read at once for the checksum
ARRAYS = tuple(field.name for field in fields(Features) if field.name != "max_length")


def save(path: Path, features: Features) -> None:
    """Write features to a file, whatever it held."""
    arrays = {name: np.ascontiguousarray(getattr(features, name)) for name in ARRAYS}
    entries = [(name, array.dtype.str, len(array)) for name, array in arrays.items()]
    header = json.dumps({"max_length": features.max_length, "arrays": entries}).encode()
    with path.open("wb") as file:
        file.write(bytes(NUMBER))  # the checksum's place
        checksum = 0
        for part in _parts(header, arrays.values()):
            checksum = zlib.crc32(part, checksum)
            file.write(part)
        file.seek(0)
        file.write(checksum.to_bytes(NUMBER, "little"))


def _parts(header: bytes, arrays: Iterable[NDArray[Any]]) -> Iterator[bytes | memoryview]:
    """Everything that stands behind the checksum, in order."""
    yield len(header).to_bytes(NUMBER, "little")
    yield header
    at = 2 * NUMBER + len(header)
    for array in arrays:
        yield bytes(-at % ALIGNED)
        yield array.data.cast("B")
        at += -at % ALIGNED + array.nbytes


def load(path: Path) -> Features:
    """The features of a file as read-only views of it; they stay good when the file is removed or replaced.

    Raises ValueError where its content is not what was written, OSError where it cannot be read.
    """
    with path.open("rb") as file:
        if int.from_bytes(file.read(NUMBER), "little") != _checksum(file):
            raise ValueError(f"{path}: is damaged")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = 2 * NUMBER
    end = begin + int.from_bytes(mapped[NUMBER:begin], "little")
    header: dict[str, Any] = json.loads(mapped[begin:end])
    arrays = dict(_views(mapped, end, header["arrays"]))
    if tuple(arrays) != ARRAYS:
        raise ValueError(f"{path}: holds other arrays")
    return Features(**arrays, max_length=header["max_length"])


def _checksum(file: BufferedReader) -> int:
    """Of the rest of a file, which is read and not mapped: what is mapped counts as this process's memory."""
    checksum = 0
    while block := file.read(BLOCK):
        checksum = zlib.crc32(block, checksum)
    return checksum


def _views(mapped: mmap.mmap, at: int, entries: list[tuple[str, str, int]]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, dtype, length in entries:
        at += -at % ALIGNED
        # plain arrays: every slice of a np.memmap is a np.memmap again, which takes several times as long to make
        array = np.frombuffer(mapped, dtype, length, at)
        at += array.nbytes
        yield name, array
