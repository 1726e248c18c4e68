"""dokhae data download."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tyro.conf import Positional


def command(args: list[str]) -> Callable[..., Any]:
    """The one way."""
    return download


def download(
    names: Positional[tuple[str, ...]],
    out: Path = Path("data"),
    source: str | None = None,
    overwrite: bool = False,
    keep_archives: bool = False,
    parallel: int = 4,
) -> None:
    """Fetch data sets: each file whole and as it was published, or not at all. Prints the paths of the files.

    What is there and intact stays; what was interrupted goes on where it stopped. korquad-2.1 comes in 15 archives
    (1.4 GB), which are unpacked into two folders of JSON files (7.2 GB).

    Example: dokhae data download squad-1.1 squad-2.0 korquad-1.0 --out data

    Args:
        names: data sets: squad-1.1, squad-2.0, korquad-1.0, korquad-2.1, klue-mrc
        out: folder for the files
        source: a mirror (an http or https address that the file names are appended to) or a folder with the files
        overwrite: replace files in --out that are not what was published
        keep_archives: leave the archives of korquad-2.1 beside the folders of their files
        parallel: archives that are fetched and unpacked at once
    """
    from dokhae import benchmarks
    from dokhae.data.download import Archives
    from dokhae.data.download import download as fetch
    from dokhae.errors import SettingsError

    if not names:
        raise SettingsError(f"name a data set: dokhae data download NAME; known are {', '.join(benchmarks.names())}")
    releases = [benchmarks.find(name).release for name in names]
    paths = fetch(releases, out, source, overwrite, archives=Archives(parallel, keep_archives))
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    sys.stdout.flush()
    train, dev = paths[:2]
    sys.stderr.write(f"next: dokhae data audit {_first(dev)} --against {_first(train)}\n")


def _first(path: Path) -> str:
    """The file, or the first one of the folder."""
    return shlex.quote(str(min(path.glob("*.json")) if path.is_dir() else path))
