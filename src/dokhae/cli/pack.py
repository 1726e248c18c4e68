"""dokhae pack."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional

log = logging.getLogger("dokhae")


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return pack


def pack(
    run: Positional[Path],
    benchmark: Annotated[str, tyro.conf.arg(name="for")],
    out: Path,
    name: str | None = None,
) -> None:
    """Pack a trained reader for a leaderboard: a zip that runs without dokhae, network or GPU.

    It holds predict.py, the model, dokhae's sources, pinned requirements, a Dockerfile and a README with the commands
    to upload, run, evaluate and submit it on CodaLab.

    Example: dokhae pack runs/koelectra --for korquad-1.0 --out koelectra.zip

    Args:
        run: run folder, or the folder of a model that dokhae trained
        benchmark: korquad-1.0, korquad-2.1, squad-1.1 or squad-2.0
        out: zip to write
        name: what the bundle is called on CodaLab; by default as the run folder
    """
    from dokhae.export.bundle import pack as write

    made = write(run, benchmark, out, name)
    log.info("wrote %s (%.1f MB): %s for %s, %d files, Python %s", out, out.stat().st_size / 1e6, made.name,
             made.benchmark, len(made.files) + 1, made.python)  # fmt: skip
    log.info("rehearse it before the upload: dokhae rehearse %s --data %s --here", shlex.quote(str(out)),
             made.dev.file if made.dev else "DEV")  # fmt: skip
