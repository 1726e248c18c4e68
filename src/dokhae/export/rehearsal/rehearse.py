"""The rehearsal of a bundle, from its zip to a verdict."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dokhae import benchmarks
from dokhae.errors import DataError, SettingsError
from dokhae.export.manifest import Manifest, changed
from dokhae.export.rehearsal.docker import container, refuse_without_engine
from dokhae.export.rehearsal.places import HOW_TO_GET_WHEELS, Place, with_packages_from, with_packages_here
from dokhae.export.rehearsal.questions import refuse_other_files
from dokhae.export.rehearsal.report import Report, Sizes, Speed, Where
from dokhae.export.rehearsal.trials import Trials
from dokhae.export.rehearsal.unpacking import size_of, unpack
from dokhae.export.rehearsal.verdict import verdict
from dokhae.export.requirements import python_version
from dokhae.files import make_folder, sha256
from dokhae.stopping import interrupted_by_signals

log = logging.getLogger("dokhae")
Packages = Path | Literal["here", "docker"] | None  # a folder of wheels, this interpreter's, or a container's


def rehearse(bundle: Path, data: Path, packages: Packages, timeout: float, keep: Path | None = None) -> Report:
    """Try a bundle out on labelled data as a leaderboard would; the verdict.

    timeout: seconds that one command may take. keep: folder for the unpacked bundle and its environment, which else
    are temporary. DataError, ModelError or SettingsError where nothing can be tried; RehearsalFailed where a command
    fails or does not end.
    """
    _check_packages(packages)
    if not timeout > 0:
        raise SettingsError(f"timeout is {timeout:g} s; it has to be more than 0")
    with interrupted_by_signals(), _work(keep) as work:
        log.info("unpacking %s, and checking each of its files", bundle)
        folder, manifest = unpack(bundle, work)
        sizes = bundle.stat().st_size, size_of(folder)
        row = benchmarks.find(manifest.benchmark)
        _check_python(manifest, packages)
        refuse_other_files(data, manifest.folder_input)
        examples, digest = row.read(data, True), sha256(data)
        if row.html and not any("<" in example.context for example in examples):
            raise DataError(f"{data}: holds no web pages, which {row.name} has; give its dev data")
        ids = list(dict.fromkeys(example.id for example in examples))
        with _place(packages, folder, work, timeout) as place:
            speed, predictions, faults = _tried(Trials(place, data, manifest.folder_input, ids, work))
        faults += [f"predict.py has written or changed {name} in its own folder, which a leaderboard may not let it"
                   for name in changed(folder, manifest)[:1]]  # fmt: skip
        found = verdict(predictions, examples, row, digest, manifest.dev)
    return Report(
        held=not faults and not found.faults,
        faults=(*faults, *found.faults),
        bundle=str(bundle),
        name=manifest.name,
        benchmark=manifest.benchmark,
        data=str(data),
        sha256=digest,
        questions=len(ids),
        scores=found.scores,
        run_scores=manifest.dev.scores if manifest.dev else None,
        compared=found.compared,
        where=Where(place.packages, place.network, platform.python_version(), machine()),
        sizes=Sizes(*sizes, place.size),
        speed=speed,
    )


def machine() -> str:
    """What the figures were measured on."""
    return f"{platform.platform()}, {os.cpu_count()} cores"


@contextlib.contextmanager
def _work(keep: Path | None) -> Iterator[Path]:
    """An empty folder, which goes afterwards if it is a temporary one."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="dokhae-rehearsal-") as name:
            yield Path(name).resolve()
        return
    if os.path.lexists(keep) and not (keep.is_dir() and not any(keep.iterdir())):
        raise SettingsError(f"{keep}: is not an empty folder; name another --keep")
    try:
        yield make_folder(keep).resolve()
    finally:
        log.info("kept in %s: the unpacked bundle, its environment, what it was given and has answered", keep)


def _check_packages(packages: Packages) -> None:
    """SettingsError where there are none, before anything is unpacked."""
    if packages is None:
        raise SettingsError(f"where do the packages come from? --wheels FOLDER: {HOW_TO_GET_WHEELS}; --here: those of "
                            "this interpreter, a quick check; --docker: the bundle's image")  # fmt: skip
    if packages == "docker":
        refuse_without_engine()
    elif isinstance(packages, Path) and not packages.is_dir():
        raise SettingsError(f"{packages}: there is no such folder of wheels; {HOW_TO_GET_WHEELS}")


def _check_python(manifest: Manifest, packages: Packages) -> None:
    """Packages are pinned for one Python: SettingsError where another one would have to install them."""
    here = python_version()
    if packages == "docker" or manifest.python == here:
        return
    if packages != "here":
        raise SettingsError(f"the bundle is for Python {manifest.python}, and this is {here}: rehearse with that one, "
                            f"`python{manifest.python} -m dokhae rehearse ...`, or with --docker")  # fmt: skip
    log.warning("the bundle is for Python %s, and this is %s", manifest.python, here)


@contextlib.contextmanager
def _place(packages: Packages, bundle: Path, work: Path, timeout: float) -> Iterator[Place]:
    if packages == "docker":
        log.info("building the image")
        with container(bundle, work, timeout) as place:
            yield place
    elif isinstance(packages, Path):
        log.info("making a fresh environment with packages from %s", packages)
        yield with_packages_from(packages, bundle, work, timeout)
    else:
        yield with_packages_here(bundle, work, timeout)


def _tried(trials: Trials) -> tuple[Speed, Path, list[str]]:
    """How fast the command was, the predictions file of all questions, and what was wrong on the way."""
    place, count = trials.place, len(trials.ids)
    log.info("answering one question; packages: %s; network: %s", place.packages, place.network)
    one = trials.one()
    log.info("answering all %d questions, which are given without their answers", count)
    used, predictions = trials.every()
    log.info("answering %d questions, each alone", len(trials.timed_ids))
    warm, foreign = trials.timed()
    faults = [f"predict.py has imported dokhae from elsewhere than the bundle: {name}" for name in foreign[:1]]
    speed = Speed(used.seconds, count / used.seconds, used.peak_bytes, one.seconds, warm, len(trials.timed_ids))
    return speed, predictions, faults
