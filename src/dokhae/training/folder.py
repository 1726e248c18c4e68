"""The run folder while a training writes to it: one process at a time, and advice where the disk is full."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from dokhae.errors import DataError, SettingsError
from dokhae.files import LOCK, give_back_lock, make_folder, refuse_full_folder
from dokhae.training.run_config import RunConfig


def refuse_taken(run: Path) -> None:
    """SettingsError where a new run's folder is not empty."""
    is_run = (run / "config.yaml").exists()
    refuse_full_folder(run, f", or go on with --resume {run}" if is_run else "")


@contextlib.contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """SettingsError where another process trains in this run folder."""
    try:
        lock = _locked(run.resolve())  # one folder has one lock, by whatever name it is called
    except Timeout:
        raise SettingsError(f"{run}: another process is training in it; wait for it, or name another --out") from None
    except OSError as error:
        raise DataError(f"{run}: cannot be made: {error.strerror or error}") from None
    try:
        yield
    finally:
        give_back_lock(lock)


def _locked(run: Path) -> BaseFileLock:
    """The lock that is held beside the folder, which may not be there yet; one's own in another's holds it itself."""
    beside, inside = make_folder(run.parent) / f".{run.name}{LOCK}", run / LOCK
    try:
        return FileLock(beside).acquire(timeout=0).lock
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not run.is_dir():
            raise
    return FileLock(inside).acquire(timeout=0).lock


@contextlib.contextmanager
def explained_disk(config: RunConfig) -> Iterator[None]:
    """DataError with advice where the disk takes no more, whoever was writing."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise DataError(f"{config.out}: cannot be written: {error.strerror}; make room, then {config.go_on}") from None
