"""dokhae predict."""

from __future__ import annotations

import json
import shutil

import pytest

from cli.conftest import CONTEXT, squad
from dokhae.encoding import WindowConfig
from dokhae.settings import NullThreshold, ReaderSettings

FITTED = NullThreshold(0.0, "fitted", exact_match=1e9, f1=-1e9, split="dev.json", sha256="0")


@pytest.fixture
def trained(tiny_bert, tmp_path):
    """A run folder whose model says what it was trained for, and has a fitted threshold."""
    folder = tmp_path / "run" / "model"
    shutil.copytree(tiny_bert, folder)
    ReaderSettings("squad-2.0", WindowConfig(48, overlap=8), null_threshold=FITTED).save(folder)
    return folder.parent


def files(folder):
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.iterdir()}


def test_squad_2_has_answers_n_best_and_null_odds(dokhae, questions, tiny_bert, tmp_path):
    outcome = dokhae(
        "predict", questions, "--model", tiny_bert, "--benchmark", "squad-2.0", "--out", tmp_path / "new" / "p.json"
    )
    assert (outcome.code, outcome.out) == (0, "")
    written = files(tmp_path / "new")
    assert sorted(written) == ["nbest_predictions.json", "null_odds.json", "p.json"]
    assert [list(content) for content in written.values()] == [["q1", "q2"]] * 3
    for id, candidates in written["nbest_predictions.json"].items():
        assert [CONTEXT[each["start"] : each["end"]] for each in candidates] == [each["text"] for each in candidates]
        assert written["p.json"][id] in ("", candidates[0]["text"])
    assert "null threshold 0 (default)" in outcome.err
    assert f"score: dokhae evaluate {questions} {tmp_path / 'new' / 'p.json'} --benchmark squad-2.0" in outcome.err


@pytest.mark.parametrize("benchmark", ["squad-1.1", "korquad-1.0"])
def test_where_every_question_has_an_answer_there_are_no_null_odds(dokhae, questions, tiny_bert, tmp_path, benchmark):
    dokhae("predict", questions, "--model", tiny_bert, "--benchmark", benchmark, "--out", tmp_path / "new" / "p.json")
    written = files(tmp_path / "new")
    assert sorted(written) == ["nbest_predictions.json", "p.json"]
    assert "" not in written["p.json"].values()


def test_what_it_writes_can_be_scored(dokhae, questions, tiny_bert, tmp_path):
    dokhae("predict", questions, "--model", tiny_bert, "--benchmark", "squad-2.0", "--out", tmp_path / "p.json")
    outcome = dokhae(
        "evaluate", questions, tmp_path / "p.json", "--benchmark", "squad-2.0",
        "--na_probs", tmp_path / "null_odds.json",
    )  # fmt: skip
    assert json.loads(outcome.out)["total"] == 2


def test_questions_without_answers_are_enough(dokhae, write, tiny_bert, tmp_path):
    unlabelled = write("unlabelled.json", squad(labelled=False))
    outcome = dokhae(
        "predict", unlabelled, "--model", tiny_bert, "--benchmark", "squad-1.1", "--out", tmp_path / "p.json"
    )
    assert outcome.code == 0
    assert list(files(tmp_path)["p.json"]) == ["q1", "q2"]


def test_answers_outside_their_context_do_not_matter(dokhae, write, tiny_bert, tmp_path):
    misplaced = write("d.json", squad(context="부산도 있다. It was in 1705."))
    outcome = dokhae(
        "predict", misplaced, "--model", tiny_bert, "--benchmark", "squad-1.1", "--out", tmp_path / "p.json"
    )
    assert outcome.code == 0


def test_a_run_folder_stands_for_its_model_and_says_its_benchmark(dokhae, questions, trained, tmp_path):
    outcomes = [
        dokhae("predict", questions, "--model", model, "--out", tmp_path / name / "p.json")
        for name, model in (("a", trained), ("b", trained / "model"))
    ]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert "null threshold 0 (fitted for EM on dev.json)" in outcomes[0].err


@pytest.mark.parametrize(
    ("asked", "answers", "words"),
    [
        ("f1", False, "null threshold -1e+09 (fitted for F1 on dev.json)"),
        ("em", True, "null threshold 1e+09 (fitted for EM on dev.json)"),
        ("-1e9", False, "null threshold -1e+09 (set)"),
        ("1e9", True, "null threshold 1e+09 (set)"),
        ("inf", True, "null threshold inf (set)"),
    ],
)
def test_the_null_threshold_can_be_chosen(dokhae, questions, trained, tmp_path, asked, answers, words):
    out = tmp_path / "new" / "p.json"
    outcome = dokhae("predict", questions, "--model", trained, "--out", out, "--null-threshold", asked)
    assert words in outcome.err
    assert [bool(text) for text in files(out.parent)["p.json"].values()] == [answers, answers]


def test_batches_of_one_give_the_same_answers(dokhae, questions, trained, tmp_path):
    for size in (1, 32):
        dokhae("predict", questions, "--model", trained, "--out", tmp_path / str(size) / "p.json", "--batch_size", size)
    assert files(tmp_path / "1")["p.json"] == files(tmp_path / "32")["p.json"]


