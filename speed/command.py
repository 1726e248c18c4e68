"""The command line of a measurement."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from dokhae.errors import DokhaeError


def run_command(arguments: Any, run: Callable[[Any], int], description: str | None) -> None:  # noqa: ANN401
    """Read the arguments, run, and end with the status; what a user can mend is one line."""
    import tyro

    try:
        sys.exit(run(tyro.cli(arguments, description=description)))
    except DokhaeError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
