"""The lines of a text file as texts and pairs of texts, read as `extract_features.py` read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from dokhae.data.lines import SEPARATOR, pair_of, text_lines
from dokhae.errors import DataError
from dokhae.types import Example

LINES, CHARACTERS = 1024, 1 << 20  # that are tokenized together, at most


def count_lines(path: Path) -> int:
    """How many lines a file has. DataError, which names the line, where one is empty, not UTF-8, or half a pair."""
    count = 0
    for count, line in enumerate(text_lines(path), 1):
        text = line.strip()
        if not text:
            raise DataError(f"{path}: line {count} is empty, and its tokens would be none; take it out")
        if text.startswith(SEPARATOR) or text.endswith(SEPARATOR):
            raise DataError(f"{path}: line {count} is half a pair: nothing stands on one side of {SEPARATOR}; give "
                            "both texts, or one without it")  # fmt: skip
    return count


def read_lines(path: Path) -> Iterator[Example]:
    """Each line as a pair where it is `first ||| second`, or else as a single text, whose question is "" ."""
    for line in text_lines(path):
        first, second = pair_of(line)
        yield Example("", "", first) if second is None else Example("", first, second)


def chunks(lines: Iterable[Example]) -> Iterator[list[Example]]:
    """Lines that are tokenized together."""
    chunk: list[Example] = []
    characters = 0
    for line in lines:
        size = len(line.question) + len(line.context)
        if chunk and (len(chunk) == LINES or characters + size > CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(line)
        characters += size
    if chunk:
        yield chunk
