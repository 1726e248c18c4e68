"""dokhae sweep."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from sweeps.small_sweeps import spec_of
from training.small import FEW, write_squad


@pytest.fixture
def files(tmp_path, tiny_bert):
    """The folder with a spec and its data."""
    data = write_squad(tmp_path / "few.json", FEW)
    spec = spec_of(tiny_bert, data, search={"learning_rate": [1e-3, 5e-2]}, settings={"epochs": 1})
    del spec["name"], spec["settings"]["train"], spec["settings"]["dev"]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(spec))
    return tmp_path


def test_the_best_goes_to_stdout_and_the_table_to_stderr(dokhae, files):
    out = files / "out"
    command = ["sweep", files / "mine.yaml", "--train", files / "few.json", "--dev", files / "few.json", "--out", out]
    first = dokhae(*command, "--trials", 1)
    assert (first.code, json.loads(first.out)["settings"]) == (0, {"learning_rate": 0.001})
    both = dokhae(*command)
    assert both.code == 0
    best = json.loads(both.out)
    scores = json.loads((out / "runs" / "trial-0001" / "scores.json").read_text())["scores"]
    assert (best["trial"], best["settings"], best["run"]) == (1, {"learning_rate": 0.05}, str(out / "runs/trial-0001"))
    assert (best["scores"]["em"], best["scores"]["f1"]) == (scores["exact_match"], scores["f1"])
    assert "trial 0" not in both.err.partition("mine, by f1")[0]  # it was there
    table = [line.split() for line in both.err.partition("mine, by f1")[2].splitlines()]
    assert [row[0] for row in table if row and row[0].isdigit()] == ["1", "0"]
    assert both.err.endswith(f"sweep: {out}\nplots: {out / 'plots'}\n")

    other = dokhae(
        "sweep", files / "mine.yaml", "--train", files / "few.json", "--dev", files / "mine.yaml", "--out", out
    )
    assert (other.code, other.out) == (2, "")
    assert "the study mine in its study.db is of another spec: data.dev has changed; give this one" in other.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"serach": {}}, "mine.yaml: 'serach' is not a setting; did you mean search"),
        (
            {"search": {"lerning_rate": [1]}},
            "mine.yaml: search: 'lerning_rate' is not a setting; did you mean learning_r",
        ),
        ({"settings": {"benchmark": "x", "model": "m"}}, "mine.yaml: train is missing; give --train FILE"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(change, message, refusal, files):
    spec = yaml.safe_load((files / "mine.yaml").read_text())
    (files / "mine.yaml").write_text(yaml.safe_dump(spec | change))
    assert message in refusal("sweep", files / "mine.yaml", "--out", files / "out")
    assert not (files / "out").exists()


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom dokhae.cli import main\nassert main(['sweep', '--help']) == 0\n"
        "import dokhae.sweeps\n"
        "heavy = {'torch', 'transformers', 'lightning', 'optuna', 'matplotlib', 'sqlalchemy', 'filelock'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dokhae sweep lyeoni" in done.stdout
