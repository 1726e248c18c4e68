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
    questions: int | None = None  # of an archive, only its folder knows
    size: int | None = None  # bytes
    sha256: str | None = None  # hexadecimal
    unpacked: int | None = None  # bytes: a zip of JSON files, of which at most so much may come; None: not a zip


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder of JSON files that were published in archives."""

    name: str  # with the folder that it stands in: korquad-2.1/train
    archives: tuple[RemoteFile, ...]
    questions: int
    size: int  # bytes of the JSON files, about

    @property
    def sha256(self) -> None:
        """No hash of its own; its archives have theirs."""
        return


@dataclass(frozen=True, slots=True)
class Release:
    """A published data set."""

    title: str
    page: str  # where people read about it
    licence: Licence
    files: tuple[RemoteFile | RemoteFolder, ...] = ()  # training, then dev; none: dokhae cannot download it
