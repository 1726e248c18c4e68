"""dokhae evaluate."""

from __future__ import annotations

import json

import pytest

from cli.conftest import squad

ROWS = {
    "squad-1.1-bert-ensemble-google-ai": "squad-1.1",
    "squad-2.0-bidaf-self-attention-elm": "squad-2.0",
    "korquad-1.0-perturbed": "korquad-1.0",
    "korquad-2.0-perturbed": "korquad-2.0",
}


@pytest.fixture(scope="module")
def manifest(shared):
    rows = json.loads(shared("official-scores/manifest.json").read_text(encoding="utf-8"))
    return {row["predictions"].removeprefix("official-scores/").removesuffix(".json"): row for row in rows}


@pytest.mark.parametrize(("name", "benchmark"), ROWS.items())
def test_stdout_is_the_official_json(dokhae, shared, manifest, name, benchmark):
    row = manifest[name]
    outcome = dokhae("evaluate", shared(row["data"]), shared(row["predictions"]), "--benchmark", benchmark)
    assert outcome.code == 0
    assert list(json.loads(outcome.out).items()) == list(row["scores"].items())
    assert benchmark in outcome.err  # the table for people


def test_korquad_2_takes_a_folder(dokhae, shared, manifest):
    row = manifest["korquad-2.0-perturbed"]
    folder = shared("korquad-2.0-answers")
    outcome = dokhae("evaluate", folder, shared(row["predictions"]), "--benchmark", "korquad-2.0")
    assert json.loads(outcome.out) == row["scores"]


def test_na_probs_add_the_best_thresholds(dokhae, shared, manifest):
    row = manifest["squad-2.0-bert-single-model-google"]
    outcome = dokhae(
        "evaluate", shared(row["data"]), shared(row["predictions"]), "--benchmark", "squad-2.0",
        "--na_probs", shared(row["na_probs"]), "--na-prob-thresh", row["na_prob_thresh"],
    )  # fmt: skip
    assert list(json.loads(outcome.out).items()) == list(row["scores_with_na_probs"].items())


def test_images_are_drawn_and_add_the_average_precisions(dokhae, questions, write, tmp_path):
    answers, odds = write("p.json", {"q1": "서울", "q2": "1705"}), write("odds.json", {"q1": 0.1, "q2": 0.2})
    outcome = dokhae(
        "evaluate", questions, answers, "--benchmark", "squad-2.0",
        "--na_probs", odds, "--out_image_dir", tmp_path / "images",
    )  # fmt: skip
    assert json.loads(outcome.out)["pr_exact_ap"] == pytest.approx(50.0)
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [
        "na_prob_hist_hasAns.png", "pr_exact.png", "pr_f1.png", "pr_oracle.png",
    ]  # fmt: skip


