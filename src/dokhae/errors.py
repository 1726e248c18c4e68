"""Mistakes that the user can mend. Each carries one message: where, what, and what to do. The command line prints it
and exits with 2; nothing else in dokhae ends in a traceback on purpose.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class DokhaeError(Exception):
    """Base of every error whose message is meant for the user."""

    exit_code = 2


class DataError(DokhaeError):
    """A data or predictions file is not what it should be."""


class ModelError(DokhaeError):
    """A model or tokenizer cannot be found, loaded or used."""


class OutOfMemory(ModelError):
    """The device has too little memory for a batch."""


class NotFinite(ModelError):
    """A model's logits are no numbers."""


class AnalyserError(DokhaeError):
    """A morphological analyser cannot be reached, fails, or says of a text what cannot be true."""


class SettingsError(DokhaeError):
    """Settings that contradict each other, or cannot be met here."""


class TrainingError(DokhaeError):
    """Training cannot go on."""


class MissingExtra(DokhaeError):
    """An optional dependency is not installed; the message names the extra."""

    def __init__(self, what: str, extra: str, reason: str = "") -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(
            f"{what} needs an optional part of dokhae that is not installed{because}: pip install 'dokhae[{extra}]'"
        )


@contextlib.contextmanager
def optional(what: str, extra: str) -> Iterator[None]:
    """For a block that imports what only an extra brings: MissingExtra instead of ImportError."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(what, extra, str(error)) from None
