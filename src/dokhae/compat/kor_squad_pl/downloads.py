"""download_korquad.py and download_squad.py: `dokhae data download`, and the files under their old names."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from pathlib import Path

from dokhae.compat import road
from dokhae.compat.kor_squad_pl.names import BENCHMARKS, KORQUAD_2, SOURCE
from dokhae.compat.table import Flag, Given, Script, bare
from dokhae.files import atomic_path

log = logging.getLogger("dokhae")
PARTS = ("train", "dev")  # as releases have them
OPTIONS = (
    Flag("--download_dir", default="./data", note="--out, with a folder in it for each data set"),
    Flag("--source", note="ours: --source, a mirror's address or a folder with the files"),
    Flag("--overwrite", bare, note="ours: --overwrite, replace files that are not what was published"),
)


def download_korquad(given: Given) -> None:
    """KorQuAD 1.0, or the other one where that is asked for."""
    if given["data_name"] == KORQUAD_2:
        bring_folders(given, KORQUAD_2)
    else:
        bring(given, given["data_name"])


def download_squad(given: Given) -> None:
    """SQuAD 1.1 and 2.0."""
    for name in ("squad_v1.1", "squad_v2.0"):
        bring(given, name)


def bring(given: Given, name: str) -> None:
    """Fetch what is not there, into the data set's folder; train.json and dev.json are one file with the official name.

    A file of the old name that is not what was published stays, and DataError says so, unless --overwrite is given.
    """
    from dokhae import benchmarks
    from dokhae.data.download.checking import intact
    from dokhae.data.releases import RemoteFile

    folder, overwrite = Path(given["download_dir"]) / name, given["overwrite"]
    files = [file for file in benchmarks.find(BENCHMARKS[name]).release.files if isinstance(file, RemoteFile)]
    pairs = [(file, folder / f"{part}.json") for file, part in zip(files, PARTS, strict=True)]
    there = [path for file, path in pairs if intact(file, path, overwrite)]
    if len(there) == len(pairs):
        log.info("%s: already there, intact", ", ".join(map(str, there)))
        return
    for file, path in pairs:
        if path in there and not (folder / file.name).exists():
            give(path, folder / file.name)  # so it is not fetched again
    fetch(given, name, folder)
    for file, path in pairs:
        give(folder / file.name, path)


def bring_folders(given: Given, name: str) -> None:
    """Fetch KorQuAD 2.1; the JSON files of its two folders are in train/ and dev/ of the data set's folder too."""
    folder = Path(given["download_dir"])
    fetch(given, name, folder)
    for part in PARTS:
        for path in sorted((folder / BENCHMARKS[name] / part).glob("*.json")):
            give(path, folder / name / part / path.name)


def fetch(given: Given, name: str, folder: Path) -> None:
    """`dokhae data download` of one data set."""
    settings = {"out": folder, "source": given["source"], "overwrite": given["overwrite"]}
    road.run("data", "download", BENCHMARKS[name], settings=settings)


def give(path: Path, name: Path) -> None:
    """Give a file a second name, or where the disk has no links, a copy."""
    if name.exists() and name.samefile(path):
        return
    with atomic_path(name) as temporary:
        temporary.unlink()
        with contextlib.suppress(OSError):
            os.link(path, temporary)
        if not temporary.exists():
            shutil.copyfile(path, temporary)
    log.info("wrote %s", name)


KORQUAD = Script(
    SOURCE,
    "download_korquad.py",
    "fetch KorQuAD under the names that run_qa.py reads",
    (
        *OPTIONS,
        Flag("--data_name", default="korquad_v1.0", choices=("korquad_v1.0", KORQUAD_2), note="ours: which KorQuAD"),
    ),
    download_korquad,
)
SQUAD = Script(
    SOURCE, "download_squad.py", "fetch SQuAD 1.1 and 2.0 under the names that run_qa.py reads", OPTIONS, download_squad
)