def test_warnings_go_to_stderr(dokhae, questions, write):
    outcome = dokhae("evaluate", questions, write("p.json", {"q1": "서울", "x": ""}), "--benchmark", "korquad-1.0")
    assert json.loads(outcome.out) == {"exact_match": 50.0, "f1": 50.0}
    assert "1 of 2 questions have no prediction; they score 0 (the first is q2)" in outcome.err
    assert "1 of 2 predictions are for questions that are not in the data" in outcome.err


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"x": "a", "y": "b"}, "none of its 2 predictions is for one of the 2 questions (the first is q1)"),
        ({"q1": "서울"}, "1 of 2 questions have no prediction (the first is q2)"),
        (["서울"], "holds a list; write one object of question id -> answer text"),
        ({"q1": "서울", "q2": None}, "question q2: the prediction is None, not a text"),
        ({"q1": "서울", "q2": ["1704"]}, "question q2: the prediction is ['1704'], not a text"),
        ('{"q1": "서', "stops in the middle"),
        ("{'q1': 3}", "is not JSON"),
        (b'{"q1": "\xbc\xad\xbf\xef"}', "is not UTF-8 (byte 8)"),
        ("", "is empty"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(refusal, questions, write, predictions, message):
    path = write("p.json", predictions)
    assert refusal("evaluate", questions, path, "--benchmark", "squad-2.0").startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("benchmark", "odds", "message"),
    [
        ("squad-2.0", [], "has to be one JSON object, question id -> number"),
        ("squad-2.0", {"q1": 1.0}, "1 of 2 questions have none"),
        ("squad-2.0", {"q1": 1.0, "q2": "x"}, "question q2 has 'x', not a number"),
        ("squad-1.1", {"q1": 1.0, "q2": 0.0}, "na_probs are for data with unanswerable questions"),
    ],
)
def test_na_probs_that_do_not_fit_are_refused(refusal, questions, write, benchmark, odds, message):
    answers, path = write("p.json", {"q1": "서울", "q2": "1704"}), write("odds.json", odds)
    assert message in refusal("evaluate", questions, answers, "--benchmark", benchmark, "--na_probs", path)


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        ("squad-1.1", "na_prob_thresh is for data with unanswerable questions (SQuAD 2.0); score this data without it"),
        ("squad-2.0", "na_prob_thresh is a threshold of na_probs; give that file too"),
    ],
)
def test_a_threshold_without_na_probs_is_refused(refusal, questions, write, benchmark, message):
    answers = write("p.json", {"q1": "서울", "q2": "1704"})
    assert refusal("evaluate", questions, answers, "--benchmark", benchmark, "--na_prob_thresh", 0.5) == message


@pytest.mark.parametrize("option", ["--out", "--errors_out"])
def test_an_output_with_too_long_a_name_is_refused(refusal, questions, write, tmp_path, option):
    answers, path = write("p.json", {"q1": "서울", "q2": "1704"}), tmp_path / ("x" * 300)
    line = refusal("evaluate", questions, answers, "--benchmark", "korquad-1.0", option, path)
    assert line == (
        f"{path}: cannot be written: the name is too long for this file system; name a shorter one; nothing was changed"
    )


def test_long_lists_of_na_probs_are_cut(refusal, questions, write):
    answers, odds = write("p.json", {"q1": "서울", "q2": "1704"}), write("o.json", {"q1": [0.5] * 99, "q2": 1})
    line = refusal("evaluate", questions, answers, "--benchmark", "squad-2.0", "--na_probs", odds)
    assert line == f"{odds}: question q1 has [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, ...], not a number"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["d.json", "p.json", "--benchmark", "squad-1.1", "--run", "runs/one"],
            "--benchmark does not go with --run, which takes a run's own dev file; leave it out",
        ),
        (
            ["--run=runs/one", "--na-prob-thresh=0.5"],
            "--na_prob_thresh does not go with --run, which takes a run's own dev file; leave it out",
        ),
        (
            ["d.json", "p.json", "--benchmark", "squad-1.1", "--checkpoints", "all"],
            "--checkpoints goes with --run only; name the run, or leave it out",
        ),
        (["--run", "runs/one", "--chekpoints", "all"], "--chekpoints is not an option; did you mean checkpoints?"),
    ],
)
def test_options_of_files_and_of_runs_do_not_mix(refusal, words, message):
    assert refusal("evaluate", *words) == message


def test_images_without_na_probs_are_refused(refusal, questions, tmp_path):
    line = refusal("evaluate", questions, questions, "--benchmark", "squad-2.0", "--out_image_dir", tmp_path / "i")
    assert line == "images of curves are drawn over na_probs; give that file too"
    assert not (tmp_path / "i").exists()


def test_an_unknown_benchmark_names_the_nearest(refusal, questions):
    assert "did you mean squad-1.1?" in refusal("evaluate", questions, questions, "--benchmark", "squd-1.1")


def test_answers_need_not_be_at_their_offsets(dokhae, write):
    misplaced = write("d.json", squad(context="서울 1704"))
    outcome = dokhae("evaluate", misplaced, write("p.json", {"q1": "서울", "q2": "1704"}), "--benchmark", "squad-1.1")
    assert json.loads(outcome.out) == {"exact_match": 100.0, "f1": 100.0}


