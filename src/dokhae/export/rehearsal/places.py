"""Where the command of a bundle is run: with packages of its own, or with this interpreter's."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dokhae.export.rehearsal import watched
from dokhae.export.rehearsal.commands import Setting, Usage, run
from dokhae.export.rehearsal.unpacking import size_of

# What tells the hardware's ways and not ours: threads, devices, libraries; and Windows needs its own folder.
KEPT = (
    "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE", "SYSTEMROOT",
)  # fmt: skip
NOWHERE = "http://127.0.0.1:9"  # the port of the discard service, which nobody offers
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
UNSHARE = ("--user", "--map-root-user", "--net")
PREDICT = "predict.py"
ANSWERS = "predictions.json"
HOW_TO_GET_WHEELS = (
    "unzip the bundle and run `pip download -r requirements.txt -d wheels` in its folder (for a machine without a GPU "
    "with --extra-index-url and the index of PyTorch's CPU wheels)"
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A clean working directory of one command."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Desk:
        """A new one."""
        desk = cls(folder)
        for each in (desk.questions, desk.answers.parent):
            each.mkdir(parents=True)
        return desk

    @property
    def questions(self) -> Path:
        """The folder of what the command is given."""
        return self.folder / "in"

    @property
    def answers(self) -> Path:
        """The predictions file that the command is to write."""
        return self.folder / "out" / ANSWERS


class Place(Protocol):
    """Runs predict.py of a bundle."""

    @property
    def packages(self) -> str:
        """Whose packages it uses."""

    @property
    def network(self) -> str:
        """How it is kept from the network."""

    @property
    def size(self) -> int | None:
        """Bytes of those packages; None where they are not the bundle's."""

    def answer(self, desk: Desk, given: str, *options: str) -> Usage:
        """Run the positional command on a file or folder among the desk's questions. RehearsalFailed where it fails."""

    def answer_watched(self, desk: Desk, given: str, *options: str) -> list[str]:
        """The same; what of dokhae it has imported from elsewhere than the bundle."""


@dataclass(frozen=True, slots=True)
class Local:
    """On this machine, in an environment that holds nothing of its user."""

    bundle: Path
    python: Path
    home: Path  # an empty folder
    timeout: float  # seconds
    prefix: tuple[str, ...]  # begins every command: takes the network away
    packages: str
    size: int | None

    @property
    def network(self) -> str:
        """How it is kept from the network."""
        return "none" if self.prefix else "discouraged: this machine does not let us take it away"

    def answer(self, desk: Desk, given: str, *options: str) -> Usage:
        """Run the positional command, with paths that are relative to its working directory."""
        return self._run(desk, (self.bundle / PREDICT,), given, options)

    def answer_watched(self, desk: Desk, given: str, *options: str) -> list[str]:
        """The same; what of dokhae it has imported from elsewhere than the bundle."""
        report = desk.folder / "imported.json"
        self._run(desk, (watched.__file__, report, self.bundle / PREDICT), given, options)
        imported: Mapping[str, str | None] = json.loads(report.read_text(encoding="utf-8"))
        ours = [Path(file).resolve() for name, file in imported.items() if file and name.split(".")[0] == "dokhae"]
        own = self.bundle.resolve()
        return sorted(str(file) for file in ours if own not in file.parents)

    def _run(self, desk: Desk, script: Sequence[str | Path], given: str, options: Sequence[str]) -> Usage:
        where = Setting(desk.folder, clean_environment(self.home), self.timeout)
        paths = [path.relative_to(desk.folder) for path in (desk.questions / given, desk.answers)]
        return run([*self.prefix, self.python, "-I", *script, *paths, *options], where, PREDICT)


def with_packages_here(bundle: Path, work: Path, timeout: float) -> Local:
    """The interpreter that runs this, with the packages that it has."""
    return Local(
        bundle, Path(sys.executable), _home(work), timeout, without_network(), "those of this interpreter", None
    )


def with_packages_from(wheels: Path, bundle: Path, work: Path, timeout: float) -> Local:
    """A fresh virtual environment with the bundle's requirements, all of them from a folder of wheels."""
    home, folder, alone = _home(work), work / "environment", without_network()
    where = Setting(work, clean_environment(home), timeout)
    run([sys.executable, "-I", "-m", "venv", folder], where, "python -m venv")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--find-links")
    run([*alone, python, "-I", *install, wheels.resolve(), "-r", bundle / "requirements.txt"], where, "pip install")
    return Local(bundle, python, home, timeout, alone, "a fresh environment, from wheels", size_of(folder))


def clean_environment(home: Path) -> dict[str, str]:
    """Environment variables that hold nothing of the user: no paths of Python's, no caches, no way out."""
    ours = {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home), "TEMP": str(home), "PATH": os.defpath,
            "HF_HUB_OFFLINE": "1", "PIP_CONFIG_FILE": os.devnull}  # fmt: skip
    return {name: os.environ[name] for name in KEPT if name in os.environ} | dict.fromkeys(PROXIES, NOWHERE) | ours


@functools.cache
def without_network() -> tuple[str, ...]:
    """What begins a command that is to have no network at all; () where this machine has no such thing."""
    found = shutil.which("unshare")
    if found is None:
        return ()
    alone = (found, *UNSHARE)
    try:
        done = subprocess.run([*alone, "true"], capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if done.returncode else alone


def _home(work: Path) -> Path:
    home = work / "home"
    home.mkdir()
    return home
