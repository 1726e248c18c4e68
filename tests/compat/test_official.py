"""The official evaluation scripts: the very bytes that they print and write."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest

SCRIPTS = {
    "squad-1.1": "evaluate-v1.1.py",
    "squad-2.0": "evaluate-v2.0.py",
    "korquad-1.0": "evaluate-v1.0.py",
    "korquad-2.0": "evaluate-korquad_2.0.py",
}


@pytest.fixture(scope="module")
def rows(shared):
    """The published predictions with their official scores, one of each benchmark."""
    found = json.loads(shared("official-scores/manifest.json").read_text(encoding="utf-8"))
    return {row["task"]: row for row in reversed(found)}


@pytest.fixture
def questions(here):
    """dev.json with a question that has an answer and one that has none, predictions.json, odds.json."""
    qas = [
        {"id": "a", "question": "Where?", "answers": [{"text": "Ulm", "answer_start": 3}], "is_impossible": False},
        {"id": "b", "question": "When?", "answers": [], "is_impossible": True},
    ]
    data = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "In Ulm.", "qas": qas}]}]}
    (here / "dev.json").write_text(json.dumps(data))
    (here / "predictions.json").write_text(json.dumps({"a": "Ulm", "b": "Ulm"}))
    (here / "odds.json").write_text(json.dumps({"a": 0.1, "b": 0.9}))
    return here


@pytest.mark.parametrize(("task", "script"), SCRIPTS.items())
def test_stdout_is_what_the_official_script_prints(dokhae, shared, rows, task, script):
    row = rows[task]
    outcome = dokhae("compat", script, shared(row["data"]), shared(row["predictions"]))
    assert outcome.code == 0
    assert outcome.out == json.dumps(row["scores"], indent=2 if task == "squad-2.0" else None) + "\n"


def test_squad_2_with_probabilities(dokhae, shared, rows, here):
    row = rows["squad-2.0"]
    asked = [shared(row["data"]), shared(row["predictions"]), "-n", shared(row["na_probs"])]
    threshold = ["-t", row["na_prob_thresh"]]
    outcome = dokhae("compat", "evaluate-v2.0.py", *asked, *threshold)
    assert outcome.out == json.dumps(row["scores_with_na_probs"], indent=2) + "\n"


README = "evaluate-v2.0.py dev.json predictions.json"
WITHOUT = {
    "exact": 50.0, "f1": 50.0, "total": 2, "HasAns_exact": 100.0, "HasAns_f1": 100.0, "HasAns_total": 1,
    "NoAns_exact": 0.0, "NoAns_f1": 0.0, "NoAns_total": 1,
}  # fmt: skip


@pytest.mark.parametrize("file", ["-o scores.json", "--out-file scores.json", "--out-file=scores.json"])
def test_scores_go_to_a_file_in_one_line(dokhae, questions, file):
    outcome = dokhae("compat", *shlex.split(f"{README} {file}"))
    assert (outcome.code, outcome.out) == (0, "")
    assert (questions / "scores.json").read_text() == json.dumps(WITHOUT)


@pytest.mark.parametrize("options", ["-n odds.json -t 0.5", "--na-prob-file odds.json --na-prob-thresh 0.5"])
def test_a_threshold_takes_answers_away(dokhae, questions, options):
    scores = json.loads(dokhae("compat", *shlex.split(f"{README} {options}")).out)
    assert (scores["exact"], scores["best_exact"], scores["best_exact_thresh"]) == (100.0, 100.0, 0.1)


def test_curves_are_drawn(dokhae, questions):
    outcome = dokhae("compat", *shlex.split(f"{README} -n odds.json -p images"))
    assert json.loads(outcome.out)["pr_exact_ap"] == 100.0
    assert sorted(path.name for path in (questions / "images").iterdir()) == [
        "na_prob_hist_hasAns.png", "na_prob_hist_noAns.png", "pr_exact.png", "pr_f1.png", "pr_oracle.png",
    ]  # fmt: skip


def test_what_changes_nothing_is_said(dokhae, questions):
    outcome = dokhae("compat", *shlex.split(f"{README} -t 0.5 -v"))
    assert json.loads(outcome.out) == WITHOUT
    assert outcome.err.splitlines()[:2] == [
        "--verbose: it changed nothing there either",
        "--na-prob-thresh: changes nothing without --na-prob-file",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("evaluate-v2.0.py dev.json", "official/evaluate-v2.0.py: the following arguments are required"),
        (f"{README} --na-prob-flie odds.json", "--na-prob-flie is not one of its options; did you mean --na-prob-file"),
        ("evaluate-v1.1.py dev.json none.json", "none.json: no such file"),
        (f"{README} -o predictions.json", "predictions.json: writing there would replace what is scored"),
    ],
)
def test_mistakes_are_told_in_one_line(dokhae, questions, words, message):
    outcome = dokhae("compat", *shlex.split(words))
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err.splitlines()[-1]


def test_scripts_of_the_old_names_run_in_any_folder(dokhae, questions):
    assert len(dokhae("compat", "scripts", "official", "old").out.split()) == 4
    done = subprocess.run([sys.executable, *shlex.split(f"old/{README}")],
                          capture_output=True, text=True, timeout=60, encoding="utf-8")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, json.dumps(WITHOUT, indent=2) + "\n"), done.stderr
