"""dokhae predict and dokhae ask within a budget; the latency of one question."""

from __future__ import annotations

import json
import shutil

import pytest

from cli.conftest import CONTEXT, squad
from dokhae.encoding import WindowConfig
from dokhae.settings import ReaderSettings


@pytest.fixture
def trained(tiny_bert, tmp_path):
    """A model folder with short windows."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_bert, folder)
    ReaderSettings("korquad-1.0", WindowConfig(48, overlap=8)).save(folder)
    return folder


@pytest.fixture
def long(write):
    """Two questions about many windows."""
    return write("long.json", squad("물은 흐른다. The mill stood by the brook. " * 20 + CONTEXT, labelled=False))


def predictions(folder):
    return {path.name: json.loads(path.read_bytes()) for path in folder.iterdir()}


def test_so_many_windows_are_read(dokhae, long, trained, tmp_path):
    for name, *options in (("one", "--max_windows", 1), ("many", "--max_windows", 500), ("all",)):
        outcome = dokhae("predict", long, "--model", trained, "--out", tmp_path / name / "p.json", *options)
        assert outcome.code == 0
        assert ("read " in outcome.err) == bool(options)
        if name == "one":
            assert "read 2 of " in outcome.err
    assert predictions(tmp_path / "many") == predictions(tmp_path / "all") != predictions(tmp_path / "one")


def test_a_question_takes_so_long(dokhae, long, trained, tmp_path):
    outcome = dokhae("predict", long, "--model", trained, "--out", tmp_path / "p.json", "--latency_ms", "1e-6")
    assert outcome.code == 0
    assert "read 2 of " in outcome.err
    assert not (tmp_path / "latency.json").exists()


def test_the_seconds_of_one_question_are_told_and_written(dokhae, long, trained, tmp_path):
    for name, *options in (("timed", "--latency", "--max_windows", 2), ("together", "--max_windows", 2)):
        outcome = dokhae("predict", long, "--model", trained, "--out", tmp_path / name / "p.json", *options)
        assert outcome.code == 0
        assert ("latency: median 0." in outcome.err and "(2 questions, each alone)" in outcome.err) == (name == "timed")
    timed, together = (predictions(tmp_path / name) for name in ("timed", "together"))
    found = timed.pop("latency.json")
    assert timed["p.json"] == together["p.json"]
    assert 0 < found["median"] <= found["percentile_95"] <= found["longest"] < 10
    assert {name: found[name] for name in ("unit", "questions", "windows_read", "max_windows", "latency_ms")} == {
        "unit": "seconds", "questions": 2, "windows_read": 4, "max_windows": 2, "latency_ms": None,
    }  # fmt: skip
    assert found["windows"] > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max_windows", "0"], "max_windows is 0; at least 1 is needed"),
        (["--latency_ms", "0"], "latency_ms is 0; it has to be more than 0"),
        (["--latency", "--devices", "2"], "2 processes share the questions, but a latency is that of one question"),
        (["--latency_ms", "9", "--devices", "2"], "2 processes share the questions, but a latency is that of one"),
    ],
)
def test_budgets_that_cannot_be_met_are_refused(refusal, long, trained, tmp_path, options, message):
    out = tmp_path / "new" / "p.json"
    assert message in refusal("predict", long, "--model", trained, "--out", out, *options)
    assert not out.parent.exists()


def test_the_seconds_are_not_written_over_anything(refusal, long, trained, tmp_path):
    out = tmp_path / "latency.json"
    line = refusal("predict", long, "--model", trained, "--out", out, "--latency")
    assert line == f"{out}: is the name of a file that is written beside the predictions; choose another"
    long.rename(out)
    line = refusal("predict", out, "--model", trained, "--out", tmp_path / "p.json", "--latency")
    assert "would replace the data file" in line


@pytest.mark.parametrize(("option", "value"), [("--max_windows", "1"), ("--latency_ms", "1e-6")])
def test_one_question_is_asked_within_a_budget(dokhae, refusal, write, trained, option, value):
    context = write("text.txt", "물은 흐른다. " * 60 + CONTEXT)
    question = ("ask", "--model", trained, "--context", context, "When was the Early Otter launched?")
    outcome = dokhae(*question, option, value)
    assert outcome.code == 0
    assert "read 1 of " in outcome.err
    assert "read " not in dokhae(*question).err
    assert "at least 1" in refusal(*question, "--max_windows", "0")
