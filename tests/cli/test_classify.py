"""dokhae classify train, predict and evaluate."""

from __future__ import annotations

import json

import pytest

from tasks.small import pairs, singles, write_table
from tiny_models import make_model

SMALL = ("--batch_size", 4, "--max_length", 48, "--device", "cpu", "--precision", "fp32", "--epochs", 1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return make_model("bert", tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory):
    """A run folder on MRPC's layout."""
    from dokhae.cli import main

    folder = tmp_path_factory.mktemp("mrpc")
    data = pairs(folder / "dev.tsv")
    options = ("--task", "mrpc", "--model", encoder, "--train", data, "--dev", data, "--out", folder / "run", *SMALL)
    assert main(["classify", "train", *map(str, options)]) == 0
    return folder


def test_a_classifier_is_trained_predicts_and_is_scored(dokhae, run):
    data, out = run / "dev.tsv", run / "p.tsv"
    outcome = dokhae("classify", "predict", data, "--model", run / "run", "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.endswith("p.tsv: 16 predictions\n")
    lines = out.read_text().splitlines()
    assert lines[0] == "index\tprediction"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(number) for number in range(16)]
    scores = json.loads((run / "run" / "scores.json").read_text())["scores"]
    assert json.loads(dokhae("classify", "evaluate", data, run / "run", "--task", "mrpc").out) == scores
    outcome = dokhae("classify", "evaluate", data, out, "--task", "mrpc", "--out", run / "s.json")
    assert (outcome.code, json.loads(outcome.out)) == (0, scores)
    assert json.loads((run / "s.json").read_text()) == scores


def test_json_lines_have_probabilities_and_score_the_same(dokhae, run):
    data, out = run / "dev.tsv", run / "p.jsonl"
    assert dokhae("classify", "predict", data, "--model", run / "run", "--out", out, "--batch_size", 3).code == 0
    first = json.loads(out.read_text().splitlines()[0])
    assert (first["id"], set(first["probabilities"])) == ("0", {"0", "1"})
    assert first["probabilities"][first["label"]] == max(first["probabilities"].values()) > 0.5
    scores = json.loads((run / "run" / "scores.json").read_text())["scores"]
    assert json.loads(dokhae("classify", "evaluate", data, out, "--task", "mrpc").out) == scores


def test_columns_of_other_files_can_be_named(dokhae, refusal, run, tmp_path):
    data = write_table(tmp_path / "d.tsv", [("7", "A ship.", "A town.")], "no left right")
    options = ("--first", "left", "--second", "right", "--id", "no", "--out", tmp_path / "p.tsv")
    assert dokhae("classify", "predict", data, "--model", run / "run", *options).code == 0
    assert (tmp_path / "p.tsv").read_text().splitlines()[1][:2] == "7\t"
    assert "give --task" in refusal("classify", "predict", data, "--model", run / "run", *options[2:])  # no --first


def test_mistakes_are_told_in_one_line_and_leave_nothing(refusal, run, encoder, tmp_path):
    data, model, out = run / "dev.tsv", run / "run", tmp_path / "p.tsv"
    assert "index and prediction" not in refusal("classify", "predict", data, "--model", model, "--out", tmp_path / "p")
    ragged = tmp_path / "ragged.tsv"
    ragged.write_text(data.read_text() + "1\t2\t3\n")
    said = refusal("classify", "predict", ragged, "--model", model, "--out", out)
    assert said.startswith(f"{ragged}: line 18: has 3 cells but the header has 5")
    said = refusal("classify", "predict", data, "--model", model, "--out", out, "--task", "mnli")
    assert said.endswith("tells 0, 1, and task mnli has contradiction, entailment, neutral; name the columns instead "
                         "(--first, --second)")  # fmt: skip
    (tmp_path / "short.tsv").write_text("index\tprediction\n0\t1\n")
    said = refusal("classify", "evaluate", data, tmp_path / "short.tsv", "--task", "mrpc")
    assert "has no prediction for 1 (15 of 16 are missing)" in said
    (tmp_path / "odd.tsv").write_text("index\tprediction\n" + "".join(f"{number}\tyes\n" for number in range(16)))
    said = refusal("classify", "evaluate", data, tmp_path / "odd.tsv", "--task", "mrpc")
    assert said.endswith("0: 'yes' is no class of task mrpc (0, 1)")
    said = refusal("classify", "predict", data, "--model", model, "--out", out, "--first", "#1 String")
    assert said == "the model was trained on pairs, and these are single texts; give both texts (--second)"
    said = refusal("ask", "--model", model, "--context", data, "x?")
    assert "is a classifier, which answers no questions; use `dokhae classify predict`, or train a reader" in said
    said = refusal("classify", "predict", data, "--model", encoder, "--out", out, "--task", "mrpc")
    assert "is no trained classifier: it lacks " in said
    options = ("--train", singles(tmp_path / "s.tsv"), "--model", encoder, "--out", tmp_path / "run")
    assert "give --task" in refusal("classify", "train", *options)
    assert "which column has the classes" in refusal("classify", "train", "--first", "text", *options)
    assert "--tasks is not an option; did you mean task?" in refusal("classify", "train", "--tasks", "mrpc", *options)
    assert not out.exists() and not (tmp_path / "run").exists()
