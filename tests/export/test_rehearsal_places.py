"""Where a bundle's command is run: in an environment of wheels alone, or in a container."""

from __future__ import annotations

import json
import os
import stat
import sys
import textwrap
import zipfile

import pytest

from dokhae.errors import SettingsError
from dokhae.export.rehearsal.commands import RehearsalFailed
from dokhae.export.rehearsal.places import without_network
from dokhae.export.rehearsal.rehearse import rehearse
from export.small_bundles import Wanted, make_small

DOCKER = """
    import json, subprocess, sys
    from pathlib import Path
    here = Path(__file__).resolve().parent
    words = sys.argv[1:]
    with open(here / "asked.jsonl", "a") as file:
        file.write(json.dumps(words) + "\\n")
    if words[0] == "build":
        (here / "context").write_text(words[-1])
    elif words[:2] == ["image", "inspect"]:
        print(123456789)
    elif words[0] == "run":
        mounts = [words[at + 1].split(":") for at, word in enumerate(words) if word == "--volume"]
        inside = words[words.index("--network") + 2 :][2 * len(mounts) + 1 :]
        for mount in mounts:
            inside = [word.replace(mount[1], mount[0], 1) if word.startswith(mount[1]) else word for word in inside]
        sys.exit(subprocess.run([sys.executable, (here / "context").read_text() + "/predict.py", *inside]).returncode)
"""


def wheel(folder, name, version, content):
    """A wheel with one module."""
    folder.mkdir(exist_ok=True)
    information = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", content)
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", "")
    return folder


@pytest.mark.slow
def test_a_fresh_environment_has_the_pinned_wheels_and_nothing_else(tmp_path):
    wheels = wheel(tmp_path / "wheels", "oracle_of_tests", "1.5", "CHANGED = {'q1': '1823'}")
    also = """
import oracle_of_tests
answers |= oracle_of_tests.CHANGED
try:
    import numpy
except ImportError:
    answers |= {"q2": "no numpy"}
"""
    small = make_small(tmp_path, Wanted(also=also, requirements="oracle-of-tests==1.5\n", scores=None))
    report = rehearse(small.zip, small.data, wheels, 120.0, tmp_path / "kept")
    assert report.held
    answers = json.loads((tmp_path / "kept" / "all" / "out" / "predictions.json").read_bytes())
    assert (answers["q0"], answers["q1"], answers["q2"]) == ("Quilek Ruskrel", "1823", "no numpy")
    assert report.where.packages == "a fresh environment, from wheels"
    assert report.sizes.packages > 1_000_000  # pip is in it
    assert (tmp_path / "kept" / "environment" / "pyvenv.cfg").exists()


@pytest.mark.slow
def test_a_requirement_without_a_wheel_is_told(tmp_path):
    wheels = wheel(tmp_path / "wheels", "oracle_of_tests", "1.5", "")
    small = make_small(tmp_path, Wanted(requirements="oracle-of-tests==1.6\n"))
    with pytest.raises(RehearsalFailed, match=r"pip install: ended with exit code 1: .*oracle-of-tests==1.6"):
        rehearse(small.zip, small.data, wheels, 120.0)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A stand-in for docker, first on PATH: it writes down what it is asked, and runs predict.py in place."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "docker"
    script.write_text(f"#!{sys.executable}\n{textwrap.dedent(DOCKER)}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def asked(folder):
    return [json.loads(line) for line in (folder / "asked.jsonl").read_text().splitlines()]


def test_the_image_is_built_run_without_a_network_and_removed(docker, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "x")
    small = make_small(tmp_path, Wanted(python="3.99"))
    report = rehearse(small.zip, small.data, "docker", 60.0)
    assert report.held
    assert report.where.packages == "those of the image that the Dockerfile gives"
    assert (report.where.network, report.speed.peak_bytes, report.sizes.packages) == ("none", None, 123456789)
    version, build, inspect, *runs, remove = asked(docker)
    image = build[2]
    assert version == ["version"]
    assert build[:5] == ["build", "--tag", image, "--build-arg", "PIP_EXTRA_INDEX_URL"]
    assert build[5].endswith("/small")
    assert inspect[-1] == image
    assert remove == ["image", "rm", "--force", image]
    assert [run[-2:] for run in runs[:2]] == [
        ["/in/questions.json", "/out/predictions.json"],
        ["/in/dev.json", "/out/predictions.json"],
    ]
    assert runs[2][-1] == "--latency"
    for run in runs:
        assert run[:2] == ["run", "--rm"]
        assert run[run.index("--network") + 1] == "none"
        volumes = [run[at + 1].split("/")[-1] for at, word in enumerate(run) if word == "--volume"]
        assert volumes == ["in:ro", "out"]


def test_a_container_that_fails_is_removed_and_so_is_the_image(docker, tmp_path):
    small = make_small(tmp_path, Wanted(predict="import sys; sys.exit('no CUDA')"))
    with pytest.raises(RehearsalFailed, match="docker run: ended with exit code 1: no CUDA"):
        rehearse(small.zip, small.data, "docker", 60.0)
    *_, run, container, image = asked(docker)
    name = run[run.index("--name") + 1]
    assert container == ["rm", "--force", name]
    assert image == ["image", "rm", "--force", name.rsplit("-", 1)[0]]


def test_without_an_engine_the_way_on_is_told(docker, tmp_path, monkeypatch):
    small = make_small(tmp_path, Wanted())
    (docker / "docker").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    with pytest.raises(SettingsError) as refused:
        rehearse(small.zip, small.data, "docker", 60.0)
    said, way_on = str(refused.value).split("; ")
    assert said == "--docker: the engine does not answer (Cannot connect to the Docker daemon)"
    assert way_on == "start it, or rehearse with --wheels"
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SettingsError, match="--docker: there is no command docker here; install it, or rehearse with"):
        rehearse(small.zip, small.data, "docker", 60.0)


def test_where_the_network_cannot_be_taken_away_it_is_discouraged(tmp_path, monkeypatch):
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'Operation not permitted' >&2\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    see = "import os; out.with_name('seen.json').write_text(json.dumps(dict(os.environ)))"
    small = make_small(tmp_path, Wanted(also=see))
    without_network.cache_clear()
    try:
        report = rehearse(small.zip, small.data, "here", 60.0, tmp_path / "kept")
    finally:
        without_network.cache_clear()
    assert report.held
    assert report.where.network == "discouraged: this machine does not let us take it away"
    seen = json.loads((tmp_path / "kept" / "all" / "out" / "seen.json").read_bytes())
    assert seen["https_proxy"] == seen["ALL_PROXY"] == "http://127.0.0.1:9"
