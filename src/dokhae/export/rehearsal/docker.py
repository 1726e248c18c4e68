"""A bundle in a container: built from its Dockerfile, run without a network."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dokhae.errors import SettingsError
from dokhae.export.rehearsal.commands import Setting, Usage, run
from dokhae.export.rehearsal.places import Desk

INDEX = "PIP_EXTRA_INDEX_URL"  # the Dockerfile's argument; passed on where the environment has it


@dataclass(frozen=True, slots=True)
class Container:
    """An image of a bundle, each command in a container of its own."""

    image: str
    timeout: float  # seconds
    size: int | None  # bytes of the image
    packages: str = "those of the image that the Dockerfile gives"
    network: str = "none"

    def answer(self, desk: Desk, given: str, *options: str) -> Usage:
        """Run the image's entry point. RehearsalFailed where it fails; the memory it takes is not known here."""
        name, out = f"{self.image}-{desk.folder.name}", desk.answers.parent
        out.chmod(0o777)  # whoever the container's user is
        for path in (desk.questions, *desk.questions.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        mounts = ("--volume", f"{desk.questions}:/in:ro", "--volume", f"{out}:/out")
        command = ("docker", "run", "--rm", "--name", name, "--network", "none", *mounts, self.image)
        paths = (f"/in/{given}", f"/out/{desk.answers.name}")
        try:
            used = run([*command, *paths, *options], _setting(desk.folder, self.timeout), "docker run")
        except BaseException:
            _ask("rm", "--force", name)  # ending the client does not end the container
            raise
        return Usage(used.seconds, None)

    def answer_watched(self, desk: Desk, given: str, *options: str) -> list[str]:
        """The same; a container has nothing but the bundle to import dokhae from."""
        self.answer(desk, given, *options)
        return []


@contextlib.contextmanager
def container(bundle: Path, work: Path, timeout: float) -> Iterator[Container]:
    """The image of a bundle, which is removed at the end. RehearsalFailed where it cannot be built."""
    image = f"dokhae-rehearsal-{uuid.uuid4().hex[:12]}"
    index = ("--build-arg", INDEX) if INDEX in os.environ else ()
    try:
        run(["docker", "build", "--tag", image, *index, bundle], _setting(work, timeout), "docker build")
        said = _ask("image", "inspect", "--format", "{{.Size}}", image)
        yield Container(image, timeout, int(said) if said.isdecimal() else None)
    finally:
        _ask("image", "rm", "--force", image)


def refuse_without_engine() -> None:
    """SettingsError where docker is not installed, or its engine does not answer."""
    if shutil.which("docker") is None:
        raise SettingsError("--docker: there is no command docker here; install it, or rehearse with --wheels")
    done = subprocess.run(["docker", "version"], capture_output=True, text=True, errors="replace")
    if done.returncode:
        *_, said = ("it said nothing", *filter(None, map(str.strip, done.stderr.splitlines())))
        raise SettingsError(f"--docker: the engine does not answer ({said}); start it, or rehearse with --wheels")


def _ask(*words: str) -> str:
    """What docker says to a question; "" where it fails."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, errors="replace")
    return "" if done.returncode else done.stdout.strip()


def _setting(folder: Path, timeout: float) -> Setting:
    return Setting(folder, os.environ, timeout)  # docker finds its engine and its registry's keys there
