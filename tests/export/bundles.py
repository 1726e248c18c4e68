"""Bundles of a tiny run, and environments that hold nothing but what a bundle asks for."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, distribution
from pathlib import Path

import dokhae
from dokhae.export.bundle import pack
from dokhae.settings import ReaderSettings
from tiny_models import make_model
from training.small import FEW, config, write_squad

QUIET = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Packed:
    """A run of one step, its zip, and what came out of that."""

    data: Path
    run: Path
    zip: Path
    folder: Path  # unpacked


def make_packed(folder: Path) -> Packed:
    """Train on six questions of KorQuAD 1.0's form, and pack the run."""
    data = write_squad(folder / "dev.json", FEW)
    run = folder / "tiny run"
    dokhae.train(config(make_model("bert", folder / "encoder"), data, run, max_steps=1), show=False)
    pack(run, "korquad-1.0", folder / "tiny.zip")
    return Packed(data, run, folder / "tiny.zip", unpack(folder / "tiny.zip", folder / "unpacked"))


def unpack(bundle: Path, folder: Path) -> Path:
    """The one folder of a bundle, unpacked into another."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder / bundle.stem


def change_settings(run: Path, **changes) -> None:
    """Other settings in the model folder of a run."""
    replace(ReaderSettings.load(run / "model"), **changes).save(run / "model")


def pinned(folder: Path) -> dict[str, str]:
    """Package -> version, of an unpacked bundle."""
    lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def make_environment(folder: Path, packages: list[str]) -> Path:
    """The interpreter of a fresh virtual environment with links to some installed packages (pip too), and no others."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    place = next(folder.glob("lib/python*/site-packages"))
    for one in map(distribution, packages):
        for name in top_level(one):
            target = place / name
            if not target.exists():
                target.symlink_to(Path(str(one.locate_file(name))))
    if "pip" in packages:
        script = folder / "bin" / "pip"
        script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pip "$@"\n')
        script.chmod(0o755)
    return folder / "bin" / "python"


def top_level(package: Distribution) -> set[str]:
    """What a package has put into site-packages."""
    names = {path.parts[0] for path in package.files or () if not path.is_absolute()}
    return names - {"..", "__pycache__"}


@dataclass
class Dockerfile:
    """A Dockerfile whose steps are carried out in a folder, as plain shell, with an interpreter of ours."""

    root: Path  # stands for /
    python: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    bases: list[str] = field(default_factory=list)
    directory: str = "/"
    user: str = "root"
    entry: list[str] = field(default_factory=list)
    said: str = ""

    def build(self, context: Path) -> None:
        """Carry out all steps; CalledProcessError where one of them fails."""
        text = (context / "Dockerfile").read_text("utf-8")
        text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
        for line in filter(None, map(str.strip, text.splitlines())):
            step, rest = line.split(maxsplit=1)
            getattr(self, f"step_{step.lower()}")(rest, context)

    def step_from(self, rest: str, context: Path) -> None:
        self.bases.append(rest)

    def step_arg(self, rest: str, context: Path) -> None:
        self.arguments.append(rest)

    def step_env(self, rest: str, context: Path) -> None:
        self.environment |= dict(word.split("=", 1) for word in shlex.split(rest))

    def step_copy(self, rest: str, context: Path) -> None:
        source, target = rest.split()
        here = self.inside(target)
        if (context / source).is_dir():
            shutil.copytree(context / source, here, dirs_exist_ok=True)
        else:
            here.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(context / source, here)

    def step_run(self, rest: str, context: Path) -> None:
        self.said += self.shell(re.sub(r"(?<=\s)/", f"{self.root}/", rest))

    def step_workdir(self, rest: str, context: Path) -> None:
        self.directory = rest
        self.inside(rest).mkdir(parents=True, exist_ok=True)

    def step_user(self, rest: str, context: Path) -> None:
        self.user = rest

    def step_entrypoint(self, rest: str, context: Path) -> None:
        self.entry = json.loads(rest)

    def inside(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def run(self, *words: str) -> str:
        """What `docker run IMAGE WORDS` does."""
        entry = [str(self.inside(word)) if word.startswith("/") else word for word in self.entry]
        return self.shell(shlex.join([*entry, *words]))

    def shell(self, command: str) -> str:
        paths = {"PATH": f"{self.python.parent}{os.pathsep}{os.defpath}"}
        given = {"cwd": self.inside(self.directory), "env": {**self.environment, **paths, **QUIET}}
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=300, check=False, **given)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout
