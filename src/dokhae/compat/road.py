"""Our own commands as old scripts run them: each is said as one would type it, and a failure ends the script."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dokhae.files import atomic_path

if TYPE_CHECKING:
    from dokhae.compat.table import Given

log = logging.getLogger("dokhae")


def run(*words: str | Path, settings: Mapping[str, Any] | None = None) -> None:
    """Run one of our commands with these words and settings in this process; SystemExit with its code if it fails.

    settings: name, those in groups with a dot -> value; True is a bare option, None and False none at all.
    """
    from dokhae.cli import main

    line = [*(str(word) for word in words), *options(settings or {})]
    tell(f"dokhae {shlex.join(line)}")
    code = main(line)
    if code:
        sys.exit(code)


def options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the words of a command line."""
    found: list[str] = []
    for name, value in settings.items():
        if value is None or value is False:
            continue
        found += [f"--{name}"] if value is True else [f"--{name}={value}"]
    return found


def recipe(source: str, benchmark: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a script's command line does not say is as in the predecessor's published table; its settings win."""
    from dokhae import recipes

    return {"benchmark": benchmark, **recipes.defaults(source, benchmark), **settings}


def name_as(folder: Path, names: Mapping[str, str], out: Path | None = None) -> list[Path]:
    """Copy files of a folder under the names that the predecessor gave them: ours -> theirs, in `out` or beside them.

    Files that are not there are left out. Returns what was written; only the first of several processes writes.
    """
    if not speaks():
        return []
    written = []
    for ours, theirs in names.items():
        source, target = folder / ours, (out or folder) / theirs
        if source.exists():
            with atomic_path(target) as temporary:
                shutil.copyfile(source, temporary)
            written.append(target)
    if written:
        log.info("wrote %s", ", ".join(map(str, written)))
    return written


def tell(message: str) -> None:
    """Say it once, however many processes there are."""
    if speaks():
        log.info("%s", message)


def tell_unused(given: Given, keys: Collection[str], why: str) -> None:
    """Say of each of these options, where it was typed, why it means nothing on this command line."""
    for flag in given.script.flags:
        if flag.key in keys and flag.key in given.typed:
            tell(f"{flag.name}: {why}")


def launched() -> bool:
    """Whether this process is one that torchrun or SLURM has started, and may start once more."""
    from dokhae.training import cluster

    return cluster.found() is not None


def speaks() -> bool:
    """Whether this process speaks for all: torchrun and SLURM start several, each with the same command line."""
    return int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0"))) == 0
