"""How long a server is waited for, and what it asks for itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a server is waited for."""

    tries: int = 6  # of a file, or of a text
    first_wait: float = 1.0  # seconds before the second try; doubled from try to try
    longest_wait: float = 120.0  # seconds; a server that asks for more is left alone
    connect: float = 10.0  # seconds until there is a connection
    silence: float = 30.0  # seconds without a byte


def asked_wait(header: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, None where there is none that can be read."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return float(header)
    try:
        when = parsedate_to_datetime(header)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return max(0.0, (when - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):  # a year or a zone that no calendar has
        return None
