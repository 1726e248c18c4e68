"""The ready files for clusters: each is well formed and calls `dokhae train` with options that there are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dokhae.cli.configuration import option_types
from dokhae.cli.train import train

FOLDER = Path(__file__).parent.parent / "docs" / "cluster"
FILES = {path.name: path for path in sorted(FOLDER.iterdir())}
KNOWN = option_types(train)


def words_of(path):
    """What follows `dokhae train`."""
    if path.suffix != ".yaml":
        return path.read_text().replace("\\\n", " ").partition("dokhae train ")[2].split("||")[0].split()
    template = yaml.safe_load(path.read_text())["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["command"] == ["torchrun", "-m", "dokhae", "train"]
    return container["args"]


def test_there_is_one_for_each_launcher():
    assert set(FILES) == {"torchrun.sh", "slurm.sh", "pytorchjob.yaml"}


@pytest.mark.parametrize("name", FILES)
def test_they_use_options_that_there_are(name):
    options = [re.match(r"--([\w.]+)", word)[1] for word in words_of(FILES[name]) if word.startswith("--")]
    assert {"train", "dev", "out", "devices", "nodes", "strategy"} <= set(options) <= KNOWN.keys()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".sh")])
def test_shells_can_read_them(name):
    subprocess.run(["bash", "-n", FILES[name]], check=True)
