"""Features in one file that is read through a memory map: the processes of a machine share its pages.

After the CRC-32 of all that follows (8 bytes) and the header's length (8 bytes) comes the header, JSON in UTF-8: the
longest window, and name, type and length of every array. The arrays stand behind it in that order, each at a multiple
of 64 bytes.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from io import BufferedReader
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from dokhae.encoding.features import Features

NUMBER = 8  # bytes of each of the two numbers at the front
ALIGNED = 64  # bytes
BLOCK = 1 << 20  # bytes that are read at once for the checksum
ARRAYS = tuple(field.name for field in fields(Features) if field.name != "max_length")


# What counts places in another array: bounds of ragged arrays, and numbers of what other arrays have one entry for.
BOUNDS_OF = {"context_bounds": "context_ids", "question_bounds": "question_ids", "lead_bounds": "lead_ids"}
NUMBERS_OF = {
    "example_context": "context_bounds",
    "window_lead": "lead_bounds",
    "window_example": "example_context",
    "truncated_questions": "example_context",
}


def save(path: Path, parts: Sequence[Features]) -> None:
    """Write the features of some examples and of those behind them to a file, whatever it held.

    Nothing but one array of one part is in memory at once, where the parts are views of files.
    """
    entries = [(name, getattr(parts[0], name).dtype.str, _length(name, parts)) for name in ARRAYS]
    header = json.dumps({"max_length": parts[0].max_length, "arrays": entries}).encode()
    arrays = (_in_turn(name, parts) for name in ARRAYS)
    with path.open("wb") as file:
        file.write(bytes(NUMBER))  # the checksum's place
        checksum = 0
        for part in _parts(header, arrays):
            checksum = zlib.crc32(part, checksum)
            file.write(part)
        file.seek(0)
        file.write(checksum.to_bytes(NUMBER, "little"))


def _length(name: str, parts: Sequence[Features]) -> int:
    return sum(len(getattr(part, name)) - (name in BOUNDS_OF) for part in parts) + (name in BOUNDS_OF)


def _in_turn(name: str, parts: Sequence[Features]) -> Iterator[NDArray[Any]]:
    """One array of each part, counting on from the parts before it."""
    before = 0
    for number, part in enumerate(parts):
        array = getattr(part, name)
        if before:
            array = array + array.dtype.type(before)
        yield np.ascontiguousarray(array[1:] if number and name in BOUNDS_OF else array)
        if name in BOUNDS_OF:
            before += len(getattr(part, BOUNDS_OF[name]))
        elif name in NUMBERS_OF:
            others = NUMBERS_OF[name]
            before += len(getattr(part, others)) - (others in BOUNDS_OF)


def _parts(header: bytes, arrays: Iterable[Iterable[NDArray[Any]]]) -> Iterator[bytes | memoryview]:
    """Everything that stands behind the checksum, in order."""
    yield len(header).to_bytes(NUMBER, "little")
    yield header
    at = 2 * NUMBER + len(header)
    for pieces in arrays:
        yield bytes(-at % ALIGNED)
        at += -at % ALIGNED
        for piece in pieces:
            yield piece.data.cast("B")
            at += piece.nbytes


class Parts(Sequence[Features]):
    """The features in some files, each of them mapped only while it is looked at: what is mapped counts as memory."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, number: int) -> Features: ...
    @overload
    def __getitem__(self, number: slice) -> Parts: ...
    def __getitem__(self, number: int | slice) -> Features | Parts:
        if isinstance(number, slice):
            return Parts(self._paths[number])
        return load(self._paths[number], checked=False)


def load(path: Path, checked: bool = True) -> Features:
    """The features of a file as read-only views of it; they stay good when the file is removed or replaced.

    Raises ValueError where its content is not what was written, OSError where it cannot be read.
    """
    with path.open("rb") as file:
        if checked and int.from_bytes(file.read(NUMBER), "little") != _checksum(file):
            raise ValueError(f"{path}: is damaged")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    begin = 2 * NUMBER
    end = begin + int.from_bytes(mapped[NUMBER:begin], "little")
    try:
        header: dict[str, Any] = json.loads(mapped[begin:end])
        arrays, longest = dict(_views(mapped, end, header["arrays"])), header["max_length"]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise ValueError(f"{path}: was not written here") from None
    if tuple(arrays) != ARRAYS or not isinstance(longest, int):
        raise ValueError(f"{path}: holds something else")
    return Features(**arrays, max_length=longest)


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
