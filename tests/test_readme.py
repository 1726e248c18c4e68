"""The files that the READMEs show are files that dokhae reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dokhae import recipes, sweeps

ROOT = Path(__file__).parent.parent


@pytest.fixture(params=["README.md", "README.ko.md"])
def shown(request, tmp_path, monkeypatch):
    """A folder with the YAML files of a README, under the names that they say they have."""
    monkeypatch.chdir(tmp_path)
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / request.param).read_text(encoding="utf-8"), re.DOTALL):
        name = re.match(r"# (\w+\.yaml)", text)[1]
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_table_is_read(shown):
    rows = recipes.read_source(shown / "mine.yaml")
    assert [row.name.rpartition("mine.yaml/")[2] for row in rows] == [
        "korquad-1.0/roberta", "korquad-1.0/roberta-slow",
    ]  # fmt: skip
    slow = recipes.config_of(rows[1], out=shown / "run")
    assert (slow.learning_rate, slow.batch_size, slow.max_length, slow.optimizer.warmup) == (2e-5, 32, 512, 0.1)


def test_the_sweep_is_read(shown):
    (shown / "few.json").touch()
    spec = sweeps.read(shown / "search.yaml", shown / "out", shown / "few.json", shown / "few.json")
    assert list(spec.search) == ["batch_size", "learning_rate", "optimizer.warmup"]
    assert (spec.sampler["name"], spec.prune["name"], spec.trials, spec.objective) == ("tpe", "median", 20, "f1")