@pytest.mark.parametrize("devices", [0, -1])
def test_less_than_one_process_is_refused(dokhae, questions, trained, tmp_path, devices):
    outcome = dokhae("predict", questions, "--model", trained, "--out", tmp_path / "p.json", "--devices", devices)
    assert (outcome.code, outcome.err) == (2, f"dokhae: devices is {devices}; it has to be at least 1\n")


@pytest.mark.parametrize("devices", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_processes_that_share_the_questions_write_the_same_bytes(dokhae, write, trained, tmp_path, devices):
    many = write("many.json", squad_of(45))
    for count in (1, devices):
        outcome = dokhae(
            "predict", many, "--model", trained, "--out", tmp_path / str(count) / "p.json", "--batch_size", 4,
            "--device", "cpu", "--devices", count,
        )  # fmt: skip
        assert outcome.code == 0, outcome.err
    alone, shared = ({path.name: path.read_bytes() for path in (tmp_path / str(n)).iterdir()} for n in (1, devices))
    assert alone == shared
    assert len(json.loads(shared["p.json"])) == 45


def squad_of(questions):
    """As many questions, each of a context of its own length."""
    paragraphs = [
        {"context": CONTEXT * (1 + number % 7), "qas": [{"id": f"q{number}", "question": f"{number}?", "answers": []}]}
        for number in range(questions)
    ]
    return {"version": "2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}


@pytest.mark.slow
def test_a_mistake_is_told_once_by_all_processes(refusal, questions, tiny_bert, tmp_path):
    line = refusal(
        "predict", questions, "--model", tiny_bert, "--benchmark", "squad-1.1", "--null_threshold", "1",
        "--out", tmp_path / "new" / "p.json", "--device", "cpu", "--devices", 2,
    )  # fmt: skip
    assert line.startswith("squad-1.1 has no unanswerable questions")
    assert not (tmp_path / "new").exists()


def test_cut_questions_are_counted(dokhae, write, tiny_bert, tmp_path):
    content = squad()
    content["data"][0]["paragraphs"][0]["qas"][0]["question"] = "수도는 " * 40
    outcome = dokhae(
        "predict", write("long.json", content), "--model", tiny_bert, "--benchmark", "squad-1.1",
        "--out", tmp_path / "p.json",
    )  # fmt: skip
    assert outcome.code == 0
    assert "1 of 2 questions were cut to 64 tokens" in outcome.err


def test_a_context_without_a_token_has_an_empty_answer(dokhae, write, tiny_bert, tmp_path):
    blank = write("blank.json", squad(context=" ", labelled=False))
    outcome = dokhae("predict", blank, "--model", tiny_bert, "--benchmark", "squad-1.1", "--out", tmp_path / "p.json")
    assert files(tmp_path)["p.json"] == {"q1": "", "q2": ""}
    assert "2 of 2 questions have no legal span in any window; their answer is empty" in outcome.err


@pytest.mark.parametrize("name", ["nbest_predictions.json", "p.json"])
def test_the_data_file_is_not_written_over(refusal, tiny_bert, tmp_path, name):
    data = tmp_path / name
    data.write_text(json.dumps(squad()), encoding="utf-8")
    before = data.read_bytes()
    line = refusal("predict", data, "--model", tiny_bert, "--benchmark", "squad-1.1", "--out", tmp_path / "p.json")
    assert "would replace the data file" in line
    assert data.read_bytes() == before


def test_a_model_that_does_not_say_its_benchmark_answers_every_question(dokhae, questions, tiny_bert, tmp_path):
    outcome = dokhae("predict", questions, "--model", tiny_bert, "--out", tmp_path / "p.json")
    assert outcome.code == 0
    assert "does not say for which benchmark it was trained" in outcome.err
    assert all(files(tmp_path)["p.json"].values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--benchmark", "squad-1.1", "--null_threshold", "1"], "squad-1.1 has no unanswerable questions"),
        (["--benchmark", "squad-2.0", "--null_threshold", "f1"], "the model has no threshold fitted for f1"),
        (["--benchmark", "squad-2.0", "--null_threshold", "nan"], "null_threshold is not a number (nan)"),
        (["--benchmark", "squad-1.1", "--batch_size", "0"], "batch_size is 0; at least 1 is needed"),
        (["--benchmark", "squad-1.1", "--device", "cpu", "--precision", "fp16"], "precision fp16 needs a GPU"),
        (["--benchmark", "nope"], "benchmark 'nope' is not known"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(refusal, questions, tiny_bert, tmp_path, options, message):
    out = tmp_path / "new" / "p.json"
    assert message in refusal("predict", questions, "--model", tiny_bert, "--out", out, *options)
    assert not out.parent.exists()


def test_a_device_that_is_not_here_is_refused(refusal, questions, tiny_bert, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    line = refusal(
        "predict", questions, "--model", tiny_bert, "--benchmark", "squad-1.1", "--device", "cuda",
        "--out", tmp_path / "p.json",
    )  # fmt: skip
    assert line.startswith("device 'cuda' is not here; this machine has cpu")


def test_a_folder_as_out_is_refused_before_the_work(refusal, questions, tmp_path):
    line = refusal("predict", questions, "--model", "./no-such-model", "--out", tmp_path)
    assert line == f"{tmp_path}: is a directory, not a file; name the file inside it"