def test_errors_are_a_table_on_stderr(dokhae, write):
    data, answers = write("d.json", squad()), write("p.json", {"q1": "서울은", "q2": "[1704] at"})
    without = dokhae("evaluate", data, answers, "--benchmark", "korquad-1.0")
    outcome = dokhae("evaluate", data, answers, "--benchmark", "korquad-1.0", "--errors")
    assert (outcome.code, outcome.out) == (0, without.out)
    assert "particle_too_many" not in without.err
    assert outcome.err.startswith(without.err)
    rows = [line.split("│")[1:5] for line in outcome.err.splitlines() if line.count("│") > 4]
    assert ["particle_too_many", "1", "50.0 %", "50.00"] in [[cell.strip() for cell in row] for row in rows]
    assert "\n  '서울' -> '서울은'\n    수도는 어디인가? (q1)\n    서울은 대한민국의 수도이다." in outcome.err
    assert "'1704' -> '[1704] at'" in outcome.err  # brackets are no markup
    assert "no_answer" not in outcome.err


def test_errors_go_to_a_file(dokhae, write, tmp_path):
    data, answers = write("d.json", squad()), write("p.json", {"q1": "서울은", "q2": ""})
    out = tmp_path / "new" / "errors.json"
    outcome = dokhae(
        "evaluate", data, answers, "--benchmark", "korquad-1.0", "--errors_out", out, "--error_examples", 0
    )  # fmt: skip
    assert json.loads(outcome.out)["exact_match"] == 0.0
    assert "particle_too_many" in outcome.err
    content = json.loads(out.read_text(encoding="utf-8"))
    assert (content["questions"], content["wrong"], content["exact_match"]) == (2, 2, 0.0)
    counts = {name: each["count"] for name, each in content["classes"].items() if each["count"]}
    assert counts == {"no_answer": 1, "particle_too_many": 1}
    assert content["classes"]["no_answer"]["exact_match_if_fixed"] == 50.0
    assert "'서울은'" not in outcome.err


def test_errors_of_answers_that_na_probs_take_back(dokhae, questions, write, tmp_path):
    answers, odds = write("p.json", {"q1": "서울은", "q2": "1704"}), write("odds.json", {"q1": 0.1, "q2": 0.9})
    outcome = dokhae(
        "evaluate", questions, answers, "--benchmark", "klue-mrc",
        "--na_probs", odds, "--na_prob_thresh", 0.5, "--errors_out", tmp_path / "e.json",
    )  # fmt: skip
    content = json.loads((tmp_path / "e.json").read_text(encoding="utf-8"))
    assert content["exact_match"] == json.loads(outcome.out)["exact_match"] == 0.0
    assert content["classes"]["no_answer"]["count"] == content["classes"]["particle_too_many"]["count"] == 1


def test_errors_of_english_data_are_refused(refusal, write, tmp_path):
    data = {"data": [{"paragraphs": [{"context": "서울 Seoul", "qas": [
        {"id": "q1", "question": "어디?", "answers": [{"text": "Seoul", "answer_start": 3}]},
    ]}]}]}  # fmt: skip
    files = write("d.json", data), write("p.json", {"q1": "the"}), "--benchmark", "squad-1.1"
    message = "errors are told apart for Korean data only, and no gold answer here holds Hangul"
    assert refusal("evaluate", *files, "--errors").startswith(message)
    assert refusal("evaluate", *files, "--errors_out", tmp_path / "e.json").startswith(message)
    assert not (tmp_path / "e.json").exists()


def test_a_number_of_error_examples_below_0_is_refused(refusal, questions, write):
    answers = write("p.json", {"q1": "서울", "q2": "1704"})
    line = refusal(
        "evaluate", questions, answers, "--benchmark", "korquad-1.0", "--errors", "--error_examples", -1
    )  # fmt: skip
    assert line == "error_examples is -1; it has to be at least 0"
