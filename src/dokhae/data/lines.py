"""Files that are read piece by piece, with the same clear errors as dokhae.files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dokhae.errors import DataError
from dokhae.files import conversion, open_bytes

SEPARATOR = "|||"
PAIR = re.compile(r"(.*) \|\|\| (.*)")  # of the line without the white space at its ends


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


def pair_of(line: str) -> tuple[str, str | None]:
    """The two parts of a line `first ||| second`, or the line and None, as `extract_features.py` parted them."""
    pair = PAIR.fullmatch(line.strip())
    return (pair[1], pair[2]) if pair else (line.strip(), None)


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        advice = f"convert the file, for instance with {conversion(line)}"
        raise DataError(f"{path}: line {number} is not UTF-8; {advice}") from None
