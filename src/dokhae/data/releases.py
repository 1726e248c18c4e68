"""What is published of a data set, and under which licence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a data set, and what it means for those who have the files."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as it was published. What is not known of it is None."""

    name: str
    address: str
    questions: int
    size: int | None = None  # bytes
    sha256: str | None = None  # hexadecimal


@dataclass(frozen=True, slots=True)
class Release:
    """A published data set."""

    title: str
    page: str  # where people read about it
    licence: Licence
    files: tuple[RemoteFile, ...] = ()  # training, then dev; none: dokhae cannot download it
